metadata description = 'Log Analytics, Application Insights with local auth off, alerts and a workbook. Names of metrics and spans are those of reconciler/telemetry.py.'

@description('Required. What names begin with.')
@maxLength(40)
param name string

@description('Required. Region.')
param location string

@description('Required. Tags of all of it.')
param tags object

@description('Optional. Mail address that alerts go to; without it they are shown in the portal only.')
param alertEmail string = ''

@description('Optional. Days that logs, spans and metrics are kept.')
@minValue(30)
@maxValue(730)
param retentionInDays int = 30

// Each with a section of its name in docs/operations.md, Alerts.
var alerts = loadJsonContent('../alerts.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionInDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    IngestionMode: 'LogAnalytics'
    WorkspaceResourceId: workspace.id
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-${name}'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: 'pls'
    enabled: true
    emailReceivers: [
      {
        name: 'people'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: 'alert-${name}-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Private Link Services: ${alert.title}'
    description: '${alert.means} What to do: docs/operations.md, Alerts, "${alert.title}".'
    severity: alert.severity
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: alert.window
    criteria: {
      allOf: [
        {
          query: join(alert.query, '\n')
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: map(alert.dimensions, dimension => {
            name: dimension
            operator: 'Include'
            values: ['*']
          })
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // A workspace that nothing was sent to yet knows no columns.
    skipQueryValidation: true
    actions: {
      actionGroups: empty(alertEmail) ? [] : [people.id]
    }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Private Link Services'
    category: 'workbook'
    sourceId: workspace.id
    version: 'Notebook/1.0'
    serializedData: replace(loadTextContent('../workbook.json'), '{workspaceId}', workspace.id)
  }
}

@description('Connection string of Application Insights. Who sends needs the role Monitoring Metrics Publisher besides.')
output connectionString string = applicationInsights.properties.ConnectionString

@description('Id of Application Insights.')
output applicationInsightsId string = applicationInsights.id

@description('Id of the Log Analytics workspace.')
output logAnalyticsId string = workspace.id
