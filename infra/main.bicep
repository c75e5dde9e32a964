metadata name = 'Private Link Service reconciler'
metadata description = 'Everything the functions need, in one resource group; rights on what they look after; events of each subscription.'

targetScope = 'subscription'

// ---------------------------------------------------------------- where

@description('Required. Name of this deployment, such as prod: part of the names of all that is created.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Required. Region of all that is created.')
@minLength(1)
@metadata({ azd: { type: 'location' } })
param location string

@description('Optional. Name of the resource group to create or use. By default rg-pls-reconciler- and environmentName.')
param resourceGroupName string = ''

@description('Optional. Tags of all that is created.')
param tags object = {}

// ---------------------------------------------------------------- what is looked after

@description('Conditional. The clusters, each as in docs/reference/settings.md. Required unless discover or clustersBlob is given.')
param clusters array = []

@description('Conditional. AKS clusters found by tag, each as in docs/reference/settings.md. Required unless clusters or clustersBlob is given.')
param discover array = []

@description('Conditional. In place of clusters and discover: a blob with them, such as clusters/clusters.yaml, in the container clusters of the storage account that is created. Required unless clusters or discover is given.')
param clustersBlob string = ''

@description('Optional. Secrets that clusters refer to: for each NAME (capital letters, digits and _) the URI of a Key Vault secret, read by the functions as CLUSTER_SECRET_NAME.')
#disable-next-line secure-secrets-in-params // where secrets are, not what they are
param clusterSecrets object = {}

@description('What the identity is given rights on. An id is that of a resource group, or of a whole subscription (/subscriptions/GUID) where that is meant; of the single thing where said.')
type targetsType = {
  @description('Optional. Groups that Private Link Services are in, or may be put into.')
  privateLinkServices: string[]?

  @description('Optional. Groups of load balancers; on AKS the node resource groups (MC_…).')
  loadBalancers: string[]?

  @description('Optional. NAT subnets: ids of the subnets, or of groups or subscriptions.')
  natSubnets: string[]?

  @description('Optional. Groups of network security groups, route tables and NAT gateways on the NAT subnets, if other than the virtual network\'s. Used with manageSubnetPolicy.')
  subnetAttachments: string[]?

  @description('Optional. Subscriptions of which all Private Link Services are read in one list, wherever they are.')
  subscriptions: string[]?

  @description('Optional. AKS clusters: ids of the clusters; of groups or subscriptions where they are discovered by tag.')
  aksClusters: string[]?

  @description('Optional. Key vaults of clusterSecrets: ids of the vaults.')
  keyVaults: string[]?
}

@description('Optional. What the identity is given rights on; without it a person must give them (docs/deploy.md).')
param targets targetsType = {}

@description('Optional. true: only the rights that mode plan needs; nothing in Azure can be changed.')
param planOnly bool = false

@description('Optional. true: the functions set privateLinkServiceNetworkPolicies of a NAT subnet to Disabled, and get the right to write subnets. false: they report the command for a person.')
param manageSubnetPolicy bool = false

@description('Optional. Rights inside AKS clusters that use Azure RBAC for Kubernetes: read; write, where results are written back to Services; none, where infra/rbac/*.yaml gives them.')
@allowed(['none', 'read', 'write'])
param kubernetesAccess string = 'none'

@description('Optional. GUIDs of role definitions to use in place of the custom roles, by role (names of targets, and kubernetesServices), for people who may not create any. They give what they hold, whatever planOnly says.')
param roleDefinitionIds object = {}

// ---------------------------------------------------------------- events

@description('A subscription whose load balancers and Private Link Services are looked after.')
type eventSourceType = {
  @description('Required. Subscription id.')
  subscriptionId: string

  @description('Required. A resource group of that subscription for its system topic; it must exist.')
  resourceGroupName: string

  @description('Optional. System topic of that subscription that exists in the group; it needs a system-assigned identity.')
  existingSystemTopicName: string?
}

@description('Optional. Subscriptions to get events of. By default the one deployed to, with its system topic in the resource group that is created.')
param eventSources eventSourceType[] = []

@description('Optional. System topic of the subscription deployed to, where one exists: Azure allows one. It must be in eventTopicResourceGroupName and have a system-assigned identity. Used without eventSources.')
param existingSystemTopicName string = ''

