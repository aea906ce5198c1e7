// All resources of the app, in one resource group that the customer owns. This file computes the names and passes names and
// ids to the modules in modules/. Deploying it twice changes nothing. Names are computed here and not taken from outputs, because
// what-if and `bicep snapshot` can then evaluate every module.
// https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan

targetScope = 'resourceGroup'

metadata name = 'Customer Insights to Mailchimp export'
metadata description = 'Flex Consumption function app with its storage, vaults, events, alerts and optional private network.'

@description('Short name of this environment, for example dev or prod. Part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region of every resource. It must offer Flex Consumption.')
param location string = resourceGroup().location

@description('Tags of every resource, in addition to the one that azd needs.')
param tags { *: string } = {}

// ---- who signs in --------------------------------------------------------------------------------

@description('Entra tenant whose people may sign in.')
@minLength(36)
@maxLength(36)
param entraTenantId string = tenant().tenantId

@description('Application (client) id of the app registration that people sign in to. See docs/deploy.md.')
@minLength(36)
@maxLength(36)
param entraClientId string

@description('Origins, such as https://portal.example.com, whose scripts may call the API. Exact origins, no *; empty allows no other origin.')
param allowedOrigins string[] = []

// ---- Mailchimp and Customer Insights -------------------------------------------------------------

@description('Client id of the app registered at Mailchimp; its secret must then be in the vault as mailchimp-client-secret. Empty if connections use only API keys.')
param mailchimpClientId string = ''

@description('Connections that the app may have open to one Mailchimp account. Mailchimp allows 10 for all apps together.')
@minValue(1)
@maxValue(10)
param mailchimpConnections int = 10

@description('Instance id of the Customer Insights environment. Empty: the app knows segments only from model.json.')
param customerInsightsInstanceId string = ''

@description('Whether the environment requires a subscription key. The vault must then have it as customer-insights-subscription-key.')
param customerInsightsNeedsSubscriptionKey bool = false

@description('Object id, in this tenant, of the service principal "Dynamics 365 AI for Customer Insights". Empty: it gets no role.')
param customerInsightsPrincipalId string = ''

@description('Folder of the landing container that has model.json. Empty: it is found anywhere in the container.')
param segmentsRoot string = ''

// ---- landing account -----------------------------------------------------------------------------

@description('Name of a storage account of your own that Customer Insights writes to. Empty: this deployment creates one.')
@maxLength(24)
param existingSegmentsAccountName string = ''

@description('Resource group of that account. Empty: this resource group.')
param existingSegmentsResourceGroup string = ''

@description('Subscription of that account, in the same tenant. Empty: this subscription.')
@maxLength(36)
param existingSegmentsSubscriptionId string = ''

@description('Name of the Event Grid system topic that the landing account has already, in the same resource group: Azure allows one per account, and Defender for Storage creates one. Empty: this deployment creates it.')
param existingTopicName string = ''

@description('Container for the segments.')
@minLength(3)
@maxLength(63)
param segmentsContainerName string = 'segments'

@description('Create the landing account with a hierarchical namespace. Customer Insights requires one if it signs in as its service principal. Cannot be changed later.')
param segmentsHierarchicalNamespace bool = true

// ---- size and retention --------------------------------------------------------------------------

@description('Maximum number of instances of one function. Some regions refuse less than 40. All instances of a subscription in a region can have 512,000 MB together: 250 instances of 2,048 MB.')
@minValue(1)
@maxValue(250)
param maximumInstanceCount int = 40

@description('Memory of one instance in MB. 512 MB is not offered: the app needs up to 560 MB.')
@allowed([2048, 4096])
param instanceMemoryMB int = 2048

@description('HTTP requests that one instance handles at once. The platform\'s default for Python is 1, and one page loads several files.')
@minValue(1)
@maxValue(100)
param httpConcurrency int = 16

