"""Which resource types may appear, at which API version, and which of Microsoft's models describes them.

A type or version that is not here is a fault: adding one means looking at its model first. The same
type has one version in all files.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KNOWN", "Known", "known_for"]


@dataclass(frozen=True)
class Known:
    """A resource type: its API version here, the model written and, where it differs, the one read."""

    version: str
    model: str
    read_model: str = ""


_WEB = "azure.mgmt.web.models:"
_STORAGE = "azure.mgmt.storage.models:"
_INSIGHTS = "azure.mgmt.applicationinsights.v2020_02_02.models:"
_WORKBOOKS = "azure.mgmt.applicationinsights.v2023_06_01.models:"
_MONITOR = "azure.mgmt.monitor.models:"
_NETWORK = "azure.mgmt.network.models:"
_ROLES = "azure.mgmt.authorization.v2022_04_01.models:"

KNOWN: dict[str, Known] = {
    "Microsoft.Web/serverfarms": Known("2025-03-01", _WEB + "AppServicePlan"),
    "Microsoft.Web/sites": Known("2025-03-01", _WEB + "Site"),
    "Microsoft.Web/sites/config:appsettings": Known("2025-03-01", _WEB + "StringDictionary"),
    "Microsoft.Web/sites/config:authsettingsV2": Known("2025-03-01", _WEB + "SiteAuthSettingsV2"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": Known(
        "2025-03-01", _WEB + "CsmPublishingCredentialsPoliciesEntity"
    ),
    "Microsoft.Storage/storageAccounts": Known(
        "2025-06-01", _STORAGE + "StorageAccountCreateParameters", _STORAGE + "StorageAccount"
    ),
    "Microsoft.Storage/storageAccounts/blobServices": Known(
        "2025-06-01", _STORAGE + "BlobServiceProperties"
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": Known(
        "2025-06-01", _STORAGE + "BlobContainer"
    ),
    "Microsoft.Storage/storageAccounts/queueServices": Known(
        "2025-06-01", _STORAGE + "QueueServiceProperties"
    ),
    "Microsoft.Storage/storageAccounts/queueServices/queues": Known(
        "2025-06-01", _STORAGE + "StorageQueue"
    ),
    "Microsoft.Storage/storageAccounts/tableServices": Known(
        "2025-06-01", _STORAGE + "TableServiceProperties"
    ),
    "Microsoft.Storage/storageAccounts/tableServices/tables": Known(
        "2025-06-01", _STORAGE + "Table"
    ),
    "Microsoft.Storage/storageAccounts/managementPolicies": Known(
        "2025-06-01", _STORAGE + "ManagementPolicy"
    ),
    "Microsoft.KeyVault/vaults": Known(
        "2024-11-01",
        "azure.mgmt.keyvault.models:VaultCreateOrUpdateParameters",
        "azure.mgmt.keyvault.models:Vault",
    ),
    "Microsoft.EventGrid/systemTopics": Known(
        "2025-02-15", "azure.mgmt.eventgrid.models:SystemTopic"
    ),
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": Known(
        "2025-02-15", "azure.mgmt.eventgrid.models:EventSubscription"
    ),
    "Microsoft.OperationalInsights/workspaces": Known(
        "2025-07-01", "azure.mgmt.loganalytics.models:Workspace"
    ),
    "Microsoft.Insights/components": Known(
        "2020-02-02", _INSIGHTS + "ApplicationInsightsComponent"
    ),
    "Microsoft.Insights/workbooks": Known("2023-06-01", _WORKBOOKS + "Workbook"),
    "Microsoft.Insights/actionGroups": Known("2023-01-01", _MONITOR + "ActionGroupResource"),
    "Microsoft.Insights/scheduledQueryRules": Known(
        "2023-12-01", _MONITOR + "ScheduledQueryRuleResource"
    ),
    # azure-mgmt-monitor 7 has no models for these; the shape is written down in `properties`.
    "Microsoft.Insights/diagnosticSettings": Known("2021-05-01-preview", ""),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Known(
        "2024-11-30", "azure.mgmt.msi.models:Identity"
    ),
    "Microsoft.Authorization/roleAssignments": Known(
        "2022-04-01", _ROLES + "RoleAssignmentCreateParameters"
    ),
    "Microsoft.Network/virtualNetworks": Known("2025-05-01", _NETWORK + "VirtualNetwork"),
    "Microsoft.Network/virtualNetworks/subnets": Known("2025-05-01", _NETWORK + "Subnet"),
    "Microsoft.Network/privateEndpoints": Known("2025-05-01", _NETWORK + "PrivateEndpoint"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": Known(
        "2025-05-01", _NETWORK + "PrivateDnsZoneGroup"
    ),
    "Microsoft.Network/privateDnsZones": Known(
        "2024-06-01", "azure.mgmt.privatedns.models:PrivateZone"
    ),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": Known(
        "2024-06-01", "azure.mgmt.privatedns.models:VirtualNetworkLink"
    ),
}


def known_for(kind: str, name: object) -> Known | None:
    """The entry of a resource type; `sites/config` differs by the resource's name."""
    return KNOWN.get(kind) or KNOWN.get(f"{kind}:{name}")
