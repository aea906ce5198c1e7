// The parameters of a deployment. The differences between dev and prod are in environments.bicep. Values that a company must set
// come from the environment (`azd env set NAME value`, or a variable of the deployment workflow). None of them is secret.
using './main.bicep'

import { environments } from './environments.bicep'

// An environment that is called dev or prod is of this kind; any other name needs ENVIRONMENT_KIND, or is of the kind dev.
var name = readEnvironmentVariable('AZURE_ENV_NAME', readEnvironmentVariable('ENVIRONMENT_KIND', 'dev'))
var kind = readEnvironmentVariable('ENVIRONMENT_KIND', contains(environments, name) ? name : 'dev')

param environmentName = name
param location = readEnvironmentVariable('AZURE_LOCATION')

param maximumInstanceCount = environments[kind].maximumInstanceCount
param zoneRedundant = environments[kind].zoneRedundant
param softDeleteDays = environments[kind].softDeleteDays
param logRetentionDays = environments[kind].logRetentionDays
param logDailyCapGb = environments[kind].logDailyCapGb

param entraClientId = readEnvironmentVariable('ENTRA_CLIENT_ID')
param mailchimpClientId = readEnvironmentVariable('MAILCHIMP_CLIENT_ID', '')
param customerInsightsInstanceId = readEnvironmentVariable('CUSTOMER_INSIGHTS_INSTANCE_ID', '')
param customerInsightsNeedsSubscriptionKey = readEnvironmentVariable('CUSTOMER_INSIGHTS_NEEDS_SUBSCRIPTION_KEY', 'false') == 'true'
param customerInsightsPrincipalId = readEnvironmentVariable('CUSTOMER_INSIGHTS_PRINCIPAL_ID', '')
param existingSegmentsAccountName = readEnvironmentVariable('EXISTING_SEGMENTS_ACCOUNT_NAME', '')
param existingSegmentsResourceGroup = readEnvironmentVariable('EXISTING_SEGMENTS_RESOURCE_GROUP', '')
param existingSegmentsSubscriptionId = readEnvironmentVariable('EXISTING_SEGMENTS_SUBSCRIPTION_ID', '')
param existingTopicName = readEnvironmentVariable('EXISTING_TOPIC_NAME', '')
param configWriterPrincipalId = readEnvironmentVariable('CONFIG_WRITER_PRINCIPAL_ID', '')
param configWriterPrincipalType = readEnvironmentVariable('CONFIG_WRITER_PRINCIPAL_TYPE', 'User')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param siteUpdateStrategy = readEnvironmentVariable('SITE_UPDATE_STRATEGY', 'Recreate')
param privateNetworking = readEnvironmentVariable('PRIVATE_NETWORKING', 'false') == 'true'
param allowedIpRanges = filter(split(readEnvironmentVariable('ALLOWED_IP_RANGES', ''), ','), range => !empty(range))
