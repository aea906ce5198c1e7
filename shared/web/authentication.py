"""Who calls, and what they may do. In doubt, a caller is not signed in.

In Azure, App Service Authentication puts the signed-in caller into `X-MS-CLIENT-PRINCIPAL`. The
header can be forged wherever that authentication is off, so it counts only where it is on.
Outside Azure, and only there, one configured developer replaces it, and only on this machine's own
address (a page of another site that resolves to 127.0.0.1 is not ours).
https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

import orjson

_OBJECT_ID = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
_NAMES = ("preferred_username", "upn", "name")
_APPLICATION = ("appid", "azp")
# The two names that App Service Authentication gives to app roles: as in the token, and mapped.
# `role_typ` of the header does not count: a claim of another type never grants a role.
_ROLE_TYPES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
# Entra's group and role claims make long headers; a principal of this size is not one.
_MOST_CHARACTERS = 64 * 1024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Role(IntEnum):
    """Administrators control where data can go, contributors what and when; viewers read."""

    VIEWER = 1
    CONTRIBUTOR = 2
    ADMINISTRATOR = 3

    @property
    def label(self) -> str:
        """The name as app roles and the HTTP interface have it."""
        return self.name.capitalize()


_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True)
class Principal:
    """A caller that has signed in. `role` is None without any role of this app.

    `name` is what records show: the user name, or the id of an application.
    """

    id: str
    name: str
    role: Role | None
    is_application: bool = False

    def may(self, role: Role) -> bool:
        """Whether the caller has this role or a higher one."""
        return self.role is not None and self.role >= role


@dataclass(frozen=True)
class Authenticator:
    """Finds out who calls.

    `authentication_on` is true where App Service Authentication guards every request
    (`WEBSITE_AUTH_ENABLED`). `developer` counts only while `in_azure` is false.
    """

    authentication_on: bool
    in_azure: bool
    developer: Principal | None = None
    public_url: str = ""

    def principal(self, header: str | None, host: str) -> Principal | None:
        """The caller; None if no one is signed in or the header cannot be read.

        `header` is `X-MS-CLIENT-PRINCIPAL`, `host` the host name of the requested URL.
        """
        if self.authentication_on:
            return _from_header(header)
        if self.in_azure or self.developer is None:
            return None
        own = host in _LOOPBACK or (host and host == urlsplit(self.public_url).hostname)
        return self.developer if own else None


def highest(roles: Iterable[str]) -> Role | None:
    """The highest of these app roles, None when there is none."""
    return max((_ROLES[role] for role in roles if role in _ROLES), default=None)


def origin_of(url: str) -> str:
    """Scheme and authority of a URL, in the form of an Origin header; "" when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if not parts.scheme or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


def _from_header(header: str | None) -> Principal | None:
    """base64 of `{auth_typ, name_typ, role_typ, claims: [{typ, val}]}`; None when it is not."""
    if not header or len(header) > _MOST_CHARACTERS:
        return None
    try:
        raw = base64.b64decode(header, validate=True)
        content = orjson.loads(raw)
    except (binascii.Error, ValueError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("claims"), list):
        return None
    claims = list(_claims(content["claims"]))
    # The first claim of each name counts.
    first = dict(reversed(claims))

    def claimed(*names: str) -> str:
        return next((first[name] for name in names if name in first), "")

    subject = claimed(*_OBJECT_ID)
    if not subject:
        return None
    name = claimed(*_NAMES, str(content.get("name_typ") or "name"))
    return Principal(
        id=subject,
        name=name or claimed(*_APPLICATION) or subject,
        role=highest(value for name, value in claims if name in _ROLE_TYPES),
        is_application=claimed("idtyp") == "app" or not name,
    )


def _claims(listed: list[object]) -> Iterator[tuple[str, str]]:
    for claim in listed:
        if isinstance(claim, Mapping):
            name, value = claim.get("typ"), claim.get("val")
            if isinstance(name, str) and isinstance(value, str) and value:
                yield name, value
