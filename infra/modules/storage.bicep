// Two storage accounts with two owners: `state` is the app's own, `segments` is where Customer Insights writes.
// No shared keys, no public blobs. Every container, queue and table is declared here, once; the code makes none.
// https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent

@description('Name of the account for queues, tables, plans, ledgers and the deployment package.')
param stateAccountName string

@description('Name of the landing account. Empty: the customer has one already.')
param segmentsAccountName string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Hierarchical namespace on the landing account.')
param hierarchicalNamespace bool

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Copies in three zones instead of one.')
param zoneRedundant bool

@description('Refuse callers from outside the network on the state account.')
param privateNetworking bool

@description('Days that plans, chunks, outcomes and old segment files are kept.')
param retentionDays int

@description('Days that a ledger lives after it was last written.')
param ledgerRetentionDays int

@description('Days that deleted state blobs can be brought back.')
param softDeleteDays int

@description('Where diagnostics go.')
param workspaceId string

var sku = zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
var deploymentContainer = 'deployment'
var deadLetterContainer = 'dead-letters'
var eventQueue = 'blob-events'
var workQueues = ['plan-runs', 'send-lanes', eventQueue]
var poisonQueues = map(workQueues, queue => '${queue}-poison')
var stateContainers = ['state', 'leases', deploymentContainer, deadLetterContainer]
var stateTables = [
  'activeruns'
  'audit'
  'chunks'
  'connections'
  'dues'
  'erasures'
  'exports'
  'held'
  'ledgers'
  'paces'
  'refreshes'
  'rowcounts'
  'runs'
  'schedules'
  'signins'
  'slots'
  'tagowners'
  'ticks'
  'turns'
  'usednonces'
]
var ownLanding = !empty(segmentsAccountName)

resource state 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: stateAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      // Event Grid delivers to the queue from outside the network: the bypass lets only Azure's own services past.
      bypass: 'AzureServices'
      defaultAction: privateNetworking ? 'Deny' : 'Allow'
    }
  }
}

resource stateBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: state
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [for name in stateContainers: {
  parent: stateBlobs
  name: name
  properties: { publicAccess: 'None' }
}]

resource stateQueues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: state
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [for name in concat(workQueues, poisonQueues): {
  parent: stateQueues
  name: name
}]

resource stateTableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: state
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [for name in stateTables: {
  parent: stateTableService
  name: name
}]

resource stateLifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: state
  name: 'default'
  dependsOn: [containers]
  properties: {
    policy: {
      rules: [
        {
          name: 'forget-runs'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['state/runs/', '${deadLetterContainer}/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retentionDays } } }
          }
        }
        {
          name: 'forget-ledgers-of-dead-exports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['state/ledgers/', 'state/audiences/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: ledgerRetentionDays } } }
          }
        }
      ]
    }
  }
}

resource segments 'Microsoft.Storage/storageAccounts@2025-06-01' = if (ownLanding) {
  name: ownLanding ? segmentsAccountName : 'unused'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    isHnsEnabled: hierarchicalNamespace
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Customer Insights writes from Microsoft's network, not from the customer's: the door is identity, not address.
    publicNetworkAccess: 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow' }
  }
}

// Soft delete stays off here: Customer Insights' exports fail on an account that has it (docs/decisions/0033).
resource segmentsLifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = if (ownLanding) {
  parent: segments
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'forget-segment-files'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${segmentsContainerName}/', 'outcomes/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retentionDays } } }
          }
        }
      ]
    }
  }
}

resource stateDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: stateBlobs
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageDelete', enabled: true }]
  }
}

output stateAccountId string = state.id
output stateAccountName string = state.name
output deploymentContainerName string = deploymentContainer
output deadLetterContainerName string = deadLetterContainer
output eventQueueName string = eventQueue
