"""Who may do what: role assignments, keys, passwords, public access, sign-in, outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid5

from infra.check.deployment import Deployment

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
}
"""Every role that this deployment may assign.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

_BICEP_GUID = UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
"""The namespace of Bicep's `guid()`, which is a name-based UUID of its arguments."""

OPEN_PATHS = {"/api/health", "/api/openapi.json", "/api/mailchimp/webhooks/*"}

_ACCOUNT = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"
_SITE = "Microsoft.Web/sites"

_REQUIRED: tuple[tuple[str, str, Any, str], ...] = (
    (_ACCOUNT, "properties.allowSharedKeyAccess", False, "account keys belong to no identity"),
    (_ACCOUNT, "properties.allowBlobPublicAccess", False, "blobs hold personal data"),
    (_ACCOUNT, "properties.allowCrossTenantReplication", False, "data stays in the tenant"),
    (_ACCOUNT, "properties.defaultToOAuthAuthentication", True, "the portal must use identity"),
    (_ACCOUNT, "properties.supportsHttpsTrafficOnly", True, "no clear text"),
    (_ACCOUNT, "properties.minimumTlsVersion", "TLS1_2", "no old TLS"),
    (f"{_ACCOUNT}/blobServices/containers", "properties.publicAccess", "None", "personal data"),
    (_VAULT, "properties.enableRbacAuthorization", True, "roles, not access policies"),
    (_VAULT, "properties.enablePurgeProtection", True, "deleted secrets can be restored"),
    (_VAULT, "properties.enableSoftDelete", True, "deleted secrets can be restored"),
    (_VAULT, "properties.enabledForTemplateDeployment", False, "no template reads secrets"),
    (_SITE, "properties.httpsOnly", True, "no clear text"),
    (_SITE, "properties.siteConfig.minTlsVersion", "1.2", "no old TLS"),
    (_SITE, "properties.siteConfig.scmMinTlsVersion", "1.2", "no old TLS on the publishing site"),
    (_SITE, "properties.siteConfig.cors.supportCredentials", False, "no cookies across origins"),
    (f"{_SITE}/basicPublishingCredentialsPolicies", "properties.allow", False, "no passwords"),
    ("Microsoft.Insights/components", "properties.DisableLocalAuth", True, "no key writes logs"),
    (
        "Microsoft.OperationalInsights/workspaces",
        "properties.features.disableLocalAuth",
        True,
        "no key writes logs",
    ),
)

_KEYS = re.compile(
    r"\blist[A-Z]\w*\(|AccountKey=|SharedAccessSignature|\.ConnectionString\b|InstrumentationKey"
    r"|primaryKey|primarySharedKey",
    re.IGNORECASE,
)


def check(deployment: Deployment) -> Iterator[str]:
    """Faults of one configuration."""
    yield from _roles(deployment)
    yield from _required(deployment)
    yield from _sign_in(deployment)
    yield from _keys(deployment)


def _expected(deployment: Deployment) -> set[tuple[str, str, str]]:
    """The assignments that must exist, as (who, role, scope)."""
    container = deployment.given.get("segmentsContainerName", "segments")
    given = {
        ("app", "Storage Blob Data Owner", "state"),
        ("app", "Storage Queue Data Contributor", "state"),
        ("app", "Storage Table Data Contributor", "state"),
        ("app", "Storage Blob Data Reader", f"landing/{container}"),
        ("app", "Storage Blob Data Contributor", "landing/outcomes"),
        ("app", "Monitoring Metrics Publisher", "insights"),
        ("app", "Key Vault Secrets Officer", "tokens"),
        ("app", "Key Vault Secrets User", "config"),
        ("topic", "Storage Queue Data Message Sender", "state/blob-events"),
        ("topic", "Storage Blob Data Contributor", "state/dead-letters"),
    }
    if deployment.given.get("customerInsightsPrincipalId"):
        given |= {
            ("customerInsights", "Storage Blob Data Contributor", f"landing/{container}"),
            ("customerInsights", "Storage Blob Data Reader", "landing/outcomes"),
            ("customerInsights", "Storage Blob Delegator", "landing"),
        }
    if deployment.given.get("configWriterPrincipalId"):
        given.add(("configWriter", "Key Vault Secrets Officer", "config"))
    return given


def _roles(deployment: Deployment) -> Iterator[str]:
    expected = _expected(deployment)
    found = set()
    for one in deployment.of("Microsoft.Authorization/roleAssignments"):
        who = _who(deployment, one.get("properties", "principalId"))
        role_id = str(one.get("properties", "roleDefinitionId")).rpartition("/")[2]
        role = ROLES.get(role_id, f"role {role_id}")
        right = (who, role, _scope(one.scope))
        if right in found:
            yield f"{who} gets {role} on {right[2]} twice"
        if right not in expected:
            yield f"{who} must not have {role} on {right[2]}"
        found.add(right)
        kind = "ServicePrincipal"
        if who == "configWriter":
            kind = deployment.given.get("configWriterPrincipalType", "User")
        if one.get("properties", "principalType") != kind:
            yield f"the principal type of {who} must be {kind}"
        keys = _keys_of(deployment)
        stable = uuid5(_BICEP_GUID, "-".join([one.scope, keys.get(who, ""), role_id]))
        if one.name != str(stable):
            yield f"the name of {who}'s {role} must be guid(scope, identity, role)"
    for who, role, scope in sorted(expected - found):
        yield f"{who} must have {role} on {scope}"


