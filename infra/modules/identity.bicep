// The one identity of the app. It exists before the app does, so that its roles are in place at the first start.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${token}'
  location: location
  tags: tags
}

output name string = identity.name
output principalId string = identity.properties.principalId
