"""The app's settings, read once from the environment.

Only this module reads os.environ. All faults are reported together by name, without values, and
secrets are excluded from repr. A blank setting counts as not set.
https://learn.microsoft.com/azure/azure-functions/functions-app-settings
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.environment import Environment, is_loopback, split_address

NAMES = (
    "AzureWebJobsStorage",
    "SEGMENTS_STORAGE",
    "SEGMENTS_CONTAINER",
    "SEGMENTS_ROOT",
    "SEGMENTS_NULL_MARKERS",
    "PUBLIC_URL",
    "MAILCHIMP_CLIENT_ID",
    "MAILCHIMP_CLIENT_SECRET",
    "MAILCHIMP_LOGIN_URL",
    "MAILCHIMP_API_URL",
    "MAILCHIMP_CONNECTIONS",
    "ENTRA_TENANT_ID",
    "ENTRA_CLIENT_ID",
    "ENTRA_CLIENT_SECRET",
    "ENTRA_AUTHORITY",
    "CUSTOMER_INSIGHTS_INSTANCE_ID",
    "CUSTOMER_INSIGHTS_API_URL",
    "CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY",
    "KEY_VAULT_URL",
    "TICK_SCHEDULE",
    "MAX_PROFILES",
    "RETENTION_DAYS",
    "DEVELOPER_IDENTITY",
)
"""All settings of the app; docs/settings.md explains them and local.settings.sample.json lists them.

Besides these, the two storage settings have an identity form (`<name>__accountName`,
`__blobServiceUri`, `__queueServiceUri`, `__tableServiceUri`, `__credential`, `__clientId`).
"""

# What databases, pandas, Spark and spreadsheets write where there is no value. A person can be called Null or
# Nan, so only spellings that no one has.
NULL_MARKERS = (
    *("NULL", "null", "\\N", "N/A", "n/a", "NaN", "<null>", "(null)"),
    # Spreadsheets write these into cells whose formula fails, in English, Dutch, French, German, Italian, Portuguese and
    # Spanish. East Asian ones write the English texts.
    *("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"),
    *("#SPILL!", "#CALC!", "#ERROR!"),
    *("#N/B", "#VERW!", "#WAARDE!", "#NAAM?", "#DEEL/0!", "#GETAL!", "#LEEG!"),
    *("#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!"),
    *("#NV", "#BEZUG!", "#WERT!", "#ZAHL!"),
    *("#N/D", "#RIF!", "#VALORE!", "#NOME?", "#NULLO!", "#VALOR!", "#NÚM!", "#NULO!"),
    *("#¡REF!", "#¡VALOR!", "#¿NOMBRE?", "#¡DIV/0!", "#¡NUM!", "#¡NULO!"),
)

ROLES = ("Administrator", "Contributor", "Viewer")

_IDENTITY = re.compile(r"([^<>;]+?)\s*<([^<>;\s]+)>\s*;\s*([A-Za-z]+(?:\s*,\s*[A-Za-z]+)*)")
_CONTAINER = re.compile(r"(?!.*--)(?!outcomes$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_LONGEST_MARKER = 40
# Keys are sent to this host; the data centre is part of it.
_MAILCHIMP_HOST = re.compile(r"[a-z0-9]+\.api\.mailchimp\.com")
_SCHEDULE_FIELD = re.compile(r"[A-Za-z0-9*,/-]+")


@dataclass(frozen=True)
class StorageAccount:
    """Access to a storage account: a connection string, or URLs and an identity.

    `client_id` names a user-assigned identity; empty is the system-assigned one. `managed` is true
    when only a managed identity may be used (always in Azure).
    """

    connection_string: str = field(default="", repr=False)
    blob_url: str = ""
    queue_url: str = ""
    table_url: str = ""
    client_id: str = ""
    managed: bool = False


@dataclass(frozen=True)
class SegmentsSettings:
    """Where Customer Insights exports to; `root` is the prefix of `model.json`, or empty.

    A cell that contains one of `null_markers` and nothing else has no value.
    """

    storage: StorageAccount
    container: str
    root: str
    null_markers: tuple[str, ...]


@dataclass(frozen=True)
class MailchimpSettings:
    """Access to Mailchimp; `{dc}` in `api_url` is replaced by the account's data centre."""

    client_id: str
    client_secret: str = field(repr=False)
    login_url: str
    api_url: str
    connections: int


