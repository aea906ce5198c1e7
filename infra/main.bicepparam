// Both environments, side by side: what differs between them stands in one table, what a company must fill in comes from
// the environment (`azd env set NAME value`, or a variable of the deployment workflow). No secret is among it.
using './main.bicep'

var kind = readEnvironmentVariable('ENVIRONMENT_KIND', 'dev')
var kinds = {
  dev: {
    maximumInstanceCount: 40
    zoneRedundant: false
    siteUpdateStrategy: 'Recreate'
    softDeleteDays: 7
    logRetentionDays: 30
    logDailyCapGb: 1
  }
  prod: {
    maximumInstanceCount: 40
    zoneRedundant: false
    siteUpdateStrategy: 'Recreate'
    softDeleteDays: 30
    logRetentionDays: 90
    logDailyCapGb: 5
  }
}

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', kind)
param location = readEnvironmentVariable('AZURE_LOCATION')

param maximumInstanceCount = kinds[kind].maximumInstanceCount
param zoneRedundant = kinds[kind].zoneRedundant
param siteUpdateStrategy = kinds[kind].siteUpdateStrategy
param softDeleteDays = kinds[kind].softDeleteDays
param logRetentionDays = kinds[kind].logRetentionDays
param logDailyCapGb = kinds[kind].logDailyCapGb

param entraClientId = readEnvironmentVariable('ENTRA_CLIENT_ID')
param mailchimpClientId = readEnvironmentVariable('MAILCHIMP_CLIENT_ID', '')
param customerInsightsInstanceId = readEnvironmentVariable('CUSTOMER_INSIGHTS_INSTANCE_ID', '')
param customerInsightsPrincipalId = readEnvironmentVariable('CUSTOMER_INSIGHTS_PRINCIPAL_ID', '')
param existingSegmentsAccountName = readEnvironmentVariable('EXISTING_SEGMENTS_ACCOUNT_NAME', '')
param existingSegmentsResourceGroup = readEnvironmentVariable('EXISTING_SEGMENTS_RESOURCE_GROUP', '')
param secretsOfficerPrincipalId = readEnvironmentVariable('SECRETS_OFFICER_PRINCIPAL_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param privateNetworking = readEnvironmentVariable('PRIVATE_NETWORKING', 'false') == 'true'
