// A landing account that exists already, in another resource group.
using '../main.bicep'

param environmentName = 'landing'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param existingSegmentsAccountName = 'contosolanding'
param existingSegmentsResourceGroup = 'rg-data'
param customerInsightsPrincipalId = '00000000-0000-0000-0000-0000000000c1'
