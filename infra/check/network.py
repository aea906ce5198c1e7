"""Rules about the private network: endpoints, DNS zones, delegation and subnets."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from infra.check.deployment import Deployment, Resource

_ACCOUNT = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"
_NETWORK = "Microsoft.Network"
ENDPOINTS = {
    ("state", "blob"): "privatelink.blob.core.windows.net",
    ("state", "queue"): "privatelink.queue.core.windows.net",
    ("state", "table"): "privatelink.table.core.windows.net",
    ("tokens", "vault"): "privatelink.vaultcore.azure.net",
    ("config", "vault"): "privatelink.vaultcore.azure.net",
}
"""Resources with a private endpoint, and the DNS zone of each."""

SMALLEST_APP_SUBNET = 27
"""Flex Consumption needs a /27; one address serves about 40 instances."""


def check(deployment: Deployment) -> Iterator[str]:
    """Faults of one configuration."""
    yield from _firewalls(deployment)
    if deployment.private:
        yield from _network(deployment)
        yield from _endpoints(deployment)
        return
    leftovers = [one for one in deployment.resources if one.type.startswith(f"{_NETWORK}/")]
    yield from (f"{one} has no effect without privateNetworking" for one in leftovers)
    for site in deployment.of("Microsoft.Web/sites"):
        if site.get("properties", "virtualNetworkSubnetId"):
            yield "the app must not be in a subnet without privateNetworking"


def _firewalls(deployment: Deployment) -> Iterator[str]:
    closed = "Deny" if deployment.private else "Allow"
    ranges = deployment.given.get("allowedIpRanges", [])
    for one in [*deployment.of(_ACCOUNT), *deployment.of(_VAULT)]:
        rules = one.get("properties", "networkAcls") or {}
        landing = one.name.startswith("seg")
        if rules.get("defaultAction") != ("Allow" if landing else closed):
            yield f"{one} must {closed.lower() if not landing else 'allow'} by default"
        if rules.get("bypass") != "AzureServices":
            yield f"{one} must admit Azure's own services: Event Grid delivers"
        if not landing and [rule.get("value") for rule in rules.get("ipRules") or []] != ranges:
            yield f"{one} must admit exactly {ranges}"


def _network(deployment: Deployment) -> Iterator[str]:
    networks = deployment.of(f"{_NETWORK}/virtualNetworks")
    if len(networks) != 1:
        yield "there must be one virtual network"
        return
    [network] = networks
    yield from _subnets(network)
    yield from _security_groups(deployment, network)
    yield from _users_of_subnets(deployment, network)
    yield from _zones(deployment, network)


def _subnets(network: Resource) -> Iterator[str]:
    spaces = [
        ip_network(one) for one in network.get("properties", "addressSpace", "addressPrefixes")
    ]
    subnets = {
        one["name"]: (ip_network(one["properties"]["addressPrefix"]), one["properties"])
        for one in network.get("properties", "subnets")
    }
    listed = [address for address, _ in subnets.values()]
    for address in listed:
        if not any(address.subnet_of(space) for space in spaces):  # type: ignore[arg-type]
            yield f"subnet {address} is outside the network"
    if any(a.overlaps(b) for i, a in enumerate(listed) for b in listed[i + 1 :]):
        yield "subnets overlap"
    delegated = {
        name: [one["properties"]["serviceName"] for one in properties.get("delegations", [])]
        for name, (_, properties) in subnets.items()
    }
    if delegated != {"app": ["Microsoft.App/environments"], "endpoints": []}:
        yield "only the app's subnet is delegated, to Microsoft.App/environments"
    if "app" in subnets and subnets["app"][0].prefixlen > SMALLEST_APP_SUBNET:
        yield f"the app's subnet must be a /{SMALLEST_APP_SUBNET} or larger"
    usable = subnets["endpoints"][0].num_addresses - 5 if "endpoints" in subnets else 0
    if usable < len(ENDPOINTS):
        yield "the subnet for endpoints is too small"


def _security_groups(deployment: Deployment, network: Resource) -> Iterator[str]:
    """Policies of landing zones refuse a subnet without one (Deny-Subnet-Without-Nsg)."""
    groups = {one.id for one in deployment.of(f"{_NETWORK}/networkSecurityGroups")}
    for subnet in network.get("properties", "subnets"):
        group = subnet["properties"].get("networkSecurityGroup") or {}
        if group.get("id") not in groups:
            yield f"subnet {subnet['name']} must have a network security group"


def _users_of_subnets(deployment: Deployment, network: Resource) -> Iterator[str]:
    for site in deployment.of("Microsoft.Web/sites"):
        if site.get("properties", "virtualNetworkSubnetId") != f"{network.id}/subnets/app":
            yield "the app must send from its subnet"
    for endpoint in deployment.of(f"{_NETWORK}/privateEndpoints"):
        if endpoint.get("properties", "subnet", "id") != f"{network.id}/subnets/endpoints":
            yield f"{endpoint} must be in the subnet for endpoints"


def _zones(deployment: Deployment, network: Resource) -> Iterator[str]:
    links = deployment.of(f"{_NETWORK}/privateDnsZones/virtualNetworkLinks")
    for link in links:
        if link.get("properties", "resolutionPolicy") != "NxDomainRedirect":
            yield f"{link} must also find accounts with private endpoints in other networks"
    zones = {one.name for one in deployment.of(f"{_NETWORK}/privateDnsZones")}
    linked = {
        link.id.split("/")[8]
        for link in links
        if link.get("properties", "virtualNetwork", "id") == network.id
    }
    if zones != set(ENDPOINTS.values()) or linked != zones:
        yield f"the DNS zones {sorted(set(ENDPOINTS.values()))} must exist, each with its link"


def _endpoints(deployment: Deployment) -> Iterator[str]:
    groups = deployment.of(f"{_NETWORK}/privateEndpoints/privateDnsZoneGroups")
    found = set()
    for endpoint in deployment.of(f"{_NETWORK}/privateEndpoints"):
        [connection] = endpoint.get("properties", "privateLinkServiceConnections")
        target = str(connection["properties"]["privateLinkServiceId"]).rpartition("/")[2]
        [kind] = connection["properties"]["groupIds"]
        place = next((one for one, _ in ENDPOINTS if target.startswith(one)), target)
        found.add((place, kind))
        zone = ENDPOINTS.get((place, kind))
        if zone is None:
            yield f"no endpoint is expected for {kind} of {target}"
            continue
        named = [
            str(config["properties"]["privateDnsZoneId"]).rpartition("/")[2]
            for group in groups
            if group.id.startswith(f"{endpoint.id}/")
            for config in group.get("properties", "privateDnsZoneConfigs")
        ]
        if named != [zone]:
            yield f"{endpoint} must be named in {zone}, not in {named}"
    for place, kind in sorted(ENDPOINTS.keys() - found):
        yield f"{kind} of {place} must have a private endpoint"
