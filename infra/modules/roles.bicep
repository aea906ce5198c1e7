// All role assignments of this deployment in one table: who, which role, and the resource, always on the narrowest possible scope.
// Never Owner, Contributor or User Access Administrator. Names, scopes and the number of assignments follow from what is known
// before the deployment, so that what-if and `bicep snapshot` show them; only the principal ids come from created resources.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles

@description('Storage account of the app.')
param stateAccountName string

@description('Queue for events.')
param eventQueueName string

@description('Container for undelivered events.')
param deadLetterContainerName string

@description('Vault for Mailchimp grants.')
param tokenVaultName string

@description('Vault for client secrets.')
param configVaultName string

@description('Application Insights.')
param insightsName string

@description('Landing account.')
param landingAccountName string

@description('Subscription of the landing account.')
param landingSubscriptionId string

@description('Resource group of the landing account.')
param landingResourceGroup string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Container of the outcomes for Customer Insights.')
param outcomesContainerName string

@description('Name of the app\'s identity.')
param appIdentityName string

@description('Principal id of the app\'s identity.')
param appPrincipalId string

@description('Name of the system topic.')
param topicName string

@description('Principal id of the system topic.')
param topicPrincipalId string

@description('Principal id of Customer Insights. Empty: it gets no role.')
param customerInsightsPrincipalId string

@description('Principal id of the person or group who sets the client secrets. Empty: no role.')
param configWriterPrincipalId string

@description('Kind of that principal.')
param configWriterPrincipalType 'User' | 'Group' | 'ServicePrincipal'

var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var storageBlobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
var storageBlobDelegator = 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a'
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'
var keyVaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

// Keys go into the assignments' names and are known before the deployment; ids may be known only during it.
var keys = {
  app: appIdentityName
  topic: topicName
  customerInsights: customerInsightsPrincipalId
  configWriter: configWriterPrincipalId
}
var ids = {
  app: appPrincipalId
  topic: topicPrincipalId
  customerInsights: customerInsightsPrincipalId
  configWriter: configWriterPrincipalId
}
var types = {
  app: 'ServicePrincipal'
  topic: 'ServicePrincipal'
  customerInsights: 'ServicePrincipal'
  configWriter: configWriterPrincipalType
}
var involved = concat(
  ['app', 'topic'],
  empty(customerInsightsPrincipalId) ? [] : ['customerInsights'],
  empty(configWriterPrincipalId) ? [] : ['configWriter']
)

var table = filter(
  [
    // The app: everything in its own account (leases, host keys, package, poison queues, diagnostic table), elsewhere only what it needs.
    { on: 'state', who: 'app', role: storageBlobDataOwner }
    { on: 'state', who: 'app', role: storageQueueDataContributor }
    { on: 'state', who: 'app', role: storageTableDataContributor }
    { on: 'segments', who: 'app', role: storageBlobDataReader }
    { on: 'outcomes', who: 'app', role: storageBlobDataContributor }
    { on: 'insights', who: 'app', role: monitoringMetricsPublisher }
    { on: 'tokens', who: 'app', role: keyVaultSecretsOfficer }
    { on: 'config', who: 'app', role: keyVaultSecretsUser }
    // Event Grid: one queue, one container.
    { on: 'events', who: 'topic', role: storageQueueDataMessageSender }
    { on: 'deadLetters', who: 'topic', role: storageBlobDataContributor }
    // Customer Insights: writes its container and reads the outcomes. Its documentation requires the delegator role on the
    // account if the data role is on the container only.
    { on: 'segments', who: 'customerInsights', role: storageBlobDataContributor }
    { on: 'outcomes', who: 'customerInsights', role: storageBlobDataReader }
    { on: 'landing', who: 'customerInsights', role: storageBlobDelegator }
    { on: 'config', who: 'configWriter', role: keyVaultSecretsOfficer }
  ],
  row => contains(involved, row.who)
)

resource state 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: stateAccountName

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource events 'queues' existing = {
      name: eventQueueName
    }
  }

  resource blobService 'blobServices' existing = {
    name: 'default'

    resource deadLetters 'containers' existing = {
      name: deadLetterContainerName
    }
  }
}

resource tokenVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: tokenVaultName
}

resource configVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: configVaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource onState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'state'): {
  name: guid(state.id, keys[row.who], row.role)
  scope: state
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'events'): {
  name: guid(state::queueService::events.id, keys[row.who], row.role)
  scope: state::queueService::events
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'deadLetters'): {
  name: guid(state::blobService::deadLetters.id, keys[row.who], row.role)
  scope: state::blobService::deadLetters
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onTokens 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'tokens'): {
  name: guid(tokenVault.id, keys[row.who], row.role)
  scope: tokenVault
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onConfig 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'config'): {
  name: guid(configVault.id, keys[row.who], row.role)
  scope: configVault
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'insights'): {
  name: guid(insights.id, keys[row.who], row.role)
  scope: insights
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

module onLanding 'landingRoles.bicep' = {
  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)
  params: {
    accountName: landingAccountName
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: outcomesContainerName
    table: filter(table, row => contains(['landing', 'segments', 'outcomes'], row.on))
    keys: keys
    ids: ids
    types: types
  }
}
