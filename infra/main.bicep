// Everything the app needs, in one resource group that the customer owns. The pieces are in modules/;
// this file only names things and hands ids from one module to the next. Deploying it twice changes nothing.
// https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan

targetScope = 'resourceGroup'

metadata description = 'Customer Insights -> Mailchimp export: Flex Consumption app, storage, vaults, events, alerts.'

@description('Short name of this environment, for example dev or prod. Part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region of every resource. Must offer Flex Consumption; a landing account of your own must be in it too.')
param location string = resourceGroup().location

@description('Tags put on every resource, besides the one azd needs.')
param tags object = {}

// ---- who signs in --------------------------------------------------------------------------------

@description('Entra tenant whose people may sign in. One tenant only.')
param entraTenantId string = tenant().tenantId

@description('Application (client) id of the app registration that signs people in. See docs/deploy.md.')
@minLength(36)
param entraClientId string

@description('Origins, such as https://portal.example.com, whose scripts may call the API. Exact origins only; empty means none.')
param allowedOrigins array = []

// ---- Mailchimp and Customer Insights -------------------------------------------------------------

@description('Client id of the registered Mailchimp app. Empty when connections use API keys only.')
param mailchimpClientId string = ''

@description('How many connections the app may have open to one Mailchimp account. Mailchimp allows 10 over all apps.')
@minValue(1)
@maxValue(10)
param mailchimpConnections int = 10

@description('Instance id of the Customer Insights environment. Empty: segments are known from model.json alone.')
param customerInsightsInstanceId string = ''

@description('Object id, in this tenant, of the service principal "Dynamics 365 AI for Customer Insights". Empty: no role is given to it.')
param customerInsightsPrincipalId string = ''

@description('Prefix in the landing container that holds model.json. Empty: found anywhere in the container.')
param segmentsRoot string = ''

// ---- where the segments land ---------------------------------------------------------------------

@description('Name of a storage account of your own that Customer Insights writes to. Empty: one is made.')
param existingSegmentsAccountName string = ''

@description('Resource group of that account, in this subscription. Empty: this one.')
param existingSegmentsResourceGroup string = ''

@description('Container for the segments.')
@minLength(3)
@maxLength(63)
param segmentsContainerName string = 'segments'

@description('Give the landing account a hierarchical namespace. Customer Insights asks for one when it signs in as its service principal.')
param segmentsHierarchicalNamespace bool = true

// ---- how much, how long --------------------------------------------------------------------------

