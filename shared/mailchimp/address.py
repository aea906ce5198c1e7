"""Where calls to Mailchimp may go: its own hosts, or loopback while developing, and nowhere else.

Only the data centre is taken from what Mailchimp says about an account, and only when it looks
like one; the address is built from it here. `api_endpoint` and `login_url` are never used.
https://mailchimp.com/developer/marketing/docs/fundamentals/#api-structure
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from shared.errors import ConfigError

__all__ = ["API_URL", "LOGIN_URL", "api_base", "checked_data_centre", "login_base"]

API_URL = "https://{dc}.api.mailchimp.com/3.0"
LOGIN_URL = "https://login.mailchimp.com"

_DATA_CENTRE = re.compile(r"[a-z]{2}[0-9]{1,3}")


def checked_data_centre(text: str) -> str:
    """The data centre, such as `us21`. ConfigError for anything else."""
    if not _DATA_CENTRE.fullmatch(text):
        message = "Mailchimp's data centre is not usable."
        raise ConfigError(message, code="dataCentre")
    return text


def api_base(template: str, data_centre: str) -> str:
    """The address all API paths start from, without a slash at its end.

    `template` is the setting MAILCHIMP_API_URL. ConfigError unless it is Mailchimp's own or
    points to this machine.
    """
    data_centre = checked_data_centre(data_centre)
    template = template.rstrip("/")
    if template != API_URL and not _is_loopback(template):
        message = "MAILCHIMP_API_URL is neither Mailchimp's address nor on this machine."
        raise ConfigError(message)
    return template.replace("{dc}", data_centre)


def login_base(url: str) -> str:
    """The address of the sign-in pages, checked like `api_base` (setting MAILCHIMP_LOGIN_URL)."""
    url = url.rstrip("/")
    if url != LOGIN_URL and not _is_loopback(url):
        message = "MAILCHIMP_LOGIN_URL is neither Mailchimp's address nor on this machine."
        raise ConfigError(message)
    return url


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url.replace("{dc}", "us1"))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
