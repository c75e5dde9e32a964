metadata description = 'Where logs, traces and metrics go.'

@description('Required. What the names of the resources end with.')
param name string

@description('Required. Region.')
param location string

@description('Required. Tags of all that is created.')
param tags object

@description('Optional. Mail address that alerts go to.')
param alertEmail string = ''

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'pls'
    enabled: true
    emailReceivers: [{ name: 'people', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

@description('Connection string of Application Insights.')
output connectionString string = applicationInsights.properties.ConnectionString

@description('Resource id of Application Insights.')
output applicationInsightsId string = applicationInsights.id

@description('Resource id of the workspace.')
output logAnalyticsId string = workspace.id
