metadata description = 'The function app on a Flex Consumption plan of its own, and its settings.'

@description('Required. Name of the function app.')
param name string

@description('Required. Name of the plan.')
param planName string

@description('Required. Region.')
param location string

@description('Required. Tags of plan and app.')
param tags object

@description('Required. Value of the tag azd-service-name, by which azd finds the app.')
param serviceName string

@description('Required. Resource id of the identity.')
param identityId string

@description('Required. Client id of the identity.')
param identityClientId string

@description('Required. Name of the storage account.')
param storageAccountName string

@description('Required. Container that the functions are deployed to.')
param deploymentContainerName string

@description('Required. Connection string of Application Insights; it names the place and holds no key that would open it.')
param applicationInsightsConnectionString string

@description('Required. Python version.')
param pythonVersion string

@description('Required. Memory of an instance in MB.')
param instanceMemoryMB int

@description('Required. The most instances.')
param maximumInstanceCount int

@description('Required. Instances that are always there: name and instanceCount of each.')
param alwaysReady { name: string, instanceCount: int }[]

@description('Required. HTTP requests that an instance serves at once.')
param httpConcurrency int

@description('Optional. Resource id of a subnet delegated to Microsoft.App/environments.')
param subnetId string = ''

@description('Required. Settings of the product, by name.')
param settings object

// As reconciler/settings.py reads them. With an identity of its own the Functions host wants all of these.
var storageSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: 'https://${storageAccountName}.blob.${environment().suffixes.storage}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageAccountName}.queue.${environment().suffixes.storage}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageAccountName}.table.${environment().suffixes.storage}'
}

var platformSettings = {
  AZURE_CLIENT_ID: identityClientId
  AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  // Whole traces, as the host decided; by default each span is drawn for itself.
  OTEL_TRACES_SAMPLER: 'parentbased_always_on'
  // Each call of the outside once: ours, with the names that the workbook asks for.
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,requests,urllib,urllib3'
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      runtime: { name: 'python', version: pythonVersion }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${storageAccountName}.blob.${environment().suffixes.storage}/${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, storageSettings, platformSettings)
  }

  // Publishing with a password is off; azd and az publish with a token. There is no FTP on this plan.
  resource noPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
    // One after the other: two changes of a site at once can end in a conflict.
    dependsOn: [appSettings]
  }
}

@description('Name of the function app.')
output name string = app.name

@description('Address of the function app.')
output uri string = 'https://${app.properties.defaultHostName}'
