// The containers of the landing account, the topic that reports new files, and diagnostics, in the resource group of the account.
// The account is created by modules/storage.bicep or is the customer's own. Only the first kind is logged.
// https://learn.microsoft.com/azure/event-grid/system-topics

@description('Name of the landing account.')
param accountName string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Container of the outcomes for Customer Insights.')
param outcomesContainerName string

@description('Name of the system topic.')
param topicName string

@description('Region of the account: its topic must be there.')
param location string

@description('Create the topic. Otherwise it exists and has a system-assigned identity.')
param createTopic bool

@description('Log the access to the account. Not for an account of the customer: the setting covers all containers, so that other programs could use up the daily cap.')
param logAccess bool

@description('Name of the diagnostic settings: other deployments and people may have their own on the account and the topic.')
param diagnosticsName string

@description('Tags.')
param tags { *: string }

@description('Where diagnostics go.')
param workspaceId string

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource segmentsContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: segmentsContainerName
  properties: { publicAccess: 'None' }
}

resource outcomesContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: outcomesContainerName
  properties: { publicAccess: 'None' }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (createTopic) {
  name: topicName
  location: location
  tags: tags
  // System-assigned, because a user-assigned identity cannot deliver to storage behind a firewall.
  identity: { type: 'SystemAssigned' }
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource existingTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (!createTopic) {
  name: topicName
}

// The stable version, of 2016, knows no destination tables; every newer client uses this one.
#disable-next-line use-recent-api-versions
resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (logAccess) {
  name: diagnosticsName
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

// The stable version, of 2016, knows no destination tables; every newer client uses this one.
#disable-next-line use-recent-api-versions
resource topicDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (createTopic) {
  name: diagnosticsName
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'DeliveryFailures', enabled: true }]
  }
}

output blobEndpoint string = account.properties.primaryEndpoints.blob
output topicPrincipalId string = createTopic ? topic!.identity.principalId : existingTopic!.identity.principalId