@description('Most instances the platform may start for one function. Below 40 is refused in some regions.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Memory of one instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances kept warm for HTTP. 0 costs nothing; at least 2 with zone redundancy.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttpInstances int = 0

@description('Spread plan and storage over availability zones. Raises the warm HTTP instances to at least 2.')
param zoneRedundant bool = false

@description('Recreate kills running work when the app is updated; RollingUpdate (preview) lets it finish first.')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdateStrategy string = 'Recreate'

@description('Most distinct people in one run.')
@minValue(1)
param maxProfiles int = 1000000

@description('Days that plans, chunks, outcomes and old segment files are kept.')
@minValue(1)
@maxValue(365)
param retentionDays int = 30

@description('Days that the ledger of an export lives after it was last written. Keep it longer than any pause between runs.')
@minValue(90)
@maxValue(3650)
param ledgerRetentionDays int = 400

@description('Days that deleted state blobs and secrets can still be brought back.')
@minValue(7)
@maxValue(90)
param softDeleteDays int = 7

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Most gigabytes of logs taken in per day.')
@minValue(1)
param logDailyCapGb int = 1

@description('When the app looks what is due, as a six-field NCRONTAB in UTC.')
param tickSchedule string = '0 */5 * * * *'

// ---- network -------------------------------------------------------------------------------------

@description('Put state and vaults behind private endpoints. Costs money per endpoint: see docs/cost.md.')
param privateNetworking bool = false

@description('Whether the pages and the API can be reached from the internet (signed in). Disabled only with a private way in of your own.')
@allowed(['Enabled', 'Disabled'])
param appPublicNetworkAccess string = 'Enabled'

// ---- people --------------------------------------------------------------------------------------

@description('Resource ids of action groups that alerts go to. Empty with no alertEmail: alerts fire but nobody is told.')
param actionGroupIds array = []

@description('Address for a new action group. Empty: none is made.')
param alertEmail string = ''

@description('Share of rejected rows in a run, 0-100, above which an alert fires.')
@minValue(0)
@maxValue(100)
param rejectSharePercent int = 5

@description('Object id of the person or group who puts the client secrets into the vault. Empty: no such role is given.')
param secretsOfficerPrincipalId string = ''

@description('What the id above is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param secretsOfficerPrincipalType string = 'User'

// ---- names ---------------------------------------------------------------------------------------

var token = uniqueString(subscription().id, resourceGroup().id, environmentName)
var allTags = union(tags, { 'azd-env-name': environmentName })
var ownLanding = empty(existingSegmentsAccountName)
var landingAccountName = ownLanding ? 'seg${token}' : existingSegmentsAccountName
var landingResourceGroup = ownLanding || empty(existingSegmentsResourceGroup) ? resourceGroup().name : existingSegmentsResourceGroup

module observability 'modules/observability.bicep' = {
  name: 'observability'
  params: {
    token: token
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  params: {
    token: token
    location: location
    tags: allTags
    stateAccountId: storage.outputs.stateAccountId
    tokenVaultId: vault.outputs.tokenVaultId
    configVaultId: vault.outputs.configVaultId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    stateAccountName: 'state${token}'
    segmentsAccountName: ownLanding ? landingAccountName : ''
    segmentsContainerName: segmentsContainerName
    hierarchicalNamespace: segmentsHierarchicalNamespace
    location: location
    tags: allTags
    zoneRedundant: zoneRedundant
    privateNetworking: privateNetworking
    retentionDays: retentionDays
    ledgerRetentionDays: ledgerRetentionDays
    softDeleteDays: softDeleteDays
    workspaceId: observability.outputs.workspaceId
  }
}

module landing 'modules/landing.bicep' = {
  name: 'landing'
  scope: resourceGroup(landingResourceGroup)
  dependsOn: [storage]
  params: {
    accountName: landingAccountName
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: 'outcomes'
    topicName: 'segments-${token}'
    location: location
    tags: allTags
    workspaceId: observability.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    token: token
    location: location
    tags: allTags
    softDeleteDays: softDeleteDays
    privateNetworking: privateNetworking
    workspaceId: observability.outputs.workspaceId
  }
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    token: token
    location: location
    tags: allTags
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    stateAccountName: storage.outputs.stateAccountName
    eventQueueName: storage.outputs.eventQueueName
    deadLetterContainerName: storage.outputs.deadLetterContainerName
    tokenVaultName: vault.outputs.tokenVaultName
    configVaultName: vault.outputs.configVaultName
    insightsName: observability.outputs.insightsName
    landingAccountName: landingAccountName
    landingResourceGroup: landingResourceGroup
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: landing.outputs.outcomesContainerName
    appPrincipalId: identity.outputs.principalId
    topicPrincipalId: landing.outputs.topicPrincipalId
    customerInsightsPrincipalId: customerInsightsPrincipalId
    secretsOfficerPrincipalId: secretsOfficerPrincipalId
    secretsOfficerPrincipalType: secretsOfficerPrincipalType
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  dependsOn: [roles]
  params: {
    identityName: identity.outputs.name
    token: token
    location: location
    tags: allTags
    stateAccountName: storage.outputs.stateAccountName
    deploymentContainerName: storage.outputs.deploymentContainerName
    segmentsBlobEndpoint: landing.outputs.blobEndpoint
    segmentsContainerName: segmentsContainerName
    segmentsRoot: segmentsRoot
    tokenVaultUri: vault.outputs.tokenVaultUri
    configVaultUri: vault.outputs.configVaultUri
    insightsName: observability.outputs.insightsName
    workspaceId: observability.outputs.workspaceId
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    publicNetworkAccess: appPublicNetworkAccess
    entraTenantId: entraTenantId
    entraClientId: entraClientId
    allowedOrigins: allowedOrigins
    mailchimpClientId: mailchimpClientId
    mailchimpConnections: mailchimpConnections
    customerInsightsInstanceId: customerInsightsInstanceId
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyHttpInstances: zoneRedundant ? max(2, alwaysReadyHttpInstances) : alwaysReadyHttpInstances
    zoneRedundant: zoneRedundant
    siteUpdateStrategy: siteUpdateStrategy
    maxProfiles: maxProfiles
    retentionDays: retentionDays
    tickSchedule: tickSchedule
  }
}

module events 'modules/events.bicep' = {
  name: 'events'
  scope: resourceGroup(landingResourceGroup)
  dependsOn: [roles]
  params: {
    topicName: landing.outputs.topicName
    stateAccountId: storage.outputs.stateAccountId
    eventQueueName: storage.outputs.eventQueueName
    deadLetterContainerName: storage.outputs.deadLetterContainerName
    segmentsContainerName: segmentsContainerName
    segmentsRoot: segmentsRoot
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    token: token
    location: location
    tags: allTags
    workspaceId: observability.outputs.workspaceId
    actionGroupIds: actionGroupIds
    alertEmail: alertEmail
    rejectSharePercent: rejectSharePercent
  }
}

// ---- outputs: names and addresses only, never a secret --------------------------------------------

@description('Resource group that holds everything.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('Name of the function app.')
output AZURE_FUNCTION_APP_NAME string = app.outputs.siteName

@description('Address of the pages and the API; also the PUBLIC_URL setting.')
output PUBLIC_URL string = app.outputs.publicUrl

@description('Vault for the client secrets that a person puts in: see docs/deploy.md.')
output CONFIG_VAULT_NAME string = vault.outputs.configVaultName

@description('Vault that the app keeps Mailchimp grants in.')
output TOKEN_VAULT_NAME string = vault.outputs.tokenVaultName

@description('Storage account that Customer Insights writes to.')
output SEGMENTS_ACCOUNT_NAME string = landingAccountName

@description('Container that Customer Insights writes to.')
output SEGMENTS_CONTAINER string = segmentsContainerName

@description('Storage account of the app: queues, tables, plans, ledgers.')
output STATE_ACCOUNT_NAME string = storage.outputs.stateAccountName

@description('Log Analytics workspace to ask what happened.')
output LOG_WORKSPACE_NAME string = observability.outputs.workspaceName
