"""URLs of the Mailchimp API: Mailchimp's own hosts only, or loopback for development.

Of an account's metadata only the data centre is used, after validation, and the URL is built from it.
The fields `api_endpoint` and `login_url` are ignored.
https://mailchimp.com/developer/marketing/docs/fundamentals/#api-structure
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from shared.errors import ConfigError

API_URL = "https://{dc}.api.mailchimp.com/3.0"

_DATA_CENTRE = re.compile(r"[a-z]{2}[0-9]{1,3}")


def checked_data_centre(text: str) -> str:
    """Return a valid data centre, such as `us21`. ConfigError for anything else."""
    if not _DATA_CENTRE.fullmatch(text):
        raise ConfigError("dataCentre")
    return text


def api_base(template: str, data_centre: str) -> str:
    """Return the base URL of the API, without a trailing slash.

    `template` is the setting MAILCHIMP_API_URL: https on a host of Mailchimp, or a loopback URL.
    ConfigError for any other.
    """
    data_centre = checked_data_centre(data_centre)
    url = template.rstrip("/").replace("{dc}", data_centre)
    parts = _parts(url)
    official = parts.scheme == "https" and (parts.hostname or "").endswith(".api.mailchimp.com")
    if not official and not _is_loopback(parts):
        raise ConfigError("mailchimpApiUrl")
    return url


def login_base(url: str) -> str:
    """Return the base URL of the sign-in pages (MAILCHIMP_LOGIN_URL): https or loopback."""
    parts = _parts(url)
    if parts.scheme != "https" and not _is_loopback(parts):
        raise ConfigError("mailchimpLoginUrl")
    return url.rstrip("/")


def _parts(url: str) -> SplitResult:
    """Split a URL. Returns empty parts when it has credentials, a query or a fragment."""
    empty = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return empty
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts if plain and parts.hostname else empty


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
