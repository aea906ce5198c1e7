// Optional: a network for the app to send from, and private endpoints for its state and its vaults.
// The landing account keeps its public door (identity only), because Customer Insights writes from Microsoft's side.
// https://learn.microsoft.com/azure/azure-functions/functions-networking-options

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Account of the app.')
param stateAccountId string

@description('Vault for grants.')
param tokenVaultId string

@description('Vault for client secrets.')
param configVaultId string

var storageSuffix = environment().suffixes.storage
var zones = [
  'privatelink.blob.${storageSuffix}'
  'privatelink.queue.${storageSuffix}'
  'privatelink.table.${storageSuffix}'
  'privatelink.vaultcore.azure.net'
]
var endpoints = [
  { name: 'state-blob', target: stateAccountId, group: 'blob', zone: 0 }
  { name: 'state-queue', target: stateAccountId, group: 'queue', zone: 1 }
  { name: 'state-table', target: stateAccountId, group: 'table', zone: 2 }
  { name: 'tokens', target: tokenVaultId, group: 'vault', zone: 3 }
  { name: 'config', target: configVaultId, group: 'vault', zone: 3 }
]

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.60.0.0/24'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.60.0.0/26'
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.60.0.64/27'
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = {
    name: 'app'
  }

  resource endpointSubnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource dns 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in zones: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, i) in zones: {
  parent: dns[i]
  name: 'vnet-${token}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: virtualNetwork.id }
  }
}]

resource doors 'Microsoft.Network/privateEndpoints@2025-05-01' = [for endpoint in endpoints: {
  name: 'pe-${endpoint.name}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: { id: virtualNetwork::endpointSubnet.id }
    privateLinkServiceConnections: [
      {
        name: endpoint.name
        properties: {
          privateLinkServiceId: endpoint.target
          groupIds: [endpoint.group]
        }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (endpoint, i) in endpoints: {
  parent: doors[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: endpoint.name
        properties: { privateDnsZoneId: dns[endpoint.zone].id }
      }
    ]
  }
}]

output appSubnetId string = virtualNetwork::appSubnet.id
