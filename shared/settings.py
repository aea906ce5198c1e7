"""The environment, read once into one frozen Settings.

This is the only reader of os.environ. All faults are reported at once, by name; no value is ever
repeated in a message, and secrets do not show in a repr. A blank setting counts as not set.
https://learn.microsoft.com/azure/azure-functions/functions-app-settings
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from shared.errors import ConfigError, Fault

__all__ = [
    "NAMES",
    "CustomerInsightsSettings",
    "DeveloperIdentity",
    "EntraSettings",
    "MailchimpSettings",
    "SegmentsSettings",
    "Settings",
    "StorageAccount",
    "load",
]

NAMES = (
    "AzureWebJobsStorage",
    "SEGMENTS_STORAGE",
    "SEGMENTS_CONTAINER",
    "SEGMENTS_ROOT",
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
"""Every setting of the app, as the README explains them and the sample lists them.

Besides these, the two storage settings have an identity form (`<name>__accountName`,
`__blobServiceUri`, `__queueServiceUri`, `__tableServiceUri`, `__credential`, `__clientId`).
"""

ROLES = ("Administrator", "Contributor", "Viewer")

_UNRESOLVED = "@Microsoft.KeyVault("
_IDENTITY = re.compile(r"([^<>;]+?)\s*<([^<>;\s]+)>\s*;\s*([A-Za-z]+(?:\s*,\s*[A-Za-z]+)*)")
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_SCHEDULE_FIELD = re.compile(r"[A-Za-z0-9*,/-]+")


@dataclass(frozen=True)
class StorageAccount:
    """How to reach one storage account: a connection string, or addresses and an identity.

    `client_id` names a user-assigned identity; empty means the app's own. `managed` is true when
    only a managed identity may be used (always in Azure).
    """

    connection_string: str = field(default="", repr=False)
    blob_url: str = ""
    queue_url: str = ""
    table_url: str = ""
    client_id: str = ""
    managed: bool = False


@dataclass(frozen=True)
class SegmentsSettings:
    """Where Customer Insights writes: `root` is the prefix that holds `model.json`, or empty."""

    storage: StorageAccount
    container: str
    root: str


@dataclass(frozen=True)
class MailchimpSettings:
    """Mailchimp: `api_url` may hold `{dc}`, the place of the account's data centre."""

    client_id: str
    client_secret: str = field(repr=False)
    login_url: str
    api_url: str
    connections: int


@dataclass(frozen=True)
class EntraSettings:
    """The app registration that export users sign in to; empty when there is none."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str


@dataclass(frozen=True)
class CustomerInsightsSettings:
    """The Customer Insights REST API; empty when segments are found by files alone."""

    instance_id: str
    api_url: str
    subscription_key: str = field(repr=False)


@dataclass(frozen=True)
class DeveloperIdentity:
    """Who calls while the app runs on a developer's machine; `roles` as in the cloud."""

    name: str
    id: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Everything that the environment says. `auth_enabled`: App Service Authentication is on."""

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


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. ConfigError lists everything that is wrong, by name."""
    read = _Reader(environ)
    storage = read.account("AzureWebJobsStorage", ("blob", "queue", "table"))
    if storage is None:
        read.wrong("AzureWebJobsStorage", "is required: a connection string or its identity form")
        storage = StorageAccount()
    settings = Settings(
        storage=storage,
        segments=SegmentsSettings(
            storage=read.account("SEGMENTS_STORAGE", ("blob",)) or storage,
            container=read.matching(
                "SEGMENTS_CONTAINER", _CONTAINER, "must be the name of a blob container", "segments"
            ),
            root=read.folder("SEGMENTS_ROOT"),
        ),
        public_url=read.public_url(),
        mailchimp=MailchimpSettings(
            client_id=read.text("MAILCHIMP_CLIENT_ID"),
            client_secret=read.text("MAILCHIMP_CLIENT_SECRET"),
            login_url=read.address("MAILCHIMP_LOGIN_URL", "https://login.mailchimp.com"),
            api_url=read.mailchimp_api_url(),
            connections=read.number("MAILCHIMP_CONNECTIONS", 10, highest=10),
        ),
        entra=EntraSettings(
            tenant_id=read.matching("ENTRA_TENANT_ID", _ID, "must be a tenant's id or domain"),
            client_id=read.matching("ENTRA_CLIENT_ID", _ID, "must be an application id"),
            client_secret=read.text("ENTRA_CLIENT_SECRET"),
            authority=read.address(
                "ENTRA_AUTHORITY", "https://login.microsoftonline.com", always_https=True
            ),
        ),
        customer_insights=CustomerInsightsSettings(
            instance_id=read.matching(
                "CUSTOMER_INSIGHTS_INSTANCE_ID", _ID, "must be the id of an environment"
            ),
            api_url=read.address("CUSTOMER_INSIGHTS_API_URL", "https://api.ci.ai.dynamics.com/v1"),
            subscription_key=read.text("CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY"),
        ),
        key_vault_url=read.address("KEY_VAULT_URL", "", always_https=True),
        tick_schedule=read.schedule("TICK_SCHEDULE", "0 */5 * * * *"),
        max_profiles=read.number("MAX_PROFILES", 1_000_000),
        retention_days=read.number("RETENTION_DAYS", 30),
        developer=read.developer("DEVELOPER_IDENTITY"),
        in_azure=read.in_azure,
        auth_enabled=read.text("WEBSITE_AUTH_ENABLED").lower() == "true",
    )
    read.together("MAILCHIMP_CLIENT_ID", "MAILCHIMP_CLIENT_SECRET")
    read.together("ENTRA_CLIENT_ID", "ENTRA_CLIENT_SECRET")
    if settings.entra.client_id and not settings.entra.tenant_id:
        read.wrong("ENTRA_TENANT_ID", "is required together with ENTRA_CLIENT_ID")
    if settings.in_azure and not read.text("KEY_VAULT_URL"):
        read.wrong("KEY_VAULT_URL", "is required in Azure: grants are kept in a key vault")
    read.finish()
    return settings


