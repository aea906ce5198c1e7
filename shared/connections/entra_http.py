"""The HTTP client that MSAL uses: one session per call, with a timeout and without redirects.

https://learn.microsoft.com/python/api/msal/msal.application.confidentialclientapplication
"""

from __future__ import annotations

from typing import Any

import requests

from shared.errors import Unavailable
from shared.http_session import HttpSession
from shared.version import USER_AGENT

_TIMEOUT = (5, 30)


class EntraHttpClient:
    """The `http_client` of MSAL. Unavailable when Entra does not answer."""

    def post(self, url: str, **options: Any) -> requests.Response:
        """Send a POST request."""
        return self._call("POST", url, options)

    def get(self, url: str, **options: Any) -> requests.Response:
        """Send a GET request."""
        return self._call("GET", url, options)

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

    def _call(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        headers = {**(options.pop("headers", None) or {}), "User-Agent": USER_AGENT}
        body = {key: options[key] for key in ("params", "data") if key in options}
        try:
            with HttpSession() as http:
                answer = http.request(
                    method,
                    url,
                    headers=headers,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    **body,
                )
        except requests.RequestException:
            # MSAL does not catch this. The text may contain the URL with the code.
            raise Unavailable("entraUnavailable") from None
        if answer.status_code >= requests.codes.server_error:
            raise Unavailable("entraUnavailable")
        return answer
