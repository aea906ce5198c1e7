"""Compares the settings of Azure, shared/settings.py, the sample and docs/settings.md.

Each can be wrong alone, so they are compared in both directions. The storage connections appear in
Azure in their identity form only (`<name>__...`); secrets only as references into the vault.
https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from infra.check.code import Code
from infra.check.deployment import Deployment
from infra.check.platform import REFUSED_SETTINGS

PLATFORM = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host sends its telemetry",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "with which identity it sends it",
    "PYTHON_THREADPOOL_THREAD_COUNT": "how many messages a worker handles at once",
    "AzureWebJobsDisableHomepage": "whether the platform shows a page of its own at /",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "which libraries must not be instrumented",
}
"""Read by the platform, not by the app."""

LOCAL_ONLY = frozenset({"DEVELOPER_IDENTITY"})
_SERVICES = {
    "AzureWebJobsStorage": ("blobServiceUri", "queueServiceUri", "tableServiceUri"),
    "SEGMENTS_STORAGE": ("blobServiceUri",),
}
_SECRET = re.compile(r"(SECRET|_KEY|PASSWORD|TOKEN)$")
_REFERENCE = re.compile(
    r"@Microsoft\.KeyVault\(SecretUri=https://([\w-]+)\.vault\.azure\.net/secrets/([\w-]+)\)"
)
SECRETS = {
    "ENTRA_CLIENT_SECRET": ("entra-client-secret", "entraClientId"),
    "MAILCHIMP_CLIENT_SECRET": ("mailchimp-client-secret", "mailchimpClientId"),
    "CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY": (
        "customer-insights-subscription-key",
        "customerInsightsNeedsSubscriptionKey",
    ),
}
"""Setting -> its secret in the vault, and the parameter that it needs."""


def in_azure(deployment: Deployment) -> Mapping[str, Any]:
    """The app settings of a configuration."""
    found = [
        one for one in deployment.of("Microsoft.Web/sites/config") if one.name == "appsettings"
    ]
    return dict(found[0].get("properties")) if found else {}


def check(deployment: Deployment, code: Code, filled: Collection[str]) -> Iterator[str]:
    """Faults of one configuration. `filled` are the secrets that the guide puts into the vault."""
    written = in_azure(deployment)
    expected = {name for name in code.settings if name not in _SERVICES} - LOCAL_ONLY
    expected |= {
        f"{name}__{part}"
        for name, services in _SERVICES.items()
        for part in (*services, "credential", "clientId")
    }
    expected |= PLATFORM.keys()
    yield from differences(written, expected)
    yield from (
        f"Flex Consumption refuses the setting {name}"
        for name in sorted(REFUSED_SETTINGS & written.keys())
    )
    yield from _values(deployment, written)
    yield from _secrets(deployment, written, filled)


def _values(deployment: Deployment, written: Mapping[str, Any]) -> Iterator[str]:
    identity = deployment.named("Microsoft.ManagedIdentity/userAssignedIdentities", "")
    client = f"<{identity.name if identity else ''}.clientId>"
    given = deployment.given
    tokens = deployment.named("Microsoft.KeyVault/vaults", "tokens")
    state = deployment.named("Microsoft.Storage/storageAccounts", "state")
    blobs, queues, tables = (
        f"https://{state.name if state else ''}.{kind}.core.windows.net/"
        for kind in ("blob", "queue", "table")
    )
    insights = deployment.named("Microsoft.Insights/components", "")
    site = deployment.named("Microsoft.Web/sites", "")
    expected = {
        "AzureWebJobsStorage__blobServiceUri": blobs,
        "AzureWebJobsStorage__queueServiceUri": queues,
        "AzureWebJobsStorage__tableServiceUri": tables,
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": client,
        "SEGMENTS_STORAGE__blobServiceUri": "<landing.outputs.blobEndpoint>",
        "SEGMENTS_STORAGE__credential": "managedidentity",
        "SEGMENTS_STORAGE__clientId": client,
        "SEGMENTS_CONTAINER": given.get("segmentsContainerName", "segments"),
        "SEGMENTS_ROOT": given.get("segmentsRoot", ""),
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={client};Authorization=AAD",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"<{insights.name if insights else ''}.ConnectionString>",
        "KEY_VAULT_URL": f"https://{tokens.name if tokens else ''}.vault.azure.net/",
        "PUBLIC_URL": f"https://<{site.name if site else ''}.defaultHostName>",
        "ENTRA_TENANT_ID": given.get("entraTenantId", "00000000-0000-0000-0000-000000000002"),
        "ENTRA_CLIENT_ID": given["entraClientId"],
        "ENTRA_AUTHORITY": "https://login.microsoftonline.com/",
        "MAILCHIMP_CLIENT_ID": given.get("mailchimpClientId", ""),
        "MAILCHIMP_CONNECTIONS": str(given.get("mailchimpConnections", 10)),
        "CUSTOMER_INSIGHTS_INSTANCE_ID": given.get("customerInsightsInstanceId", ""),
        "MAX_PROFILES": str(given.get("maxProfiles", 1_000_000)),
        "RETENTION_DAYS": str(given.get("retentionDays", 30)),
        "TICK_SCHEDULE": given.get("tickSchedule", "0 */5 * * * *"),
    }
    for name, value in expected.items():
        if name in written and written[name] != value:
            yield f"{name} must be {value!r}, not {written[name]!r}"


def _secrets(
    deployment: Deployment, written: Mapping[str, Any], filled: Collection[str]
) -> Iterator[str]:
    vault = deployment.named("Microsoft.KeyVault/vaults", "config")
    for name, value in written.items():
        found = _REFERENCE.fullmatch(str(value))
        if found is None:
            if name in SECRETS and deployment.given.get(SECRETS[name][1]):
                yield f"{name} must be a Key Vault reference"
            elif secret(name) and value:
                yield f"{name} must be a Key Vault reference or empty"
            continue
        in_vault, key = found.groups()
        if name not in SECRETS or key != SECRETS[name][0]:
            yield f"{name} must not refer to {key}"
        elif not deployment.given.get(SECRETS[name][1]):
            yield f"{name} refers to a secret that need not exist"
        if vault is None or in_vault != vault.name:
            yield f"{name} must refer to the vault for client secrets, not to {in_vault}"
        if key not in filled:
            yield f"{name} refers to {key}, which no step of docs/deploy.md sets"


def secret(name: str) -> bool:
    """Whether a setting of this name is a secret."""
    return _SECRET.search(name) is not None


def guide_secrets(guide: str) -> set[str]:
    """The secrets that the commands of a guide put into the vault for client secrets."""
    commands = guide.replace("\\\n", " ")
    pattern = r'az keyvault secret set --vault-name "\$CONFIG_VAULT_NAME" --name ([\w-]+)'
    return set(re.findall(pattern, re.sub(r" +", " ", commands)))


def names_in_tables(text: str) -> set[str]:
    """The settings in tables of a page: first column, in code font."""
    rows = re.findall(r"^\| *((?:`[A-Za-z_]+`[, ]*)+)\|", text, re.MULTILINE)
    return {
        name
        for row in rows
        for name in re.findall(r"`([A-Za-z_]+)`", row)
        if re.fullmatch(r"[A-Z][A-Z0-9_]*_[A-Z0-9_]+|AzureWebJobsStorage", name)
    }


def differences(there: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Settings that are set and not read, or read and not set."""
    given, expected = set(there), set(wanted)
    return [f"{name} is set and not read" for name in sorted(given - expected)] + [
        f"{name} is read and not set" for name in sorted(expected - given)
    ]
