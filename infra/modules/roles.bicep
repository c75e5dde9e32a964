metadata description = 'What the identity may do with the things it looks after: one custom role for each kind, given on each target.'

targetScope = 'subscription'

@description('Required. Object id of the identity.')
param principalId string

@description('Required. Tells the custom roles of several deployments in one tenant apart.')
param suffix string

@description('Required. For each role of roles.json, the ids of the things it is given on.')
param targets object

@description('Required. Whether only what mode plan needs is given.')
param planOnly bool

@description('Required. Whether subnets may be changed.')
param manageSubnetPolicy bool

@description('Required. What is given through Azure RBAC for Kubernetes: none, read or write.')
@allowed(['none', 'read', 'write'])
param kubernetesAccess string

@description('Optional. GUIDs of role definitions that are there already, by the names of roles.json; they stand in for the custom roles.')
param roleDefinitionIds object = {}

var kubernetesRoles = {
  none: []
  read: loadJsonContent('../rbac/azure-services-read.json').DataActions
  write: concat(
    loadJsonContent('../rbac/azure-services-read.json').DataActions,
    loadJsonContent('../rbac/azure-services-write.json').DataActions
  )
}
var catalogue = union(loadJsonContent('../roles.json'), {
  kubernetesServices: {
    description: 'Services of clusters that use Azure RBAC for Kubernetes.'
    dataActions: kubernetesRoles[kubernetesAccess]
  }
})
// any(): not every role has every key.
var roles = map(items(any(catalogue)), entry => {
  key: entry.key
  description: entry.value.?description ?? ''
  actions: concat(
    entry.value.?read ?? [],
    planOnly ? [] : (entry.value.?write ?? []),
    manageSubnetPolicy && !planOnly ? (entry.value.?subnetPolicy ?? []) : []
  )
  dataActions: entry.value.?dataActions ?? []
  id: roleDefinitionIds[?entry.key] ?? (entry.value.?builtIn ?? guid(subscription().id, suffix, entry.key))
  builtIn: contains(entry.value, 'builtIn')
  custom: !contains(roleDefinitionIds, entry.key) && !contains(entry.value, 'builtIn')
})

// What hangs on a subnet is looked for beside its virtual network, too. In lower case: a group that is written in two ways
// would get its role twice, which Azure refuses.
var subnetGroups = map(
  filter(targets.?natSubnets ?? [], id => length(split(id, '/')) > 4),
  id => toLower('/subscriptions/${split(id, '/')[2]}/resourceGroups/${split(id, '/')[4]}')
)
var allTargets = union(targets, {
  subnetAttachments: union(subnetGroups, map(targets.?subnetAttachments ?? [], id => toLower(id)))
  kubernetesServices: targets.?aksClusters ?? []
})
var grants = flatten(map(
  filter(roles, role => role.builtIn || !empty(concat(role.actions, role.dataActions))),
  role => map(allTargets[?role.key] ?? [], id => { role: role.key, roleId: role.id, id: id, path: split(id, '/') })
))
var grantedRoles = map(grants, grant => grant.role)
var customRoles = filter(roles, role => role.custom && contains(grantedRoles, role.key))
var subscriptionIds = union([toLower(subscription().subscriptionId)], map(grants, grant => toLower(grant.path[2])))

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in customRoles: {
    name: role.id
    properties: {
      roleName: 'Private Link Service reconciler ${suffix}: ${role.key}'
      description: role.description
      type: 'CustomRole'
      permissions: [{ actions: role.actions, notActions: [], dataActions: role.dataActions, notDataActions: [] }]
      assignableScopes: map(subscriptionIds, id => '/subscriptions/${id}')
    }
  }
]

module onSubscriptions 'role-on-subscription.bicep' = [
  for grant in filter(grants, item => length(item.path) == 3): {
    name: 'grant-${uniqueString(grant.role, grant.id, suffix)}'
    scope: subscription(grant.path[2])
    params: {
      principalId: principalId
      roleId: grant.roleId
    }
    dependsOn: [definitions]
  }
]

module onResources 'role-on-resource.bicep' = [
  for grant in filter(grants, item => length(item.path) > 3): {
    name: 'grant-${uniqueString(grant.role, grant.id, suffix)}'
    scope: resourceGroup(grant.path[2], grant.path[4])
    params: {
      principalId: principalId
      roleId: grant.roleId
      // any(): to the compiler, toLower gives just any text, and the module takes four.
      kind: any(toLower(grant.path[?7] ?? 'resourceGroups'))
      name: grant.path[?8] ?? 'none'
      childName: grant.path[?10] ?? 'none'
    }
    dependsOn: [definitions]
  }
]
