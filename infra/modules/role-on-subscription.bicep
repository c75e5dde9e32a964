metadata description = 'One role for the identity, on a subscription.'

targetScope = 'subscription'

@description('Required. Object id of the identity.')
param principalId string

@description('Required. GUID of the role definition.')
param roleId string

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, roleId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
  }
}
