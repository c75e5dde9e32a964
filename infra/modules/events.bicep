metadata description = 'Events of one subscription, delivered to the queue with the identity of the subscription\'s system topic.'

@description('Required. Name of the system topic to create.')
param topicName string

@description('Optional. A system topic of this subscription that is there already, in this resource group and with a system-assigned identity. Azure allows one for each source.')
param existingSystemTopicName string = ''

@description('Required. What the names of the event subscriptions begin with.')
param subscriptionPrefix string

@description('Required. Tags of the system topic.')
param tags object

@description('Required. Subscription id of the storage account.')
param storageSubscriptionId string

@description('Required. Resource group of the storage account.')
param storageResourceGroupName string

@description('Required. Name of the storage account.')
param storageAccountName string

@description('Required. Queue that events are delivered to.')
param queueName string

@description('Required. Container of events that could not be delivered.')
param deadLetterContainerName string

// Exactly what wakes a cluster (reconciler/events.py): nothing less would do, and the rest would be dropped.
var subscriptions = [
  {
    name: 'changes'
    eventTypes: ['Microsoft.Resources.ResourceWriteSuccess', 'Microsoft.Resources.ResourceDeleteSuccess']
    operations: [
      'Microsoft.Network/loadBalancers/write'
      'Microsoft.Network/loadBalancers/delete'
      'Microsoft.Network/privateLinkServices/write'
      'Microsoft.Network/privateLinkServices/delete'
      'Microsoft.Network/privateLinkServices/privateEndpointConnections/write'
      'Microsoft.Network/privateLinkServices/privateEndpointConnections/delete'
      'Microsoft.Resources/tags/write'
      'Microsoft.Resources/tags/delete'
    ]
    // A tag operation is about any kind of resource; the subject says which.
    subjects: ['/providers/Microsoft.Network/loadBalancers/', '/providers/Microsoft.Network/privateLinkServices/']
  }
  {
    name: 'failed-deletes'
    eventTypes: ['Microsoft.Resources.ResourceDeleteFailure']
    operations: ['Microsoft.Network/loadBalancers/delete']
    subjects: ['/providers/Microsoft.Network/loadBalancers/']
  }
]

var name = empty(existingSystemTopicName) ? topicName : existingSystemTopicName
var storageAccountId = resourceId(
  storageSubscriptionId,
  storageResourceGroupName,
  'Microsoft.Storage/storageAccounts',
  storageAccountName
)

resource created 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingSystemTopicName)) {
  name: topicName
  location: 'global'
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

module roles 'event-roles.bicep' = {
  name: 'event-roles-${uniqueString(subscription().id, name)}'
  scope: resourceGroup(storageSubscriptionId, storageResourceGroupName)
  params: {
    principalId: topic.identity.principalId
    storageAccountName: storageAccountName
    queueName: queueName
    deadLetterContainerName: deadLetterContainerName
  }
  dependsOn: [created]
}

// Event Grid tries the identity when a subscription is made: not before it may deliver.
resource eventSubscriptions 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for item in subscriptions: {
    parent: topic
    name: '${subscriptionPrefix}-${item.name}'
    properties: {
      eventDeliverySchema: 'EventGridSchema'
      deliveryWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        destination: {
          endpointType: 'StorageQueue'
          properties: {
            resourceId: storageAccountId
            queueName: queueName
            // Older than a day says nothing that the full passes have not seen.
            queueMessageTimeToLiveInSeconds: 86400
          }
        }
      }
      deadLetterWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: {
            resourceId: storageAccountId
            blobContainerName: deadLetterContainerName
          }
        }
      }
      filter: {
        includedEventTypes: item.eventTypes
        enableAdvancedFilteringOnArrays: true
        advancedFilters: [
          { operatorType: 'StringIn', key: 'data.operationName', values: item.operations }
          { operatorType: 'StringContains', key: 'subject', values: item.subjects }
        ]
      }
      retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    }
    dependsOn: [roles]
  }
]

@description('Name of the system topic.')
output topicName string = name
