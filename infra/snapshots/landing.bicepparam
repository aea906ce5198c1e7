// A landing account that exists already with its system topic, in another subscription and resource group.
using '../main.bicep'

param environmentName = 'landing'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param existingSegmentsAccountName = 'contosolanding'
param existingSegmentsResourceGroup = 'rg-data'
param existingSegmentsSubscriptionId = '00000000-0000-0000-0000-000000000003'
param existingTopicName = 'contoso-topic'
param customerInsightsPrincipalId = '00000000-0000-0000-0000-0000000000c1'
