// The rows of the table in roles.bicep that concern the landing account, which may be in another resource group.
// It only turns rows into role assignments.
// https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template

type rowType = {
  on: string
  who: string
  role: string
}

@description('Landing account.')
param accountName string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Container of the outcomes for Customer Insights.')
param outcomesContainerName string

@description('The rows; `on` is landing, segments or outcomes.')
param table rowType[]

@description('Parts of the assignments\' names, by `who`; known before the deployment.')
param keys { *: string }

@description('Principal ids, by `who`; may be known only during the deployment.')
param ids { *: string }

@description('Kinds of principals, by `who`.')
param types { *: string }

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName

  resource blobService 'blobServices' existing = {
    name: 'default'

    resource segments 'containers' existing = {
      name: segmentsContainerName
    }

    resource outcomes 'containers' existing = {
      name: outcomesContainerName
    }
  }
}

resource onAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'landing'): {
  name: guid(account.id, keys[row.who], row.role)
  scope: account
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onSegments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'segments'): {
  name: guid(account::blobService::segments.id, keys[row.who], row.role)
  scope: account::blobService::segments
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource onOutcomes 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in filter(table, row => row.on == 'outcomes'): {
  name: guid(account::blobService::outcomes.id, keys[row.who], row.role)
  scope: account::blobService::outcomes
  properties: {
    principalId: ids[row.who]
    principalType: types[row.who]
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]
