// Every optional parameter set to something else than its default.
using '../main.bicep'

param environmentName = 'everything'
param tags = { owner: 'marketing' }
param entraTenantId = '00000000-0000-0000-0000-0000000000d1'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param allowedOrigins = ['https://portal.example.com']
param mailchimpClientId = '123456789012'
param mailchimpConnections = 6
param customerInsightsInstanceId = '00000000-0000-0000-0000-0000000000b1'
param customerInsightsNeedsSubscriptionKey = true
param customerInsightsPrincipalId = '00000000-0000-0000-0000-0000000000c1'
param segmentsRoot = 'CustomerInsights_00000000-0000-0000-0000-0000000000b1/mailchimp'
param segmentsContainerName = 'customer-insights'
param segmentsHierarchicalNamespace = false
param maximumInstanceCount = 100
param instanceMemoryMB = 4096
param httpConcurrency = 32
param alwaysReadyHttpInstances = 1
param zoneRedundant = true
param siteUpdateStrategy = 'RollingUpdate'
param maxProfiles = 500000
param retentionDays = 14
param softDeleteDays = 90
param logRetentionDays = 365
param logDailyCapGb = 10
param tickSchedule = '0 */10 * * * *'
param privateNetworking = true
param virtualNetworkAddressPrefix = '10.20.0.0/23'
param allowedIpRanges = ['203.0.113.4', '198.51.100.0/24']
param appPublicNetworkAccess = 'Disabled'
param actionGroupIds = ['/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-operations/providers/Microsoft.Insights/actionGroups/on-call']
param alertEmail = 'operations@example.com'
param rejectSharePercent = 10
param configWriterPrincipalId = '00000000-0000-0000-0000-0000000000a1'
param configWriterPrincipalType = 'Group'