@description('Conditional. Resource group of existingSystemTopicName. Required with it.')
param eventTopicResourceGroupName string = ''

@description('Optional. Id of a custom topic of Event Grid, of the schema CloudEvents 1.0, that our own events are published to (docs/events.md). By default none are.')
param publishTopicId string = ''

// ---------------------------------------------------------------- functions

@description('Optional. Python version of the functions; the package is built for it.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Optional. Memory of an instance in MB: 512, 2048 or 4096.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. The most instances of each function; Azure allows no less than 40.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. Instances that are always there, and cost while idle: [{ name: "http", instanceCount: 1 }], or function:NAME.')
param alwaysReady { name: string, instanceCount: int }[] = []

@description('Optional. HTTP requests that an instance serves at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 8

@description('Optional. When every cluster is reconciled in full (NCRONTAB, six fields, UTC).')
param resyncSchedule string = '0 */5 * * * *'

@description('Optional. When changed Services are looked for (NCRONTAB, six fields, UTC).')
param probeSchedule string = '*/30 * * * * *'

@description('Optional. Name of the queue that Event Grid fills.')
param eventsQueueName string = 'lb-events'

@description('Optional. Name of the queue of wake-ups.')
param reconcileQueueName string = 'reconcile'

@description('Limits and times of the product; what each means and its default: docs/reference/settings.md.')
type settingsType = {
  @description('Optional. `status`, `annotations` or `off`.')
  WRITE_BACK: string?

  @description('Optional. Seconds.')
  GRACE_SECONDS: string?

  @description('Optional. Seconds.')
  STUCK_SECONDS: string?

  @description('Optional. 0 to 1.')
  BRAKE_SHARE: string?

  @description('Optional. A number.')
  BRAKE_MINIMUM: string?

  @description('Optional. Days.')
  HISTORY_DAYS: string?

  @description('Optional. Seconds.')
  LEASE_SECONDS: string?

  @description('Optional. A number.')
  MAX_WRITES: string?

  @description('Optional. A number.')
  MAX_WRITES_PER_NETWORK: string?

  @description('Optional. Seconds.')
  KUBERNETES_TIMEOUT: string?

  @description('Optional. Seconds.')
  AKS_REFRESH_SECONDS: string?

  @description('Optional. Certificates in PEM.')
  ARM_CA_DATA: string?
}

@description('Optional. Settings that docs/reference/settings.md lists and no other parameter covers, as text.')
param settings settingsType = {}

@description('Optional. Azure Resource Manager of another cloud; by default that of the cloud deployed to.')
param armEndpoint string = environment().resourceManager

@description('Optional. Audience of tokens for armEndpoint, where it is not armEndpoint itself.')
param armAudience string = ''

// ---------------------------------------------------------------- network, people

@description('Optional. Subnet for the functions, where clusters have private API servers: id of a subnet of its own, delegated to Microsoft.App/environments.')
param functionSubnetId string = ''

@description('Optional. In place of functionSubnetId: address range, /27 or larger, of a virtual network to create with such a subnet, for you to peer.')
param virtualNetworkAddressPrefix string = ''

@description('Optional. Mail address that alerts go to; without it alerts are shown in the portal only.')
param alertEmail string = ''

@description('Optional. Days that logs, spans and metrics are kept.')
@minValue(30)
@maxValue(730)
param logRetentionInDays int = 30

// ---------------------------------------------------------------- resources

var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: empty(resourceGroupName) ? 'rg-pls-reconciler-${environmentName}' : resourceGroupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-pls-${token}'
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stpls${token}'
    location: location
    tags: allTags
    queues: [eventsQueueName, reconcileQueueName]
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: 'pls-${token}'
    location: location
    tags: allTags
    alertEmail: alertEmail
    retentionInDays: logRetentionInDays
  }
}

module runtimeRoles 'modules/runtime-roles.bicep' = {
  name: 'runtime-roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    storageAccountName: storage.outputs.name
    applicationInsightsName: last(split(monitoring.outputs.applicationInsightsId, '/'))
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles-${token}'
  params: {
    principalId: identity.outputs.principalId
    suffix: token
    targets: targets
    planOnly: planOnly
    manageSubnetPolicy: manageSubnetPolicy
    kubernetesAccess: kubernetesAccess
    roleDefinitionIds: roleDefinitionIds
  }
}