class _Reader:
    """Reads settings one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[Fault] = []
        self.in_azure = bool(self.text("WEBSITE_INSTANCE_ID") or self.text("WEBSITE_SITE_NAME"))

    def wrong(self, name: str, message: str) -> None:
        if all(fault.field != name for fault in self._faults):
            self._faults.append(Fault(name, message))

    def finish(self) -> None:
        if self._faults:
            listed = "; ".join(f"{fault.field} {fault.message}" for fault in self._faults)
            message = f"The app's settings need attention: {listed}."
            raise ConfigError(message, code="settings", faults=self._faults)

    def text(self, name: str, default: str = "") -> str:
        value = self._environ.get(name, "").strip() or default
        if value.startswith(_UNRESOLVED):
            # The platform hands the reference itself over when it cannot read the vault.
            self.wrong(name, "is a Key Vault reference that could not be resolved")
            return default
        return value

    def matching(self, name: str, pattern: re.Pattern[str], message: str, default: str = "") -> str:
        value = self.text(name, default)
        if value and not pattern.fullmatch(value):
            self.wrong(name, message)
        return value

    def number(self, name: str, default: int, highest: int | None = None) -> int:
        value = self.text(name, str(default))
        number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0
        if number < 1 or (highest and number > highest):
            limit = f"from 1 to {highest}" if highest else "of 1 or more"
            self.wrong(name, f"must be a whole number {limit}")
            return default
        return number

    def together(self, *names: str) -> None:
        """Settings that make sense only together."""
        given = [name for name in names if self.text(name)]
        for name in names:
            if given and name not in given:
                self.wrong(name, f"is required together with {given[0]}")

    def folder(self, name: str) -> str:
        value = self.text(name).strip("/")
        parts = value.split("/")
        if value and ("\\" in value or not all(parts) or {".", ".."} & set(parts)):
            self.wrong(name, "must be a folder of the container, such as `a/b`")
        return value

    def schedule(self, name: str, default: str) -> str:
        value = self.text(name, default)
        fields = value.split()
        if len(fields) != 6 or not all(_SCHEDULE_FIELD.fullmatch(part) for part in fields):
            self.wrong(name, "must have six fields: second minute hour day month weekday")
        return value

    def developer(self, name: str) -> DeveloperIdentity | None:
        """`Display Name <id>; Role` or `...; Role, Role`; local only."""
        value = self.text(name)
        if not value:
            return None
        if self.in_azure:
            self.wrong(name, "must not be set in Azure")
            return None
        found = _IDENTITY.fullmatch(value)
        roles = tuple(re.split(r"\s*,\s*", found[3])) if found else ()
        if not found or not set(roles) <= set(ROLES):
            self.wrong(
                name,
                "must read `Display Name <id>; Role`, with the roles "
                "Administrator, Contributor or Viewer",
            )
            return None
        return DeveloperIdentity(name=found[1].strip(), id=found[2], roles=roles)

    def address(self, name: str, default: str, *, always_https: bool = False) -> str:
        """An address without a trailing slash: https, or loopback outside Azure."""
        value = self.text(name, default).rstrip("/")
        if not value:
            return ""
        url = _split(value)
        if url is None or "{" in value or "}" in value:
            self.wrong(name, "must be an address such as https://host/path")
        elif _is_loopback(url):
            if self.in_azure:
                self.wrong(name, "must not be a loopback address in Azure")
            elif always_https and url.scheme != "https":
                self.wrong(name, "must be an https address")
        elif url.scheme != "https":
            self.wrong(name, "must be an https address (http only on loopback, outside Azure)")
        return value

    def mailchimp_api_url(self) -> str:
        """https with `{dc}` or on a host of Mailchimp's; anything on loopback outside Azure."""
        name = "MAILCHIMP_API_URL"
        value = self.text(name, "https://{dc}.api.mailchimp.com/3.0").rstrip("/")
        plain = value.replace("{dc}", "dc", 1)
        url = _split(plain)
        if url is None or "{" in plain or "}" in plain:
            self.wrong(name, "must be an address such as https://{dc}.api.mailchimp.com/3.0")
        elif _is_loopback(url):
            if self.in_azure:
                self.wrong(name, "must not be a loopback address in Azure")
        elif url.scheme != "https":
            self.wrong(name, "must be an https address (http only on loopback, outside Azure)")
        elif plain == value and not (url.hostname or "").endswith(".api.mailchimp.com"):
            self.wrong(name, "must hold {dc}, or name a host under api.mailchimp.com")
        return value

    def public_url(self) -> str:
        """Where browsers find the app; Azure's own host name when nothing else is said."""
        host = self.text("WEBSITE_HOSTNAME") if self.in_azure else ""
        default = f"https://{host}" if host else "" if self.in_azure else "http://127.0.0.1:7071"
        value = self.address("PUBLIC_URL", default)
        if not value:
            self.wrong("PUBLIC_URL", "is required: the address at which browsers find the app")
        elif (url := _split(value)) and url.path:
            self.wrong("PUBLIC_URL", "must have no path")
        return value

    def account(self, name: str, services: tuple[str, ...]) -> StorageAccount | None:
        """A storage account, by connection string or by identity; None when nothing is said.

        https://learn.microsoft.com/azure/azure-functions/functions-reference#connections
        """
        credential = self.text(f"{name}__credential").lower()
        if credential not in ("", "managedidentity"):
            self.wrong(f"{name}__credential", "must be `managedidentity` or not set")
        client_id = self.matching(f"{name}__clientId", _ID, "must be the id of an identity")
        managed = self.in_azure or bool(credential)
        if value := self.text(name):
            self._check_connection_string(name, value)
            return StorageAccount(value, client_id=client_id, managed=managed)
        account_name = self.matching(
            f"{name}__accountName", _ACCOUNT_NAME, "must be the name of a storage account"
        )
        urls = {
            service: self.address(
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
                self.wrong(f"{name}__{service}ServiceUri", "is required in the identity form")
        return StorageAccount(
            blob_url=urls["blob"],
            queue_url=urls["queue"],
            table_url=urls["table"],
            client_id=client_id,
            managed=managed,
        )

    def _check_connection_string(self, name: str, value: str) -> None:
        parts = dict(part.partition("=")[::2] for part in value.split(";") if part.strip())
        keys = {key.strip().lower(): text.strip() for key, text in parts.items()}
        if keys.get("usedevelopmentstorage", "").lower() == "true":
            if self.in_azure:
                self.wrong(name, "must not be the development storage in Azure")
            return
        shared_key = {"accountname", "accountkey"} <= keys.keys()
        signed = "sharedaccesssignature" in keys and bool(
            {"accountname", "blobendpoint"} & keys.keys()
        )
        if not (shared_key or signed):
            self.wrong(name, "must be the connection string of a storage account")
        elif self.in_azure and "http://" in value.replace(
            "DefaultEndpointsProtocol=http;", "http://"
        ):
            self.wrong(name, "must use https in Azure")


def _split(value: str) -> SplitResult | None:
    """The parts of a plain http(s) address, or None when it is anything else."""
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return None
    plain = url.scheme in ("http", "https") and url.hostname and port != 0
    extra = url.query or url.fragment or "@" in url.netloc or "?" in value or "#" in value
    if not plain or extra or re.search(r"[\s\\]", value):
        return None
    return url


def _is_loopback(url: SplitResult) -> bool:
    host = url.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
