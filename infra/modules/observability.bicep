// Logs: one workspace, one Application Insights on it, one workbook. No local keys: the app writes by identity.
// https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication

@description('Makes names unique within Azure.')
param token string

@description('Name of Application Insights.')
param insightsName string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Days that logs are kept.')
param retentionDays int

@description('Maximum gigabytes of logs per day.')
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, token, 'runs')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Segment exports to Mailchimp'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: loadTextContent('../workbook.json')
  }
}

output workspaceId string = workspace.id
output workspaceName string = workspace.name