@description('Instances kept warm for HTTP. 0 costs nothing; at least 2 with zone redundancy.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttpInstances int = 0

@description('Spread plan and storage over availability zones. Azure then keeps two warm instances for the pages and for each other function, all day: see docs/cost.md. Storage cannot be changed later.')
param zoneRedundant bool = false

@description('Recreate stops running work when the app is updated; RollingUpdate lets it finish. Not every region supports RollingUpdate.')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdateStrategy string = 'Recreate'

@description('Maximum number of distinct people in one run. The temporary disk of an instance limits it: it has 0.8 GB, and a run of a million people is refused with less than 0.75 GB.')
@minValue(1)
@maxValue(1000000)
param maxProfiles int = 1000000

@description('Days that plans, chunks and outcomes are kept.')
@minValue(1)
@maxValue(365)
param retentionDays int = 30

@description('Days that deleted state blobs and secrets can be restored. Cannot be changed later for the vaults: a deployment with another value fails.')
@minValue(7)
@maxValue(90)
param softDeleteDays int = 7

@description('Days that logs are kept. The tables of Application Insights keep theirs for at least 90 days.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Maximum gigabytes of logs per day. If it is reached, no alert except app-silent can fire until the next day.')
@minValue(1)
@maxValue(100)
param logDailyCapGb int = 1

@description('When the app checks what is due, as a six-field NCRONTAB in UTC.')
param tickSchedule string = '0 */5 * * * *'

// ---- network -------------------------------------------------------------------------------------

@description('Put state and vaults behind private endpoints and deny other networks. Costs money per endpoint: see docs/cost.md.')
param privateNetworking bool = false

@description('Address range of the virtual network, /24 or larger. It must not overlap with networks that you peer it with.')
param virtualNetworkAddressPrefix string = '10.60.0.0/24'

@description('With privateNetworking: public IP addresses or ranges (203.0.113.4, 203.0.113.0/24; not /31 or /32) that may still reach state and vaults, such as that of the person who sets secrets.')
param allowedIpRanges string[] = []

@description('Whether the pages and the API can be reached from the internet (signed in). Disable it only if you have a private connection to the app.')
@allowed(['Enabled', 'Disabled'])
param appPublicNetworkAccess string = 'Enabled'

// ---- alerts and the person who sets secrets ------------------------------------------------------

@description('Resource ids of action groups that alerts go to. If this and alertEmail are empty, alerts fire, but no one is notified.')
param actionGroupIds string[] = []

@description('Address for a new action group. Empty: none is created.')
param alertEmail string = ''

@description('Share of rejected rows in a run, 0-100, above which an alert fires.')
@minValue(0)
@maxValue(100)
param rejectSharePercent int = 5

@description('Object id of the person or group who sets the client secrets in the vault. Empty: no role is assigned.')
param configWriterPrincipalId string = ''

@description('Kind of principal of the id above.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param configWriterPrincipalType string = 'User'

// ---- names ---------------------------------------------------------------------------------------

var token = uniqueString(subscription().id, resourceGroup().id, environmentName)
var allTags = union(tags, { 'azd-env-name': environmentName })
var ownLanding = empty(existingSegmentsAccountName)
var landingAccountName = ownLanding ? 'seg${token}' : existingSegmentsAccountName
var landingResourceGroup = ownLanding || empty(existingSegmentsResourceGroup) ? resourceGroup().name : existingSegmentsResourceGroup
var landingSubscriptionId = ownLanding || empty(existingSegmentsSubscriptionId) ? subscription().subscriptionId : existingSegmentsSubscriptionId
var stateAccountName = 'state${token}'
var tokenVaultName = 'tokens-${token}'
var configVaultName = 'config-${token}'
var identityName = 'id-${token}'
var insightsName = 'appi-${token}'
var eventsName = 'segments-${token}'
var topicName = empty(existingTopicName) ? eventsName : existingTopicName
var virtualNetworkName = 'vnet-${token}'
var appSubnetName = 'app'
var eventQueueName = 'blob-events'
var deadLetterContainerName = 'dead-letters'
var deploymentContainerName = 'deployment'
var outcomesContainerName = 'outcomes'

module observability 'modules/observability.bicep' = {
  params: {
    token: token
    insightsName: insightsName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  params: {
    stateAccountName: stateAccountName
    segmentsAccountName: ownLanding ? landingAccountName : ''
    eventQueueName: eventQueueName
    deadLetterContainerName: deadLetterContainerName
    deploymentContainerName: deploymentContainerName
    hierarchicalNamespace: segmentsHierarchicalNamespace
    location: location
    tags: allTags
    zoneRedundant: zoneRedundant
    privateNetworking: privateNetworking
    allowedIpRanges: allowedIpRanges
    retentionDays: retentionDays
    softDeleteDays: softDeleteDays
    workspaceId: observability.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  params: {
    names: [tokenVaultName, configVaultName]
    location: location
    tags: allTags
    softDeleteDays: softDeleteDays
    privateNetworking: privateNetworking
    allowedIpRanges: allowedIpRanges
    workspaceId: observability.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  dependsOn: [storage, vault]
  params: {
    virtualNetworkName: virtualNetworkName
    appSubnetName: appSubnetName
    token: token
    location: location
    tags: allTags
    addressPrefix: virtualNetworkAddressPrefix
    stateAccountName: stateAccountName
    tokenVaultName: tokenVaultName
    configVaultName: configVaultName
  }
}

resource existingLanding 'Microsoft.Storage/storageAccounts@2025-06-01' existing = if (!ownLanding) {
  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)
  name: landingAccountName
}

module landing 'modules/landing.bicep' = {
  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)
  dependsOn: [storage]
  params: {
    accountName: landingAccountName
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: outcomesContainerName
    topicName: topicName
    location: ownLanding ? location : existingLanding!.location
    createTopic: empty(existingTopicName)
    logAccess: ownLanding
    diagnosticsName: eventsName
    tags: allTags
    workspaceId: observability.outputs.workspaceId
  }
}

module identity 'modules/identity.bicep' = {
  params: {
    name: identityName
    location: location
    tags: allTags
  }
}

module roles 'modules/roles.bicep' = {
  dependsOn: [storage, vault]
  params: {
    stateAccountName: stateAccountName
    eventQueueName: eventQueueName
    deadLetterContainerName: deadLetterContainerName
    tokenVaultName: tokenVaultName
    configVaultName: configVaultName
    insightsName: insightsName
    landingAccountName: landingAccountName
    landingSubscriptionId: landingSubscriptionId
    landingResourceGroup: landingResourceGroup
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: outcomesContainerName
    appIdentityName: identityName
    appPrincipalId: identity.outputs.principalId
    topicName: topicName
    topicPrincipalId: landing.outputs.topicPrincipalId
    customerInsightsPrincipalId: customerInsightsPrincipalId
    configWriterPrincipalId: configWriterPrincipalId
    configWriterPrincipalType: configWriterPrincipalType
  }
}

module app 'modules/app.bicep' = {
  dependsOn: [roles, network]
  params: {
    identityName: identityName
    token: token
    location: location
    tags: allTags
    stateAccountName: stateAccountName
    deploymentContainerName: deploymentContainerName
    segmentsBlobEndpoint: landing.outputs.blobEndpoint
    segmentsContainerName: segmentsContainerName
    segmentsRoot: segmentsRoot
    tokenVaultName: tokenVaultName
    configVaultName: configVaultName
    insightsName: insightsName
    subnetId: privateNetworking ? resourceId('Microsoft.Network/virtualNetworks/subnets', virtualNetworkName, appSubnetName) : ''
    publicNetworkAccess: appPublicNetworkAccess
    entraTenantId: entraTenantId
    entraClientId: entraClientId
    allowedOrigins: allowedOrigins
    mailchimpClientId: mailchimpClientId
    mailchimpConnections: mailchimpConnections
    customerInsightsInstanceId: customerInsightsInstanceId
    customerInsightsNeedsSubscriptionKey: customerInsightsNeedsSubscriptionKey
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    httpConcurrency: httpConcurrency
    alwaysReadyHttpInstances: zoneRedundant ? max(2, alwaysReadyHttpInstances) : alwaysReadyHttpInstances
    zoneRedundant: zoneRedundant
    siteUpdateStrategy: siteUpdateStrategy
    maxProfiles: maxProfiles
    retentionDays: retentionDays
    tickSchedule: tickSchedule
  }
}

module events 'modules/events.bicep' = {
  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)
  dependsOn: [roles]
  params: {
    topicName: topicName
    subscriptionName: eventsName
    stateAccountId: storage.outputs.stateAccountId
    eventQueueName: eventQueueName
    deadLetterContainerName: deadLetterContainerName
    segmentsContainerName: segmentsContainerName
    segmentsRoot: segmentsRoot
  }
}

module alerts 'modules/alerts.bicep' = {
  dependsOn: [vault]
  params: {
    token: token
    location: location
    tags: allTags
    workspaceId: observability.outputs.workspaceId
    configVaultName: configVaultName
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

@description('Application id of the app registration that people sign in to.')
output ENTRA_CLIENT_ID string = entraClientId

@description('Vault for the client secrets, which a person sets: see docs/deploy.md.')
output CONFIG_VAULT_NAME string = configVaultName

@description('Vault in which the app keeps Mailchimp grants.')
output TOKEN_VAULT_NAME string = tokenVaultName

@description('Storage account that Customer Insights writes to.')
output SEGMENTS_ACCOUNT_NAME string = landingAccountName

@description('Container that Customer Insights writes to.')
output SEGMENTS_CONTAINER string = segmentsContainerName

@description('Storage account of the app: queues, tables, plans, ledgers.')
output STATE_ACCOUNT_NAME string = stateAccountName

@description('Log Analytics workspace with the logs.')
output LOG_WORKSPACE_NAME string = observability.outputs.workspaceName
