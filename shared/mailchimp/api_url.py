"""The URL of an account's API.

Of an account's metadata only the data centre is used, after validation, and the URL is built from it and from the
setting MAILCHIMP_API_URL, which settings.py has validated. The fields `api_endpoint` and `login_url` are ignored.
https://mailchimp.com/developer/marketing/docs/fundamentals/#api-structure
"""

from __future__ import annotations

import re

from shared.errors import ConfigError

API_URL = "https://{dc}.api.mailchimp.com/3.0"

_DATA_CENTRE = re.compile(r"[a-z]{2}[0-9]{1,3}")


def checked_data_centre(text: str) -> str:
    """Return a valid data centre, such as `us21`. ConfigError for anything else."""
    if not _DATA_CENTRE.fullmatch(text):
        raise ConfigError("dataCentre")
    return text


def api_base(template: str, data_centre: str) -> str:
    """Return the base URL of the API. `template` is the setting MAILCHIMP_API_URL."""
    return template.replace("{dc}", checked_data_centre(data_centre))
