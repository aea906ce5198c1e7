// Two storage accounts: `state` is the app's own, `segments` is where Customer Insights writes.
// No shared keys, no public blobs. Every container, queue and table of the app is declared here, once; the code creates none.
// https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent

@description('Name of the account for queues, tables, plans, ledgers and the deployment package.')
param stateAccountName string

@description('Name of the landing account. Empty: the customer has one already.')
param segmentsAccountName string

@description('Queue for events.')
param eventQueueName string

@description('Container for undelivered events.')
param deadLetterContainerName string

@description('Container of the deployment package.')
param deploymentContainerName string

@description('Hierarchical namespace on the landing account.')
param hierarchicalNamespace bool

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Copies in three zones instead of one.')
param zoneRedundant bool

@description('Refuse callers from outside the network on the state account.')
param privateNetworking bool

@description('Public addresses that still have access.')
param allowedIpRanges string[]

@description('Days that the app keeps plans, chunks and outcomes.')
param retentionDays int

@description('Days that deleted state blobs can be restored.')
param softDeleteDays int

@description('Where diagnostics go.')
param workspaceId string

var sku = zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
var workQueues = ['plan-runs', 'send-lanes', 'consent-sweeps', eventQueueName]
var poisonQueues = map(workQueues, queue => '${queue}-poison')
var stateContainers = ['state', 'leases', deploymentContainerName, deadLetterContainerName]
var stateTables = [
  'activeruns'
  'audit'
  'chunks'
  'connections'
  'consentrequests'
  'consentsweeps'
  'consenttables'
  'consentwebhooks'
  'dues'
  'erasures'
  'exports'
  'held'
  'ledgers'
  'paces'
  'refreshes'
  'runs'
  'schedules'
  'sequences'
  'signins'
  'slots'
  'tagowners'
  'ticks'
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
      // Event Grid delivers to the queue from outside the network; the bypass admits only Azure's own services.
      bypass: 'AzureServices'
      defaultAction: privateNetworking ? 'Deny' : 'Allow'
      ipRules: [for range in allowedIpRanges: { value: range, action: 'Allow' }]
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
      // Deletes files a week after the app's own retention, in case the app did not. It never applies to ledgers and audiences,
      // which are current while their export exists; the app deletes them with it.
      rules: [
        {
          name: 'delete-old-runs'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['state/runs/', '${deadLetterContainerName}/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retentionDays + 7 } } }
          }
        }
      ]
    }
  }
}

// Soft delete stays off: exports of Customer Insights fail on an account that has it (docs/decisions/0033).
// No lifecycle rule: it could not distinguish current from superseded files, and would delete the segments of an export
// without a refresh for some time.
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
    // Customer Insights writes from Microsoft's network, not from the customer's: so identity protects it and not the address.
    publicNetworkAccess: 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow' }
  }
}

// The stable version, of 2016, knows no destination tables; every newer client uses this one.
#disable-next-line use-recent-api-versions
resource stateDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: stateBlobs
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output stateAccountId string = state.id