@dataclass(frozen=True)
class EntraSettings:
    """The app registration for the sign-in of export users; empty when not configured."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str


@dataclass(frozen=True)
class CustomerInsightsSettings:
    """Access to the Customer Insights REST API; empty when not configured."""

    instance_id: str
    api_url: str
    subscription_key: str = field(repr=False)


@dataclass(frozen=True)
class DeveloperIdentity:
    """The identity of all requests while the app runs on a developer's machine."""

    name: str
    id: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """All settings. `auth_enabled` is true when App Service Authentication is on."""

    storage: StorageAccount
    segments: SegmentsSettings
    public_url: str
    mailchimp: MailchimpSettings
    entra: EntraSettings
    customer_insights: CustomerInsightsSettings
    key_vault_url: str
    tick_schedule: str
    max_profiles: int
    retention_days: int
    developer: DeveloperIdentity | None
    in_azure: bool
    auth_enabled: bool


def authentication_is_on(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether App Service Authentication is on; works even if `load` fails."""
    return Environment(environ).text("WEBSITE_AUTH_ENABLED").lower() == "true"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. ConfigError lists all faults by name."""
    env = Environment(environ)
    storage = _account(env, "AzureWebJobsStorage", ("blob", "queue", "table"))
    if storage is None:
        env.wrong("AzureWebJobsStorage", "settingStorageRequired")
        storage = StorageAccount()
    settings = Settings(
        storage=storage,
        segments=SegmentsSettings(
            storage=_account(env, "SEGMENTS_STORAGE", ("blob",)) or storage,
            container=env.matching(
                "SEGMENTS_CONTAINER", _CONTAINER, "settingContainer", "segments"
            ),
            root=_folder(env, "SEGMENTS_ROOT"),
            null_markers=_markers(env, "SEGMENTS_NULL_MARKERS"),
        ),
        public_url=_public_url(env),
        mailchimp=MailchimpSettings(
            client_id=env.text("MAILCHIMP_CLIENT_ID"),
            client_secret=env.text("MAILCHIMP_CLIENT_SECRET"),
            login_url=env.address("MAILCHIMP_LOGIN_URL", "https://login.mailchimp.com"),
            api_url=_mailchimp_api_url(env),
            connections=env.number("MAILCHIMP_CONNECTIONS", 10, highest=10),
        ),
        entra=EntraSettings(
            tenant_id=env.matching("ENTRA_TENANT_ID", _ID, "settingTenant"),
            client_id=env.matching("ENTRA_CLIENT_ID", _ID, "settingApplicationId"),
            client_secret=env.text("ENTRA_CLIENT_SECRET"),
            authority=env.address(
                "ENTRA_AUTHORITY", "https://login.microsoftonline.com", always_https=True
            ),
        ),
        customer_insights=CustomerInsightsSettings(
            instance_id=env.matching("CUSTOMER_INSIGHTS_INSTANCE_ID", _ID, "settingEnvironmentId"),
            api_url=env.address("CUSTOMER_INSIGHTS_API_URL", "https://api.ci.ai.dynamics.com/v1"),
            subscription_key=env.text("CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY"),
        ),
        key_vault_url=env.address("KEY_VAULT_URL", "", always_https=True),
        tick_schedule=_schedule(env, "TICK_SCHEDULE", "0 */5 * * * *"),
        max_profiles=env.number("MAX_PROFILES", 1_000_000),
        retention_days=env.number("RETENTION_DAYS", 30),
        developer=_developer(env, "DEVELOPER_IDENTITY"),
        in_azure=env.in_azure,
        auth_enabled=authentication_is_on(environ),
    )
    env.together("MAILCHIMP_CLIENT_ID", "MAILCHIMP_CLIENT_SECRET")
    env.together("ENTRA_CLIENT_ID", "ENTRA_CLIENT_SECRET")
    if settings.entra.client_id and not settings.entra.tenant_id:
        env.wrong("ENTRA_TENANT_ID", "settingRequiredWith", other="ENTRA_CLIENT_ID")
    if settings.in_azure and not env.text("KEY_VAULT_URL"):
        env.wrong("KEY_VAULT_URL", "settingKeyVaultRequired")
    env.finish()
    return settings


def _markers(env: Environment, name: str) -> tuple[str, ...]:
    """Texts separated by commas; `off` for none."""
    given = env.text(name)
    if given.casefold() == "off":
        return ()
    listed = tuple(each for part in given.split(",") if (each := part.strip()))
    if any(len(each) > _LONGEST_MARKER for each in listed):
        env.wrong(name, "settingTexts", most=_LONGEST_MARKER)
        return NULL_MARKERS
    return listed or NULL_MARKERS


def _folder(env: Environment, name: str) -> str:
    value = env.text(name).strip("/")
    parts = value.split("/")
    if value and ("\\" in value or not all(parts) or {".", ".."} & set(parts)):
        env.wrong(name, "settingFolder")
    return value


def _schedule(env: Environment, name: str, default: str) -> str:
    value = env.text(name, default)
    fields = value.split()
    if len(fields) != 6 or not all(_SCHEDULE_FIELD.fullmatch(part) for part in fields):
        env.wrong(name, "settingSchedule")
    return value


def _developer(env: Environment, name: str) -> DeveloperIdentity | None:
    """Parse `Display Name <id>; Role` or `...; Role, Role`. Not allowed in Azure."""
    value = env.text(name)
    if not value:
        return None
    if env.in_azure:
        env.wrong(name, "settingNotInAzure")
        return None
    found = _IDENTITY.fullmatch(value)
    roles = tuple(re.split(r"\s*,\s*", found[3])) if found else ()
    if not found or not set(roles) <= set(ROLES):
        env.wrong(name, "settingDeveloper")
        return None
    return DeveloperIdentity(name=found[1].strip(), id=found[2], roles=roles)


def _mailchimp_api_url(env: Environment) -> str:
    """Read a URL: https on a host of Mailchimp, or loopback outside Azure."""
    name = "MAILCHIMP_API_URL"
    value = env.text(name, "https://{dc}.api.mailchimp.com/3.0").rstrip("/")
    plain = value.replace("{dc}", "dc", 1)
    url = split_address(plain)
    if url is None or "{" in plain or "}" in plain:
        env.wrong(name, "settingAddress", example="https://{dc}.api.mailchimp.com/3.0")
    elif is_loopback(url):
        if env.in_azure:
            env.wrong(name, "settingLoopback")
    elif url.scheme != "https":
        env.wrong(name, "settingHttpsOrLoopback")
    elif not _MAILCHIMP_HOST.fullmatch(url.netloc):
        env.wrong(name, "settingMailchimpHost")
    return value


def _public_url(env: Environment) -> str:
    """Read the public URL of the app; by default its host name in Azure."""
    host = env.text("WEBSITE_HOSTNAME") if env.in_azure else ""
    default = f"https://{host}" if host else "" if env.in_azure else "http://127.0.0.1:7071"
    value = env.address("PUBLIC_URL", default)
    if not value:
        env.wrong("PUBLIC_URL", "settingPublicUrlRequired")
    elif (url := split_address(value)) and url.path:
        env.wrong("PUBLIC_URL", "settingPath")
    return value


def _account(env: Environment, name: str, services: tuple[str, ...]) -> StorageAccount | None:
    """Read a storage account by connection string or identity; None when it is not set.

    https://learn.microsoft.com/azure/azure-functions/functions-reference#connections
    """
    credential = env.text(f"{name}__credential").lower()
    if credential not in ("", "managedidentity"):
        env.wrong(f"{name}__credential", "settingCredential")
    client_id = env.matching(f"{name}__clientId", _ID, "settingIdentity")
    managed = env.in_azure or bool(credential)
    if value := env.text(name):
        _check_connection_string(env, name, value)
        return StorageAccount(value, client_id=client_id, managed=managed)
    account_name = env.matching(f"{name}__accountName", _ACCOUNT_NAME, "settingAccountName")
    urls = {
        service: env.address(
            f"{name}__{service}ServiceUri",
            f"https://{account_name}.{service}.core.windows.net" if account_name else "",
            always_https=True,
        )
        for service in ("blob", "queue", "table")
    }
    if not any(urls.values()):
        return None
    for service in services:
        if not urls[service]:
            env.wrong(f"{name}__{service}ServiceUri", "settingServiceUriRequired")
    return StorageAccount(
        blob_url=urls["blob"],
        queue_url=urls["queue"],
        table_url=urls["table"],
        client_id=client_id,
        managed=managed,
    )


def _check_connection_string(env: Environment, name: str, value: str) -> None:
    """https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string"""
    pairs = (part.partition("=") for part in value.split(";") if part.strip())
    parts = {key.strip().lower(): text.strip() for key, _, text in pairs}
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        if env.in_azure:
            env.wrong(name, "settingDevelopmentStorage")
        return
    by_key = {"accountname", "accountkey"} <= parts.keys()
    by_signature = (
        "sharedaccesssignature" in parts and {"accountname", "blobendpoint"} & parts.keys()
    )
    if not (by_key or by_signature):
        env.wrong(name, "settingConnectionString")
        return
    endpoints = [text for key, text in parts.items() if key.endswith("endpoint")]
    plain = parts.get("defaultendpointsprotocol") == "http" or any(
        endpoint.startswith("http:") for endpoint in endpoints
    )
    if env.in_azure and plain:
        env.wrong(name, "settingStorageHttps")
