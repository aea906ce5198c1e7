// A new model.json becomes a message in the queue `blob-events`. No webhook, no key: the topic writes by its own identity.
// Deployed after modules/roles.bicep, because a subscription whose topic may not write is refused.
// https://learn.microsoft.com/azure/event-grid/handler-storage-queues

@description('System topic of the landing account.')
param topicName string

@description('Name of the event subscription: several deployments may use one topic.')
param subscriptionName string

@description('Account of the queue and of the dead letters.')
param stateAccountId string

@description('Queue for events.')
param eventQueueName string

@description('Container for events that could not be delivered.')
param deadLetterContainerName string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Prefix that holds model.json.')
param segmentsRoot string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: subscriptionName
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: stateAccountId
          queueName: eventQueueName
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated', 'Microsoft.Storage.BlobRenamed']
      subjectBeginsWith: '/blobServices/default/containers/${segmentsContainerName}/blobs/${segmentsRoot}'
      isSubjectCaseSensitive: false
      advancedFilters: [
        {
          // With a hierarchical namespace CreateFile is an empty file: only these mean that data is there.
          operatorType: 'StringIn'
          key: 'data.api'
          values: [
            'PutBlob'
            'PutBlobFromURL'
            'PutBlockList'
            'CopyBlob'
            'CopyBlobFromURL'
            'FlushWithClose'
            'SftpCommit'
            'RenameFile'
            'SftpRename'
          ]
        }
        {
          operatorType: 'StringEndsWith'
          key: 'subject'
          values: ['model.json', '.manifest.cdm.json']
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: stateAccountId
          blobContainerName: deadLetterContainerName
        }
      }
    }
  }
}
