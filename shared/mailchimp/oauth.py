"""OAuth 2.0 at Mailchimp: the authorization URL, the token exchange and the metadata.

A code is exchanged once, without retries. The access token does not expire (`expires_in: 0`), has no
refresh token, and belongs to the account: two connections to one account have the same token. Of the
metadata only the data centre is used, after validation.
https://mailchimp.com/developer/marketing/guides/access-user-data-oauth-2/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlencode

import orjson
import requests

from shared.errors import Refused, Unavailable
from shared.http_session import BearerToken, HttpSession, no_authentication, read_body
from shared.mailchimp.api_keys import OpenSession, check_grant
from shared.model.connection import CheckedGrant, GrantKind
from shared.version import USER_AGENT

TIMEOUT = (10.0, 30.0)
LONGEST_ANSWER = 100_000

_TOKEN = re.compile(r"[\x21-\x7e]{1,500}")
_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class MailchimpSignIn:
    """Signs in with OAuth 2.0. `login_url`, `client_id` and `client_secret` are settings."""

    login_url: str
    client_id: str
    client_secret: str = field(repr=False)
    open_session: OpenSession

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """The URL of the sign-in page. Mailchimp has no scopes; a grant covers the whole account."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self.login_url}/oauth2/authorize?{urlencode(query)}"

    def redeem(self, code: str, redirect_uri: str) -> CheckedGrant:
        """Exchange an authorization code. Refused when Mailchimp refuses it; Unavailable."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": redirect_uri,
            "code": code,
        }
        base = f"{self.login_url}/oauth2"
        token = _ask("POST", f"{base}/token", form=form).get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            _unusable()
        data_centre = str(_ask("GET", f"{base}/metadata", token=token).get("dc") or "")
        return check_grant(self.open_session, GrantKind.OAUTH, token, data_centre)


def _ask(
    method: str, url: str, *, form: dict[str, str] | None = None, token: str | None = None
) -> dict[str, Any]:
    try:
        with (
            HttpSession() as http,
            http.request(
                method,
                url,
                data=form,
                # The scheme of Mailchimp's metadata endpoint is not Bearer.
                auth=BearerToken(token, "OAuth") if token else no_authentication,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            content = read_body(response, LONGEST_ANSWER)
            status = response.status_code
    except requests.RequestException:
        # Not chained: the cause may contain the URL with the code.
        raise Unavailable("mailchimpSignInUnreachable") from None
    try:
        answer = orjson.loads(content or b"")
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("error"):
        _refuse(answer["error"], status)
    if not isinstance(answer, dict) or not 200 <= status < 300:
        _unusable()
    return answer


def _refuse(error: object, status: int) -> NoReturn:
    code = error if isinstance(error, str) and _CODE.fullmatch(error) else "refused"
    raise Refused("signInRefused", field=code, status=status)


def _unusable() -> NoReturn:
    raise Unavailable("answerBroken")
