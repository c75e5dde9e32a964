metadata description = 'One role for the identity, on this resource group or one thing in it.'

@description('Required. Object id of the identity.')
param principalId string

@description('Required. GUID of the role definition.')
param roleId string

@description('Required. What the role is given on: the resource type, in lower case.')
@allowed(['resourcegroups', 'virtualnetworks', 'managedclusters', 'vaults'])
param kind string

@description('Conditional. Name of the virtual network, cluster or vault. Required unless kind is resourcegroups.')
param name string = 'none'

@description('Conditional. Name of the subnet. Required where kind is virtualnetworks.')
param childName string = 'none'

var properties = {
  principalId: principalId
  principalType: 'ServicePrincipal'
  roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
}

resource onGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'resourcegroups') {
  name: guid(resourceGroup().id, principalId, roleId)
  properties: properties
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2024-07-01' existing = {
  name: name

  resource subnet 'subnets' existing = {
    name: childName
  }
}

resource onSubnet 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'virtualnetworks') {
  name: guid(virtualNetwork::subnet.id, principalId, roleId)
  scope: virtualNetwork::subnet
  properties: properties
}

resource cluster 'Microsoft.ContainerService/managedClusters@2025-05-01' existing = {
  name: name
}

resource onCluster 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'managedclusters') {
  name: guid(cluster.id, principalId, roleId)
  scope: cluster
  properties: properties
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: name
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'vaults') {
  name: guid(vault.id, principalId, roleId)
  scope: vault
  properties: properties
}
