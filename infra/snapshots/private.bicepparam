// State and vaults behind private endpoints.
using '../main.bicep'

param environmentName = 'private'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param privateNetworking = true
param allowedIpRanges = ['203.0.113.0/24']
