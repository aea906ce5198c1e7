"""How MSAL reaches Entra: over one short session a call, with a timeout and without redirects.

https://learn.microsoft.com/python/api/msal/msal.application.confidentialclientapplication
"""

from __future__ import annotations

from typing import Any

import requests

from shared.errors import Unavailable
from shared.version import USER_AGENT

__all__ = ["Wire"]

_TIMEOUT = (5, 30)


class Wire:
    """The `http_client` that MSAL asks for. Unavailable when nobody answers."""

    def post(self, url: str, **asked: Any) -> requests.Response:
        """A POST."""
        return self._call("POST", url, asked)

    def get(self, url: str, **asked: Any) -> requests.Response:
        """A GET."""
        return self._call("GET", url, asked)

    def close(self) -> None:
        """Nothing is kept open."""

    def _call(self, method: str, url: str, asked: dict[str, Any]) -> requests.Response:
        headers = {**(asked.pop("headers", None) or {}), "User-Agent": USER_AGENT}
        options = {key: asked[key] for key in ("params", "data") if key in asked}
        try:
            with requests.Session() as http:
                answer = http.request(
                    method,
                    url,
                    headers=headers,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    **options,
                )
        except requests.RequestException:
            # MSAL lets this through. Its text may hold the address with the code in it.
            raise Unavailable("entraUnavailable") from None
        if answer.status_code >= requests.codes.server_error:
            raise Unavailable("entraUnavailable")
        return answer
