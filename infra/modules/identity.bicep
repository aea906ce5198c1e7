// The identity of the app. It is created before the app, so that its roles are effective at the first start.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity

@description('Name of the identity.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

output principalId string = identity.properties.principalId
