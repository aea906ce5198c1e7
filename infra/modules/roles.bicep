// Who may do what: one table, every right in this deployment, each on the narrowest thing that works.
// Never Owner, Contributor or User Access Administrator. tests/infra holds the list of roles that may appear.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles

@description('Account of the app.')
param stateAccountName string

@description('Queue for events.')
param eventQueueName string

@description('Container for undelivered events.')
param deadLetterContainerName string

@description('Vault for grants.')
param tokenVaultName string

@description('Vault for client secrets.')
param configVaultName string

@description('Application Insights.')
param insightsName string

@description('Landing account.')
param landingAccountName string

@description('Resource group of the landing account.')
param landingResourceGroup string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Container that outcomes are handed back in.')
param outcomesContainerName string

@description('Identity of the app.')
param appPrincipalId string

@description('Identity of the system topic.')
param topicPrincipalId string

@description('Customer Insights. Empty: no role.')
param customerInsightsPrincipalId string

@description('Who puts secrets in. Empty: no role.')
param secretsOfficerPrincipalId string

@description('User, Group or ServicePrincipal.')
param secretsOfficerPrincipalType string

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

var table = [
  // the app: its own account whole (leases, host keys, package, poison queues, diagnostic table), and no more than that
  { on: 'state', who: appPrincipalId, type: 'ServicePrincipal', role: storageBlobDataOwner }
  { on: 'state', who: appPrincipalId, type: 'ServicePrincipal', role: storageQueueDataContributor }
  { on: 'state', who: appPrincipalId, type: 'ServicePrincipal', role: storageTableDataContributor }
  { on: 'segments', who: appPrincipalId, type: 'ServicePrincipal', role: storageBlobDataReader }
  { on: 'outcomes', who: appPrincipalId, type: 'ServicePrincipal', role: storageBlobDataContributor }
  { on: 'insights', who: appPrincipalId, type: 'ServicePrincipal', role: monitoringMetricsPublisher }
  { on: 'tokens', who: appPrincipalId, type: 'ServicePrincipal', role: keyVaultSecretsOfficer }
  { on: 'config', who: appPrincipalId, type: 'ServicePrincipal', role: keyVaultSecretsUser }
  // Event Grid: one queue, one container
  { on: 'events', who: topicPrincipalId, type: 'ServicePrincipal', role: storageQueueDataMessageSender }
  { on: 'deadLetters', who: topicPrincipalId, type: 'ServicePrincipal', role: storageBlobDataContributor }
  // Customer Insights: writes its container, reads the outcomes; the delegator role is what its documentation
  // asks for on the account when the data role is on the container only
  { on: 'segments', who: customerInsightsPrincipalId, type: 'ServicePrincipal', role: storageBlobDataContributor }
  { on: 'outcomes', who: customerInsightsPrincipalId, type: 'ServicePrincipal', role: storageBlobDataReader }
  { on: 'landing', who: customerInsightsPrincipalId, type: 'ServicePrincipal', role: storageBlobDelegator }
  // a person or group, only where named
  { on: 'config', who: secretsOfficerPrincipalId, type: secretsOfficerPrincipalType, role: keyVaultSecretsOfficer }
]
var given = filter(table, row => !empty(row.who))

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

resource tokenVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: tokenVaultName
}

resource configVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: configVaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource onState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'state'): {
  name: guid(state.id, row.who, row.role)
  scope: state
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'events'): {
  name: guid(state::queueService::events.id, row.who, row.role)
  scope: state::queueService::events
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'deadLetters'): {
  name: guid(state::blobService::deadLetters.id, row.who, row.role)
  scope: state::blobService::deadLetters
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onTokens 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'tokens'): {
  name: guid(tokenVault.id, row.who, row.role)
  scope: tokenVault
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onConfig 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'config'): {
  name: guid(configVault.id, row.who, row.role)
  scope: configVault
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(given, row => row.on == 'insights'): {
  name: guid(insights.id, row.who, row.role)
  scope: insights
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

module onLanding 'landingRoles.bicep' = {
  name: 'landing-roles'
  scope: resourceGroup(landingResourceGroup)
  params: {
    accountName: landingAccountName
    segmentsContainerName: segmentsContainerName
    outcomesContainerName: outcomesContainerName
    onAccount: filter(given, row => row.on == 'landing')
    onSegments: filter(given, row => row.on == 'segments')
    onOutcomes: filter(given, row => row.on == 'outcomes')
  }
}
