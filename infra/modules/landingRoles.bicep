// The rows of the table in roles.bicep that concern the landing account, which may live in another resource group.
// It decides nothing: rows come in, role assignments go out.
// https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template

@description('Landing account.')
param accountName string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Container that outcomes are handed back in.')
param outcomesContainerName string

@description('Rows {who, type, role} on the account.')
param onAccount array

@description('Rows on the segments container.')
param onSegments array

@description('Rows on the outcomes container.')
param onOutcomes array

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

resource accountRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in onAccount: {
  name: guid(account.id, row.who, row.role)
  scope: account
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource segmentsRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in onSegments: {
  name: guid(account::blobService::segments.id, row.who, row.role)
  scope: account::blobService::segments
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]

resource outcomesRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for row in onOutcomes: {
  name: guid(account::blobService::outcomes.id, row.who, row.role)
  scope: account::blobService::outcomes
  properties: {
    principalId: row.who
    principalType: row.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.role)
  }
}]
