// Two vaults for two kinds of rights: the app writes Mailchimp grants into one, and only reads client secrets from the other.
// This template contains no secret; a person stores the client secrets afterwards (docs/deploy.md).
// https://learn.microsoft.com/azure/key-vault/general/rbac-guide

@description('Names: of the vault for grants, then of the one for client secrets.')
@minLength(2)
@maxLength(2)
param names string[]

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Days that a deleted secret can be restored.')
param softDeleteDays int

@description('Refuse callers from outside the network.')
param privateNetworking bool

@description('Public addresses that still have access.')
param allowedIpRanges string[]

@description('Where diagnostics go.')
param workspaceId string

resource vaults 'Microsoft.KeyVault/vaults@2026-02-01' = [for name in names: {
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
      ipRules: [for range in allowedIpRanges: { value: range }]
    }
  }
}]

// The stable version, of 2016, knows no destination tables; every newer client uses this one.
#disable-next-line use-recent-api-versions
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = [for (name, i) in names: {
  name: 'to-workspace'
  scope: vaults[i]
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}]
