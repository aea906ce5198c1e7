"""Rules about what the platform accepts: plan, runtime, memory, scale, names, alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.check.code import Code
from infra.check.deployment import Deployment, Resource

_SITE = "Microsoft.Web/sites"
TOPIC = "Microsoft.EventGrid/systemTopics"
SUBSCRIPTIONS = f"{TOPIC}/eventSubscriptions"

# https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
REFUSED_SITE_PROPERTIES = frozenset(
    {
        "alwaysOn", "containerSize", "ftpsState", "functionAppScaleLimit", "isReserved", "isXenon",
        "javaVersion", "linuxFxVersion", "minimumElasticInstanceCount", "netFrameworkVersion",
        "nodeVersion", "phpVersion", "powerShellVersion", "preWarmedInstanceCount", "pythonVersion",
        "use32BitWorkerProcess", "vnetBackupRestoreEnabled", "vnetContentShareEnabled",
        "vnetImagePullEnabled", "vnetRouteAllEnabled", "windowsFxVersion",
    }
)  # fmt: skip
"""Properties of a site that Flex Consumption refuses or ignores, at any depth.

`ftpsState` is refused by newer scale units with ARM error 51021; `functionAppConfig` replaces the rest.
"""

REFUSED_SETTINGS = frozenset(
    {
        "ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION", "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "FUNCTIONS_WORKER_PROCESS_COUNT", "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
        "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTOVERVNET", "WEBSITE_CONTENTSHARE", "WEBSITE_DNS_SERVER",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_NODE_DEFAULT_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_SKIP_CONTENTSHARE_VALIDATION", "WEBSITE_TIME_ZONE",
        "WEBSITE_VNET_ROUTE_ALL", "TZ",
    }
)  # fmt: skip
"""App settings that Flex Consumption refuses or ignores."""

PYTHON_VERSIONS = frozenset({"3.10", "3.11", "3.12", "3.13"})
"""Generally available on Flex Consumption: `az functionapp list-flexconsumption-runtimes`."""

PEAK_MB = 560
"""The largest memory use that was measured."""

EXPIRY_ALERT = "secret-expires"
"""The alert about an event of Key Vault. All others are queries."""

REGION_QUOTA_MB = 512_000
"""Memory of all Flex Consumption instances of a subscription in a region."""

LIMITS = {
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.Storage/storageAccounts/blobServices/containers": r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "Microsoft.Storage/storageAccounts/queueServices/queues": r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "Microsoft.Storage/storageAccounts/tableServices/tables": r"[A-Za-z][A-Za-z0-9]{2,62}",
    "Microsoft.KeyVault/vaults": r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "Microsoft.Web/serverfarms": r"[A-Za-z0-9-]{1,60}",
    "Microsoft.Web/sites": r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?",
    "Microsoft.OperationalInsights/workspaces": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "Microsoft.Insights/components": r"[^%&\\?/]{1,260}",
    "Microsoft.Insights/scheduledQueryRules": r"[^*<>%{}&:\\?/+#@]{1,260}",
    TOPIC: r"[A-Za-z0-9-]{3,50}",
    SUBSCRIPTIONS: r"[A-Za-z0-9-]{3,64}",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
    "Microsoft.Network/virtualNetworks": r"[A-Za-z0-9](?:[\w.-]{0,62}\w)?",
    "Microsoft.Network/networkSecurityGroups": r"[A-Za-z0-9](?:[\w.-]{0,78}\w)?",
    "Microsoft.Network/privateEndpoints": r"[A-Za-z0-9](?:[\w.-]{0,62}\w)?",
}
"""https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"""


def check(deployment: Deployment, code: Code) -> Iterator[str]:
    """Faults of one configuration."""
    yield from deployment.diagnostics
    for one in deployment.resources:
        pattern = LIMITS.get(one.type)
        if pattern and not re.fullmatch(pattern, one.name):
            yield f"{one}: Azure refuses the name"
    sites, plans = deployment.of(_SITE), deployment.of("Microsoft.Web/serverfarms")
    if len(sites) != 1 or len(plans) != 1:
        yield "there must be one plan with one site"
        return
    yield from _plan(deployment, plans[0], sites[0])
    yield from _scale(deployment, sites[0])
    yield from _storage(deployment)
    yield from _alerts(deployment, code)


def _plan(deployment: Deployment, plan: Resource, site: Resource) -> Iterator[str]:
    identity = deployment.named("Microsoft.ManagedIdentity/userAssignedIdentities", "")
    config = site.get("properties", "functionAppConfig") or {}
    package = (config.get("deployment") or {}).get("storage") or {}
    state = deployment.named("Microsoft.Storage/storageAccounts", "state")
    identity_id = identity.id if identity else ""
    rules = {
        "the plan must be FC1, FlexConsumption": plan.get("sku")
        == {"name": "FC1", "tier": "FlexConsumption"},
        "the plan must be for Linux": plan.get("properties", "reserved") is True
        and site.get("kind") == "functionapp,linux",
        "the site must be on the plan": site.get("properties", "serverFarmId") == plan.id,
        f"Python must be one of {sorted(PYTHON_VERSIONS)}": (config.get("runtime") or {}).get(
            "name"
        )
        == "python"
        and (config.get("runtime") or {}).get("version") in PYTHON_VERSIONS,
        "the site must have the one user-assigned identity": site.get("identity")
        == {"type": "UserAssigned", "userAssignedIdentities": {identity_id: {}}},
        "vault references must use that identity": site.get(
            "properties", "keyVaultReferenceIdentity"
        )
        == identity_id,
        "the package must be read by that identity": package.get("authentication")
        == {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": identity_id},
        "the package must be in the container deployment of the state account": package.get("value")
        == f"https://{state.name if state else ''}.blob.core.windows.net/deployment",
        "azd must find the site by its tag": site.get("tags", "azd-service-name") == "export",
    }
    yield from (fault for fault, is_met in rules.items() if not is_met)
    refused = set(_names(site.get("properties"))) & REFUSED_SITE_PROPERTIES
    yield from (f"Flex Consumption refuses the site property {one}" for one in sorted(refused))


def _scale(deployment: Deployment, site: Resource) -> Iterator[str]:
    scale = site.get("properties", "functionAppConfig", "scaleAndConcurrency") or {}
    memory, most = scale.get("instanceMemoryMB", 0), scale.get("maximumInstanceCount", 0)
    ready = {one["name"]: one["instanceCount"] for one in scale.get("alwaysReady") or ()}
    http = ((scale.get("triggers") or {}).get("http") or {}).get("perInstanceConcurrency")
    if memory not in (2048, 4096) or memory < PEAK_MB:
        yield "an instance must have 2,048 or 4,096 MB"
    if not 1 <= most <= 1000:
        yield "there must be 1 to 1,000 instances"
    if memory * most > REGION_QUOTA_MB:
        yield f"{most} instances of {memory} MB exceed the quota of the region"
    if not http or not 8 <= http <= 100:
        yield "an instance must handle at least 8 HTTP requests at once"
    if ready.keys() - {"http"}:
        yield f"only http may be kept warm, not {sorted(ready)}"
    zones = deployment.given.get("zoneRedundant", False)
    plan = deployment.of("Microsoft.Web/serverfarms")[0]
    if plan.get("properties", "zoneRedundant") is not zones or (zones and ready.get("http", 0) < 2):
        yield "zone redundancy needs a zone-redundant plan and two warm instances"
    strategy = site.get("properties", "functionAppConfig", "siteUpdateStrategy", "type")
    if strategy != deployment.given.get("siteUpdateStrategy", "Recreate"):
        yield "the update strategy must be that of the parameter"


def _storage(deployment: Deployment) -> Iterator[str]:
    zones = deployment.given.get("zoneRedundant", False)
    for account in deployment.of("Microsoft.Storage/storageAccounts"):
        if account.get("kind") != "StorageV2":
            yield f"{account} must be StorageV2: events, queues and tables"
        if account.get("sku", "name") != ("Standard_ZRS" if zones else "Standard_LRS"):
            yield f"{account} must have the redundancy of the parameter"
        hierarchy = account.get("properties", "isHnsEnabled")
        asked = deployment.given.get("segmentsHierarchicalNamespace", True)
        if account.name.startswith("seg") and hierarchy is not asked:
            yield f"{account} must have the hierarchical namespace of the parameter"


def _alerts(deployment: Deployment, code: Code) -> Iterator[str]:
    """Queries name events, fields and functions that exist."""
    queries = [
        str(criterion["query"])
        for rule in deployment.of("Microsoft.Insights/scheduledQueryRules")
        for criterion in rule.get("properties", "criteria", "allOf")
    ]
    if not queries:
        yield "there are no alerts"
    for workbook in deployment.of("Microsoft.Insights/workbooks"):
        queries += re.findall(
            r'"query": "((?:[^"\\]|\\.)*)"', workbook.get("properties", "serializedData")
        )
    for query in queries:
        plain = query.replace('\\"', '"')
        events = re.findall(r'e\.event == "([\w.]+)"', plain)
        yield from (f"a query asks for the event {one}" for one in events if one not in code.events)
        if events and events[0] in code.events:
            fields = set(re.findall(r"\be\.(\w+)", plain)) - {"event", "traceId"}
            missing = sorted(fields - code.events[events[0]])
            yield from (f"{events[0]} has no field {one}" for one in missing)
        functions = re.findall(r'"(\w+_poison|tick)"', plain)
        yield from (
            f"a query asks for the function {one}" for one in functions if one not in code.functions
        )
    notified = bool(deployment.given.get("alertEmail")) + len(
        deployment.given.get("actionGroupIds", [])
    )
    for rule in deployment.of("Microsoft.Insights/scheduledQueryRules"):
        if len(rule.get("properties", "actions", "actionGroups") or []) != notified:
            yield f"{rule} must notify {notified} action groups"
    yield from _secret_expires(deployment, notified)


def expiry_alert(deployment: Deployment) -> tuple[list[Resource], list[Resource]]:
    """The topics of vaults, and the subscriptions to them. There is one of each, for the alert `secret-expires`."""
    topics = [
        one
        for one in deployment.of(TOPIC)
        if one.get("properties", "topicType") == "Microsoft.KeyVault.vaults"
    ]
    return topics, [one for topic in topics for one in deployment.children(topic, SUBSCRIPTIONS)]


def _secret_expires(deployment: Deployment, notified: int) -> Iterator[str]:
    """Someone is notified before the client secret expires: without it, no one can sign in."""
    topics, alerts = expiry_alert(deployment)
    if not notified:
        if topics or alerts:
            yield f"{EXPIRY_ALERT} must not exist without an action group"
        return
    vault = deployment.named("Microsoft.KeyVault/vaults", "config-")
    if [one.get("properties", "source") for one in topics] != [vault.id if vault else None]:
        yield "there must be one topic of the vault for client secrets"
    for alert in alerts:
        events = set(alert.get("properties", "filter", "includedEventTypes") or ())
        if events != {f"Microsoft.KeyVault.Secret{one}" for one in ("NearExpiry", "Expired")}:
            yield f"{EXPIRY_ALERT} must be about secrets that expire, not {sorted(events)}"
        if alert.get("properties", "eventDeliverySchema") != "CloudEventSchemaV1_0":
            yield f"{EXPIRY_ALERT} must be in the schema CloudEventSchemaV1_0"
        target = alert.get("properties", "destination") or {}
        groups = (target.get("properties") or {}).get("actionGroups") or []
        if target.get("endpointType") != "MonitorAlert" or len(groups) != notified:
            yield f"{EXPIRY_ALERT} must notify {notified} action groups"
    if [one.name for one in alerts] != [EXPIRY_ALERT]:
        yield f"there must be one alert {EXPIRY_ALERT}"


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