module network 'modules/network.bicep' = if (!empty(virtualNetworkAddressPrefix)) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-pls-${token}'
    location: location
    tags: allTags
    addressPrefix: virtualNetworkAddressPrefix
  }
}

module publishing 'modules/publishing.bicep' = if (!empty(publishTopicId)) {
  name: 'publishing'
  scope: resourceGroup(
    split(publishTopicId, '/')[?2] ?? subscription().subscriptionId,
    split(publishTopicId, '/')[?4] ?? group.name
  )
  params: {
    principalId: identity.outputs.principalId
    topicName: last(split(publishTopicId, '/'))
  }
}

var configuredClusters = empty(clustersBlob)
  ? { CLUSTERS: string(union({ clusters: clusters }, empty(discover) ? {} : { discover: discover })) }
  : { CLUSTERS_BLOB: clustersBlob }
var secretReferences = toObject(
  items(clusterSecrets),
  secret => 'CLUSTER_SECRET_${secret.key}',
  secret => '@Microsoft.KeyVault(SecretUri=${secret.value})'
)
var productSettings = {
  ARM_ENDPOINT: endsWith(armEndpoint, '/') ? take(armEndpoint, length(armEndpoint) - 1) : armEndpoint
  ARM_AUDIENCE: armAudience
  EVENTS_TOPIC_ENDPOINT: empty(publishTopicId) ? '' : publishing!.outputs.endpoint
  SUBNET_POLICY: manageSubnetPolicy ? 'disable' : 'report'
  RESYNC_SCHEDULE: resyncSchedule
  PROBE_SCHEDULE: probeSchedule
  LB_EVENTS_QUEUE: eventsQueueName
  RECONCILE_QUEUE: reconcileQueueName
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-pls-${token}'
    planName: 'plan-pls-${token}'
    location: location
    tags: allTags
    serviceName: 'reconciler'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageAccountName: storage.outputs.name
    deploymentContainerName: storage.outputs.deploymentContainerName
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    httpConcurrency: httpConcurrency
    subnetId: empty(virtualNetworkAddressPrefix) ? functionSubnetId : network!.outputs.subnetId
    settings: union(settings, secretReferences, configuredClusters, productSettings)
  }
  // The host starts as soon as there is an app, and reads its storage account and its secrets.
  dependsOn: [runtimeRoles, roles]
}

var ownEventSource = {
  subscriptionId: subscription().subscriptionId
  resourceGroupName: empty(existingSystemTopicName) ? group.name : eventTopicResourceGroupName
  existingSystemTopicName: existingSystemTopicName
}

module events 'modules/events.bicep' = [
  for source in (empty(eventSources) ? [ownEventSource] : eventSources): {
    name: 'events-${uniqueString(source.subscriptionId, token)}'
    scope: resourceGroup(source.subscriptionId, source.resourceGroupName)
    params: {
      topicName: 'egst-pls-${token}'
      existingSystemTopicName: source.?existingSystemTopicName ?? ''
      subscriptionPrefix: 'pls-${token}'
      tags: allTags
      storageSubscriptionId: subscription().subscriptionId
      storageResourceGroupName: group.name
      storageAccountName: storage.outputs.name
      queueName: eventsQueueName
      deadLetterContainerName: storage.outputs.deadLetterContainerName
    }
  }
]

// ---------------------------------------------------------------- what people and hooks ask for

@description('Resource group of all that was created.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = functionApp.outputs.name

@description('Address of the function app.')
output FUNCTION_APP_URI string = functionApp.outputs.uri

@description('Name of the storage account.')
output STORAGE_ACCOUNT_NAME string = storage.outputs.name

@description('Object id of the identity, for Kubernetes RBAC (infra/rbac).')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('Client id of the identity.')
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Id of the virtual network to peer; empty where none was created.')
output VIRTUAL_NETWORK_ID string = empty(virtualNetworkAddressPrefix) ? '' : network!.outputs.id

@description('Workspace of logs and metrics.')
output LOG_ANALYTICS_ID string = monitoring.outputs.logAnalyticsId

@description('System topics whose events are received.')
output EVENT_TOPICS array = [
  for (source, index) in (empty(eventSources) ? [ownEventSource] : eventSources): events[index].outputs.topicName
]
