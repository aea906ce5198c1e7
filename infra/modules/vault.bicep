// Two vaults, because two kinds of rights: the app writes Mailchimp grants into one, and only reads client secrets from the other.
// No secret value passes through this template: a person puts the client secrets in afterwards (docs/deploy.md).
// https://learn.microsoft.com/azure/key-vault/general/rbac-guide

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Days that a deleted secret can be brought back.')
param softDeleteDays int

@description('Refuse callers from outside the network.')
param privateNetworking bool

@description('Where diagnostics go.')
param workspaceId string

var names = ['tokens-${token}', 'config-${token}']

resource vaults 'Microsoft.KeyVault/vaults@2024-11-01' = [for name in names: {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: softDeleteDays
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetworking ? 'Deny' : 'Allow'
    }
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = [for (name, i) in names: {
  name: 'to-workspace'
  scope: vaults[i]
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}]

output tokenVaultId string = vaults[0].id
output tokenVaultName string = vaults[0].name
output tokenVaultUri string = vaults[0].properties.vaultUri
output configVaultId string = vaults[1].id
output configVaultName string = vaults[1].name
output configVaultUri string = vaults[1].properties.vaultUri
