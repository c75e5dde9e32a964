metadata description = 'The topic that our own events are published to: its endpoint, and the right to send.'

@description('Required. Object id of the identity.')
param principalId string

@description('Required. Name of the custom topic.')
param topicName string

// Built-in role.
var eventGridDataSender = 'd5a91429-5739-47e2-a06b-3470a27159e7'

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, principalId, eventGridDataSender)
  scope: topic
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventGridDataSender)
  }
}

@description('Endpoint that events are published to.')
output endpoint string = topic.properties.endpoint