def _keys_of(deployment: Deployment) -> dict[str, str]:
    """The text for each principal in the names of assignments, which is known before the deployment."""
    identity = deployment.named("Microsoft.ManagedIdentity/userAssignedIdentities", "")
    topic = deployment.named("Microsoft.EventGrid/systemTopics", "segments-")
    return {
        "app": identity.name if identity else "",
        "topic": topic.name if topic else str(deployment.given.get("existingTopicName", "")),
        "customerInsights": str(deployment.given.get("customerInsightsPrincipalId", "")),
        "configWriter": str(deployment.given.get("configWriterPrincipalId", "")),
    }


def _who(deployment: Deployment, principal: Any) -> str:
    known = {
        "<identity.outputs.principalId>": "app",
        "<landing.outputs.topicPrincipalId>": "topic",
        deployment.given.get("customerInsightsPrincipalId"): "customerInsights",
        deployment.given.get("configWriterPrincipalId"): "configWriter",
    }
    return known.get(principal, f"unknown principal {principal}")


def _scope(scope: str) -> str:
    """A short name such as `state` or `landing/segments`; the id itself for another resource."""
    found = re.search(
        r"/(?:storageAccounts/(state|seg|contosolanding)\w*|vaults/(tokens|config)-\w+"
        r"|components/(appi)-\w+)(?:/\w+Services/default/\w+/([\w-]+))?$",
        scope,
    )
    if found is None:
        return scope
    name = found[1] or found[2] or found[3]
    place = {"seg": "landing", "contosolanding": "landing", "appi": "insights"}.get(name, name)
    return f"{place}/{found[4]}" if found[4] else place


def _required(deployment: Deployment) -> Iterator[str]:
    for kind, path, value, why in _REQUIRED:
        for one in deployment.of(kind):
            if one.get(*path.split(".")) != value:
                yield f"{one}: {path} must be {value!r}: {why}"
    policies = {one.name for one in deployment.of(f"{_SITE}/basicPublishingCredentialsPolicies")}
    for name in sorted({"ftp", "scm"} - policies):
        yield f"publishing passwords of {name} must be switched off"


def _sign_in(deployment: Deployment) -> Iterator[str]:
    found = [one for one in deployment.of(f"{_SITE}/config") if one.name == "authsettingsV2"]
    if not found:
        yield "sign-in is not configured"
        return
    auth = found[0]
    validation = auth.get("properties", "globalValidation") or {}
    provider = auth.get("properties", "identityProviders", "azureActiveDirectory") or {}
    registration = provider.get("registration") or {}
    client = deployment.given["entraClientId"]
    tenant = deployment.given.get("entraTenantId", "00000000-0000-0000-0000-000000000002")
    audiences = set((provider.get("validation") or {}).get("allowedAudiences") or ())
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
    rules = {
        "sign-in must be on": auth.get("properties", "platform", "enabled") is True,
        "sign-in must be required": validation.get("requireAuthentication") is True,
        "callers who are not signed in must be redirected": validation.get(
            "unauthenticatedClientAction"
        )
        == "RedirectToLoginPage",
        f"exactly {sorted(OPEN_PATHS)} are open": set(validation.get("excludedPaths") or ())
        == OPEN_PATHS,
        "sign-in is by Entra only": provider.get("enabled") is True
        and len(auth.get("properties", "identityProviders")) == 1,
        f"the issuer must be the tenant {tenant}": registration.get("openIdIssuer") == issuer,
        "the app registration must be that of the parameter": registration.get("clientId")
        == client,
        "the client secret must be named by its setting": registration.get(
            "clientSecretSettingName"
        )
        == "ENTRA_CLIENT_SECRET",
        "the audiences must be those of the app registration": audiences
        == {client, f"api://{client}"},
        "no token store: nothing needs the tokens": auth.get(
            "properties", "login", "tokenStore", "enabled"
        )
        is False,
        "https only": auth.get("properties", "httpSettings", "requireHttps") is True,
    }
    yield from (fault for fault, is_met in rules.items() if not is_met)
    for site in deployment.of(_SITE):
        origins = site.get("properties", "siteConfig", "cors", "allowedOrigins") or []
        wrong = [one for one in origins if not re.fullmatch(r"https://[\w.-]+(:\d+)?", str(one))]
        if wrong:
            yield f"CORS must list exact https origins, not {wrong}"


def _keys(deployment: Deployment) -> Iterator[str]:
    """No template lists keys, and no output returns one."""
    for path, template in _templates(deployment.template):
        text = [str(one) for one in _strings(template.get("resources"))]
        if any(re.search(r"\blist[A-Z]\w*\(", one) for one in text):
            yield f"{path} lists keys, but all access uses identities"
        for name, output in (template.get("outputs") or {}).items():
            value = " ".join(_strings(output.get("value")))
            if _KEYS.search(value) or str(output.get("type", "")).lower().startswith("secure"):
                yield f"output {name} of {path} returns a key"
        for name, parameter in (template.get("parameters") or {}).items():
            if str(parameter.get("type", "")).lower().startswith("secure"):
                yield f"parameter {name} of {path} is a secret, but the deployment has no secrets"


def _templates(template: Mapping[str, Any], path: str = "main") -> Iterator[tuple[str, Any]]:
    if not template:
        return
    yield path, template
    listed = template.get("resources") or {}
    for symbol, one in listed.items() if isinstance(listed, Mapping) else ():
        if one.get("type") == "Microsoft.Resources/deployments":
            yield from _templates(one["properties"]["template"], symbol)


def _strings(value: Any) -> Iterator[str]:
    """Every string in a value, except those of nested templates."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name != "template":
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
