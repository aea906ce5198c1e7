"""What must hold for every resource of a kind: no keys, no public blobs, TLS, identity, nothing dead.

Each rule is one line of a table: type, path, what must stand there, why. A rule looks only at what
is written: a value known only when deployed is a fault here, because nobody can check it.
https://learn.microsoft.com/security/benchmark/azure/baselines/storage-security-baseline
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infra.check.fault import Fault
from infra.check.template import Expression, Object, Resource, Template, Value, walk

__all__ = ["check"]


@dataclass(frozen=True)
class Rule:
    """`path` of every resource of `type` must be `value`."""

    type: str
    path: str
    value: Value
    why: str


_ACCOUNT = "Microsoft.Storage/storageAccounts"
_CONTAINER = f"{_ACCOUNT}/blobServices/containers"
_VAULT = "Microsoft.KeyVault/vaults"
_SITE = "Microsoft.Web/sites"

_RULES = [
    Rule(_ACCOUNT, "properties.allowSharedKeyAccess", False, "a key is nobody's and opens all"),
    Rule(_ACCOUNT, "properties.allowBlobPublicAccess", False, "blobs hold personal data"),
    Rule(_ACCOUNT, "properties.allowCrossTenantReplication", False, "data stays in the tenant"),
    Rule(_ACCOUNT, "properties.defaultToOAuthAuthentication", True, "the portal uses identity"),
    Rule(_ACCOUNT, "properties.supportsHttpsTrafficOnly", True, "no clear text"),
    Rule(_ACCOUNT, "properties.minimumTlsVersion", "TLS1_2", "no old TLS"),
    Rule(_ACCOUNT, "properties.networkAcls.bypass", "AzureServices", "Event Grid delivers so"),
    Rule(_CONTAINER, "properties.publicAccess", "None", "blobs hold personal data"),
    Rule(_VAULT, "properties.enableRbacAuthorization", True, "roles, no access policies"),
    Rule(_VAULT, "properties.enablePurgeProtection", True, "a deleted secret comes back"),
    Rule(_VAULT, "properties.enableSoftDelete", True, "a deleted secret comes back"),
    Rule(_VAULT, "properties.networkAcls.bypass", "AzureServices", "vault references"),
    Rule("Microsoft.Web/serverfarms", "sku.name", "FC1", "Flex Consumption"),
    Rule("Microsoft.Web/serverfarms", "sku.tier", "FlexConsumption", "Flex Consumption"),
    Rule("Microsoft.Web/serverfarms", "properties.reserved", True, "Linux"),
    Rule(_SITE, "kind", "functionapp,linux", "Flex Consumption is Linux"),
    Rule(_SITE, "properties.httpsOnly", True, "no clear text"),
    Rule(_SITE, "properties.siteConfig.minTlsVersion", "1.2", "no old TLS"),
    Rule(_SITE, "properties.siteConfig.ftpsState", "Disabled", "one way in for code"),
    Rule(_SITE, "properties.siteConfig.cors.supportCredentials", False, "no cookies across origins"),
    Rule(_SITE, "identity.type", "UserAssigned", "the identity has its roles before the app is"),
    Rule(
        f"{_SITE}/basicPublishingCredentialsPolicies",
        "properties.allow",
        False,
        "no publishing passwords",
    ),
    Rule("Microsoft.Insights/components", "properties.DisableLocalAuth", True, "no key writes logs"),
    Rule(
        "Microsoft.OperationalInsights/workspaces",
        "properties.features.disableLocalAuth",
        True,
        "no key writes logs",
    ),
]  # fmt: skip

# Replaced by functionAppConfig; their presence marks a copied template.
_DEAD = {
    "FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_PROCESS_COUNT",
    "WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTSHARE",
    "SCM_DO_BUILD_DURING_DEPLOYMENT", "linuxFxVersion", "alwaysOn", "WEBSITE_TIME_ZONE",
}  # fmt: skip
_KEY_CALLS = re.compile(
    r"\blist(Keys|AccountSas|ServiceSas|Secrets|ConnectionStrings)\b|\blist\w*\("
)
_SECRET_NAME = re.compile(
    r"secret|password|connectionstring|accountkey|sas(token)?$", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"AccountKey=|SharedAccess|sig=|@Microsoft\.KeyVault|ConnectionString")


def check(template: Template) -> list[Fault]:
    """Faults of one file against the table, and against keys, secrets, stars and dead settings."""
    found = [
        fault
        for resource in template.resources.values()
        if not resource.existing
        for fault in [*_table(template, resource), *_anywhere(template, resource)]
    ]
    found.extend(_secrets(template))
    if template.scope != "resourceGroup":
        found.append(Fault(template.path, 0, "everything goes into one resource group"))
    return found


def _table(template: Template, resource: Resource) -> Iterator[Fault]:
    for rule in _RULES:
        if rule.type != resource.type:
            continue
        value = resource.body.get(*rule.path.split("."))
        if value != rule.value or isinstance(value, bool) != isinstance(rule.value, bool):
            said = f"{resource.symbol}: {rule.path} must be {rule.value!r}: {rule.why}"
            yield Fault(template.path, resource.line, said)


def _anywhere(template: Template, resource: Resource) -> Iterator[Fault]:
    line = resource.line
    for path, value in walk(resource.body):
        if path and path[-1] in _DEAD:
            yield Fault(template.path, line, f"{path[-1]} means nothing on Flex Consumption")
        if path and path[-1] == "allowedOrigins" and isinstance(value, list) and "*" in value:
            yield Fault(template.path, line, "CORS lists exact origins")
    if resource.type == f"{_SITE}/config" and resource.body.get("name") == "authsettingsV2":
        yield from _sign_in(template, resource)


def _sign_in(template: Template, resource: Resource) -> Iterator[Fault]:
    properties = resource.body.get("properties")
    if not isinstance(properties, Object):
        yield Fault(template.path, resource.line, "sign-in must be on")
        return
    if properties.get("platform", "enabled") is not True:
        yield Fault(template.path, resource.line, "sign-in must be on")
    if properties.get("globalValidation", "requireAuthentication") is not True:
        yield Fault(template.path, resource.line, "everybody must sign in")
    open_paths = properties.get("globalValidation", "excludedPaths")
    if open_paths != ["/api/health", "/api/openapi.json"]:
        yield Fault(template.path, resource.line, f"open without sign-in: {open_paths}")
    provider = ("identityProviders", "azureActiveDirectory")
    issuer = properties.get(*provider, "registration", "openIdIssuer")
    if not isinstance(issuer, Expression) or "common" in issuer.text:
        yield Fault(template.path, resource.line, "one tenant: the issuer names it")


def _secrets(template: Template) -> Iterator[Fault]:
    for number, line in enumerate(template.text.splitlines(), 1):
        if _KEY_CALLS.search(line.partition("//")[0]):
            yield Fault(template.path, number, "no keys are asked for: everything is by identity")
    for output in template.outputs.values():
        text = output.value.text if isinstance(output.value, Expression) else str(output.value)
        if (
            _SECRET_NAME.search(output.name)
            or _SECRET_VALUE.search(text)
            or "secure" in output.decorators
            or _secure(template, text)
        ):
            yield Fault(template.path, output.line, f"output {output.name} hands out a secret")
    for parameter in template.parameters.values():
        named = _SECRET_NAME.search(parameter.name) and not parameter.name.startswith(
            "secretsOfficer"
        )
        if named and "secure" not in parameter.decorators:
            said = f"parameter {parameter.name} must be @secure(), or better not be"
            yield Fault(template.path, parameter.line, said)


def _secure(template: Template, text: str) -> bool:
    words = set(re.findall(r"\w+", text))
    return any(
        name in words and "secure" in parameter.decorators
        for name, parameter in template.parameters.items()
    )
