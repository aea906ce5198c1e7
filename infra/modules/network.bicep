// Optional: a network for the app to send from, and private endpoints for its state and its vaults.
// The landing account keeps its public endpoint (identity only), because Customer Insights writes from Microsoft's network.
// The delegation needs the resource provider Microsoft.App registered in the subscription (docs/deploy.md).
// https://learn.microsoft.com/azure/azure-functions/functions-networking-options

@description('Makes names unique within Azure.')
param token string

@description('Name of the network.')
param virtualNetworkName string

@description('Name of the subnet that the app sends from.')
param appSubnetName string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Address range, /24 or larger.')
param addressPrefix string

@description('Account of the app.')
param stateAccountName string

@description('Vault for grants.')
param tokenVaultName string

@description('Vault for client secrets.')
param configVaultName string

var storageSuffix = environment().suffixes.storage
var zones = [
  'privatelink.blob.${storageSuffix}'
  'privatelink.queue.${storageSuffix}'
  'privatelink.table.${storageSuffix}'
  'privatelink.vaultcore.azure.net'
]
var endpoints = [
  { name: 'state-blob', type: 'Microsoft.Storage/storageAccounts', target: stateAccountName, group: 'blob', zone: 0 }
  { name: 'state-queue', type: 'Microsoft.Storage/storageAccounts', target: stateAccountName, group: 'queue', zone: 1 }
  { name: 'state-table', type: 'Microsoft.Storage/storageAccounts', target: stateAccountName, group: 'table', zone: 2 }
  { name: 'tokens', type: 'Microsoft.KeyVault/vaults', target: tokenVaultName, group: 'vault', zone: 3 }
  { name: 'config', type: 'Microsoft.KeyVault/vaults', target: configVaultName, group: 'vault', zone: 3 }
]

// Without rules of its own, because the firewalls of accounts and vaults decide. Policies of landing zones refuse a subnet without one.
resource securityGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${token}'
  location: location
  tags: tags
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: virtualNetworkName
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: appSubnetName
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          networkSecurityGroup: { id: securityGroup.id }
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 27, 2)
          networkSecurityGroup: { id: securityGroup.id }
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
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
  name: virtualNetworkName
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    // A landing account of your own may have private endpoints in other networks; its public address must still be found here.
    resolutionPolicy: 'NxDomainRedirect'
    virtualNetwork: { id: virtualNetwork.id }
  }
}]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [for endpoint in endpoints: {
  name: 'pe-${endpoint.name}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: { id: virtualNetwork::endpointSubnet.id }
    privateLinkServiceConnections: [
      {
        name: endpoint.name
        properties: {
          privateLinkServiceId: resourceId(endpoint.type, endpoint.target)
          groupIds: [endpoint.group]
        }
      }
    ]
  }
}]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (endpoint, i) in endpoints: {
  parent: privateEndpoints[i]
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
