"""Every fault that is planted into the Bicep files is found, in its file and by its name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from infra.check import project

ROOT = Path(__file__).parents[2]
FILES = project.read_files(ROOT)
MODULES = "infra/modules/"


class Plant(NamedTuple):
    """In `file`, `right` becomes `wrong`; a fault saying `said` must come up there."""

    name: str
    file: str
    right: str
    wrong: str
    said: str


PLANTS = [
    Plant("missing brace", "vault.bicep", "output tokenVaultId", "}\noutput tokenVaultId", "syntax"),
    Plant("misspelt property", "app.bicep", "httpsOnly: true", "httpOnly: true", "no property httpOnly"),
    Plant("misspelt nested property", "app.bicep", "instanceMemoryMB: i", "instanceMemoryMb: i", "no property instanceMemoryMb"),
    Plant("misspelt property of a kind", "events.bicep", "queueName: ", "queue: ", "no property queue"),
    Plant("wrong choice", "app.bicep", "authentication: {\n            type: 'UserAssignedIdentity'", "authentication: {\n            type: 'UserAssigned'", "is none of"),
    Plant("wrong literal", "vault.bicep", "enableSoftDelete: true", "enableSoftDelete: 'true'", "must be a flag"),
    Plant("read-only property", "storage.bicep", "    accessTier: 'Hot'", "    creationTime: 'now'", "creationTime"),
    Plant("unknown type", "vault.bicep", "Microsoft.KeyVault/vaults@", "Microsoft.KeyVault/vault@", "unknown type"),
    Plant("other API version", "vault.bicep", "vaults@2024-11-01", "vaults@2019-09-01", "expected version"),
    Plant("unknown name", "app.bicep", "clientId: entraClientId", "clientId: entraClientID", "unknown name entraClientID"),
    Plant("unknown function", "main.bicep", "uniqueString(", "unique(", "unknown function unique"),
    Plant("unknown output of a resource", "app.bicep", "properties.primaryEndpoints.queue", "properties.primaryEndpoint.queue", "has no properties.primaryEndpoint.queue"),
    Plant("unknown output of a module", "main.bicep", "vault.outputs.tokenVaultUri", "vault.outputs.tokensUri", "no output tokensUri"),
    Plant("module without a parameter", "main.bicep", "    workspaceId: observability.outputs.workspaceId\n    subnetId", "    subnetId", "needs parameter workspaceId"),
    Plant("unused parameter", "events.bicep", "queueName: eventQueueName", "queueName: 'blob-events'", "eventQueueName is declared and never used"),
    Plant("parameter without description", "main.bicep", "@description('Memory of one instance in MB.')\n", "", "instanceMemoryMB has no @description"),
    Plant("wrong role", "roles.bicep", "role: storageBlobDataReader }\n  { on: 'outcomes'", "role: storageBlobDataOwner }\n  { on: 'outcomes'", "may not have storageBlobDataOwner on segments"),
    Plant("Owner", "roles.bicep", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "not on the list"),
    Plant("role on the whole group", "roles.bicep", "  scope: tokenVault\n", "", "too wide"),
    Plant("role name that changes", "roles.bicep", "guid(insights.id, row.who, row.role)", "guid(row.who)", "the name must be guid"),
    Plant("role id elsewhere", "vault.bicep", "output tokenVaultId", "var owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'\noutput tokenVaultId", "not on the list"),
    Plant("shared key on", "storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess must be False"),
    Plant("shared key left to the default", "storage.bicep", "    allowSharedKeyAccess: false\n", "", "allowSharedKeyAccess must be False"),
    Plant("public blobs", "storage.bicep", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true", "allowBlobPublicAccess must be False"),
    Plant("public container", "landing.bicep", "publicAccess: 'None'", "publicAccess: 'Blob'", "publicAccess must be 'None'"),
    Plant("old TLS", "storage.bicep", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "minimumTlsVersion must be"),
    Plant("no purge protection", "vault.bicep", "enablePurgeProtection: true", "enablePurgeProtection: false", "enablePurgeProtection must be True"),
    Plant("local keys for logs", "observability.bicep", "DisableLocalAuth: true", "DisableLocalAuth: false", "DisableLocalAuth must be True"),
    Plant("key asked for", "storage.bicep", "output stateAccountId string = state.id", "output stateAccountId string = state.listKeys().keys[0].value", "no keys are asked for"),
    Plant("secret output", "observability.bicep", "output insightsName string = insights.name", "output insightsName string = insights.properties.ConnectionString", "hands out a secret"),
    Plant("secret parameter in the open", "vault.bicep", "output tokenVaultId", "@description('x')\nparam clientSecret string\noutput tokenVaultId", "must be @secure()"),
    Plant("ftp passwords", "app.bicep", "name: 'ftp'\n  properties: { allow: false }", "name: 'ftp'\n  properties: { allow: true }", "no publishing passwords"),
    Plant("sign-in off", "app.bicep", "requireAuthentication: true", "requireAuthentication: false", "everybody must sign in"),
    Plant("API open to all", "app.bicep", "'/api/health', ", "'/api/health', '/api', ", "open without sign-in"),
    Plant("every tenant", "app.bicep", "'${loginEndpoint}${entraTenantId}/v2.0'", "'https://login.example/common/v2.0'", "one tenant"),
    Plant("CORS star", "app.bicep", "allowedOrigins: allowedOrigins", "allowedOrigins: ['*']", "exact origins"),
    Plant("dead setting", "app.bicep", "PYTHON_THREADPOOL_THREAD_COUNT: '32'", "PYTHON_THREADPOOL_THREAD_COUNT: '32'\n    FUNCTIONS_WORKER_RUNTIME: 'python'", "means nothing on Flex"),
    Plant("whole subscription", "main.bicep", "targetScope = 'resourceGroup'", "targetScope = 'subscription'", "one resource group"),
    Plant("parameter file of another time", "main.bicepparam", "param alertEmail", "param alertMail", "no parameter alertMail"),
    Plant("required parameter not given", "main.bicepparam", "param entraClientId = readEnvironmentVariable('ENTRA_CLIENT_ID')\n", "", "entraClientId is required"),
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_fault_is_found(plant: Plant) -> None:
    path = f"infra/{plant.file}" if plant.file.startswith("main.") else MODULES + plant.file
    assert plant.right in FILES[path], "the plant no longer fits the file"
    planted = FILES | {path: FILES[path].replace(plant.right, plant.wrong, 1)}

    found = [fault for fault in project.check(planted) if fault.path == path]

    assert any(plant.said in fault.message for fault in found), found


def test_without_a_plant_nothing_is_found() -> None:
    assert project.check(FILES) == []
