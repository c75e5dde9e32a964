metadata description = 'A virtual network for the functions, to be peered with that of a private cluster.'

@description('Required. Name of the virtual network.')
param name string

@description('Required. Region; the same as of the function app.')
param location string

@description('Required. Tags of the virtual network.')
param tags object

@description('Required. Address range, /27 or larger; all of it goes to the one subnet.')
param addressPrefix string

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        // Flex Consumption refuses an underscore in the name.
        name: 'functions'
        properties: {
          addressPrefix: addressPrefix
          delegations: [
            {
              name: 'functions'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
    ]
  }
}

@description('Resource id of the virtual network: what to peer, and to link private DNS zones to.')
output id string = virtualNetwork.id

@description('Resource id of the delegated subnet.')
output subnetId string = virtualNetwork.properties.subnets[0].id
