"""Reads and validates single settings.

Faults are collected and reported together, by the name of the setting. A value is never repeated: it
may be a secret in the wrong setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from shared.errors import ConfigError, Fault

_UNRESOLVED = "@Microsoft.KeyVault("


class Environment:
    """Reads settings one by one and collects their faults."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[Fault] = []
        self.in_azure = bool(self.text("WEBSITE_INSTANCE_ID") or self.text("WEBSITE_SITE_NAME"))

    def wrong(self, name: str, code: str, **values: str | int) -> None:
        """Add a fault of a setting, unless it has one already."""
        if all(fault.field != name for fault in self._faults):
            written = {key: str(value) for key, value in values.items()}
            self._faults.append(Fault(name, code=code, values=written))

    def finish(self) -> None:
        """Raise ConfigError with all collected faults, if there are any."""
        if self._faults:
            names = ", ".join(fault.field for fault in self._faults)
            raise ConfigError("settings", faults=self._faults, settings=names)

    def text(self, name: str, default: str = "") -> str:
        """Read a setting without surrounding whitespace, or its default."""
        value = self._environ.get(name, "").strip() or default
        if value.startswith(_UNRESOLVED):
            # The platform passes the reference itself when it cannot read the vault.
            self.wrong(name, "settingUnresolved")
            return default
        return value

    def matching(self, name: str, pattern: re.Pattern[str], code: str, default: str = "") -> str:
        """Read a setting that must match a pattern unless it is empty."""
        value = self.text(name, default)
        if value and not pattern.fullmatch(value):
            self.wrong(name, code)
        return value

    def number(self, name: str, default: int, highest: int | None = None) -> int:
        """Read an integer from 1 to `highest`."""
        value = self.text(name, str(default))
        number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0
        if number < 1 or (highest and number > highest):
            if highest:
                self.wrong(name, "settingNumberRange", most=highest)
            else:
                self.wrong(name, "settingNumber")
            return default
        return number

    def together(self, *names: str) -> None:
        """Check that either all of these settings are set, or none."""
        given = [name for name in names if self.text(name)]
        for name in names:
            if given and name not in given:
                self.wrong(name, "settingRequiredWith", other=given[0])

    def address(self, name: str, default: str, *, always_https: bool = False) -> str:
        """Read a URL without a trailing slash: https, or loopback outside Azure."""
        value = self.text(name, default).rstrip("/")
        if not value:
            return ""
        url = split_address(value)
        if url is None or "{" in value or "}" in value:
            self.wrong(name, "settingAddress", example="https://host/path")
        elif is_loopback(url):
            if self.in_azure:
                self.wrong(name, "settingLoopback")
            elif always_https and url.scheme != "https":
                self.wrong(name, "settingHttps")
        elif url.scheme != "https":
            self.wrong(name, "settingHttpsOrLoopback")
        return value


def split_address(value: str) -> SplitResult | None:
    """Split an http(s) URL without query, fragment and credentials; None for any other."""
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


def is_loopback(url: SplitResult) -> bool:
    """Whether a URL refers to this machine."""
    host = url.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
