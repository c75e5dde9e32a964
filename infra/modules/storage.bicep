metadata description = 'The storage account: work queues, ledgers, dead letters and the deployed package. Identities only, no keys.'

@description('Required. Name of the account: 3 to 24 lower-case letters and digits.')
@minLength(3)
@maxLength(24)
param name string

@description('Required. Region.')
param location string

@description('Required. Tags of the account.')
param tags object

@description('Required. Queues; each gets its poison queue beside it.')
param queues string[]

// What reconciler/adapters/tables.py reads and writes; it would create them, too.
var tables = ['ownership', 'sharing', 'history', 'leases', 'clusters']

var deploymentContainerName = 'deployments'
var deadLetterContainerName = 'event-dead-letters'
// Of CLUSTERS_BLOB, where the clusters are too many for a setting.
var clustersContainerName = 'clusters'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    // Event Grid delivers from the public side, and the functions come from addresses that nobody knows.
    networkAcls: { defaultAction: 'Allow', bypass: 'AzureServices' }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for container in [deploymentContainerName, deadLetterContainerName, clustersContainerName]: {
    parent: blobService
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource workQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for queue in queues: {
    parent: queueService
    name: queue
  }
]

resource poisonQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for queue in queues: {
    parent: queueService
    name: '${queue}-poison'
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource ledgers 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [
  for table in tables: {
    parent: tableService
    name: table
  }
]

@description('Name of the account.')
output name string = account.name

@description('Container that the functions are deployed to.')
output deploymentContainerName string = deploymentContainerName

@description('Container of events that could not be delivered.')
output deadLetterContainerName string = deadLetterContainerName
