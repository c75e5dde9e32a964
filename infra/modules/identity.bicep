metadata description = 'The identity that the functions act as, everywhere: storage, Azure, clusters, telemetry.'

@description('Required. Name of the identity.')
param name string

@description('Required. Region.')
param location string

@description('Required. Tags of the identity.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, for whoever wears the identity.')
output id string = identity.id

@description('Object id, for role assignments and for Kubernetes RBAC.')
output principalId string = identity.properties.principalId

@description('Client id, for settings.')
output clientId string = identity.properties.clientId
