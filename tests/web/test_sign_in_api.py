"""Sign-in through a provider's page and its callback."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.client import ORIGIN, Response, call, get, new_connection, new_export, send
from tests.web.world import KEY, OTHER_KEY, World


def leave(world: World, connection: str, way: str = "mailchimp") -> tuple[str, str]:
    """The state that travels, and the browser's cookie."""
    answer = call(world, "POST", f"/api/connections/{connection}/{way}/authorize")
    assert answer.status == 200
    url: Any = answer.json()
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    return parse_qs(urlsplit(url["authorizeUrl"]).query)["state"][0], cookie.partition(";")[0]


def come_back(
    world: World, state: str, cookie: str, code: str = "good", way: str = "mailchimp"
) -> Response:
    path = f"/api/oauth/{way}/callback?state={state}&code={code}"
    # A top-level navigation that another site has started.
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}
    return call(world, "GET", path, headers=headers)


def test_a_sign_in_connects_the_connection() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    state, cookie = leave(world, connection)
    world.sign_in.codes["good"] = KEY
    answer = come_back(world, state, cookie)
    assert answer.status == 303
    assert answer.headers["Location"] == f"/connections/{connection}?done=connected"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert state.encode() not in answer.body
    shown = get(world, f"/api/connections/{connection}")
    assert shown["status"] == "connected"
    assert shown["mailchimp"]["kind"] == "oauth"


def test_after_a_disconnection_a_sign_in_to_another_account_is_refused() -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection, displayName="Weekly news")
    send(world, "DELETE", f"/api/connections/{connection}/mailchimp")
    world.sign_in.codes |= {"good": KEY, "other": OTHER_KEY}

    state, cookie = leave(world, connection)
    refused = come_back(world, state, cookie, "other")
    assert b"Weekly news. They use Contoso, and this is Fabrikam." in refused.body
    assert not world.secrets.kept

    state, cookie = leave(world, connection)
    assert come_back(world, state, cookie).status == 303
    assert list(world.secrets.kept.values()) == [KEY]


def test_the_redirect_uri_is_a_setting() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    forged = {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"}
    answer = call(
        world, "POST", f"/api/connections/{connection}/mailchimp/authorize", headers=forged
    )
    assert f"redirect_uri={ORIGIN}/api/oauth/mailchimp/callback" in answer.json()["authorizeUrl"]


def test_a_callback_works_once() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    state, cookie = leave(world, connection)
    world.sign_in.codes |= {"good": KEY, "other": OTHER_KEY}
    assert come_back(world, state, cookie).status == 303
    assert come_back(world, state, cookie, "other").status == 400
    assert list(world.secrets.kept.values()) == [KEY]


def test_a_callback_must_come_from_the_browser_and_the_person_that_started() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    world.sign_in.codes["good"] = KEY
    state, cookie = leave(world, connection)
    assert come_back(world, state, "signin=other").status == 400
    assert b"The sign-in is incomplete" in come_back(world, state, "").body
    somebody_else = world.seen_by(world.services.authenticator.developer.role)
    assert b"Another person started" in come_back(somebody_else, state, cookie).body
    assert not world.secrets.kept
    assert come_back(world, state, cookie).status == 303


def begin_with_token(world: World, connection: str, **headers: str) -> tuple[str, str]:
    """Start a sign-in as a program with a token. Returns the state, and the cookie that the app sets."""
    path = f"/api/connections/{connection}/mailchimp/authorize"
    answer = call(world, "POST", path, headers={"Authorization": "Bearer token", **headers})
    state = parse_qs(urlsplit(answer.json()["authorizeUrl"]).query)["state"][0]
    return state, answer.headers.get("Set-Cookie", "").partition(";")[0]


def test_a_sign_in_that_a_portal_starts_with_a_token_needs_the_same_person_and_no_cookie() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    world.sign_in.codes |= {"good": KEY, "other": OTHER_KEY}
    state, cookie = begin_with_token(world, connection)
    assert not cookie
    somebody_else = world.seen_by(world.services.authenticator.developer.role)
    assert b"Another person started" in come_back(somebody_else, state, "").body
    assert come_back(world, f"{state}x", "").status == 400
    assert not world.secrets.kept
    # The browser may have the cookie of another sign-in.
    assert come_back(world, state, "signin=other").status == 303
    assert come_back(world, state, "", "other").status == 400
    assert list(world.secrets.kept.values()) == [KEY]


def test_a_sign_in_that_is_started_with_a_token_and_cookies_is_bound_to_the_browser() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    world.sign_in.codes["good"] = KEY
    state, cookie = begin_with_token(world, connection, Cookie="other=1", Origin=ORIGIN)
    assert b"The sign-in is incomplete" in come_back(world, state, "").body
    assert come_back(world, state, cookie).status == 303


def test_a_sign_in_expires_soon() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    world.sign_in.codes["good"] = KEY
    state, cookie = leave(world, connection)
    world.pass_time(601)
    assert come_back(world, state, cookie).status == 400
    assert not world.secrets.kept


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=x",
        "?code=x",
        "?error=access_denied&state=x",
        "?state=<script>alert(1)</script>&code=x",
        "?state=" + "x" * 5000 + "&code=x",
        "?state=%ED%95%9C&code=%00",
    ],
)
def test_an_invalid_callback_is_refused_without_repeating_its_parameters(query: str) -> None:
    answer = call(World(), "GET", f"/api/oauth/mailchimp/callback{query}")
    assert answer.status == 400
    assert b"script" not in answer.body
    assert b"access_denied" not in answer.body
    assert b"<h1>Not connected</h1>" in answer.body


def test_a_code_refused_by_mailchimp_changes_nothing() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    state, cookie = leave(world, connection)
    assert come_back(world, state, cookie, "bad").status == 400
    assert get(world, f"/api/connections/{connection}")["status"] == "notConnected"


def test_changing_the_account_is_refused_while_exports_use_the_connection() -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection)
    state, cookie = leave(world, connection)
    world.sign_in.codes["good"] = OTHER_KEY
    answer = come_back(world, state, cookie)
    assert answer.status == 400
    assert b"not the Mailchimp account" in answer.body
    assert list(world.secrets.kept.values()) == [KEY]


def test_over_https_the_cookie_has_the_host_prefix() -> None:
    world = World()
    world.serve(replace(world.services, public_url="https://app.example.com"))
    connection = new_connection(world, connected=False)
    answer = call(world, "POST", f"/api/connections/{connection}/mailchimp/authorize")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-signin=")
    assert cookie.endswith("; Secure")
    assert "Path=/;" in cookie
    assert "Domain" not in cookie


def test_a_sign_in_without_a_mailchimp_client_reports_what_is_missing() -> None:
    world = World()
    sign_ins = replace(world.services.sign_ins, mailchimp=None)
    world.serve(replace(world.services, sign_ins=sign_ins))
    connection = new_connection(world, connected=False)
    path = f"/api/connections/{connection}/mailchimp/authorize"
    problem = send(world, "POST", path, status=400)
    assert "MAILCHIMP_CLIENT_ID" in problem["detail"]
    assert call(world, "GET", "/api/oauth/mailchimp/callback?state=x&code=y").status == 400


def test_an_export_user_can_be_added_and_removed() -> None:
    world = World()
    connection = new_connection(world)
    state, cookie = leave(world, connection, "export-user")
    assert come_back(world, state, cookie, way="mailchimp").status == 400
    assert come_back(world, state, cookie, way="entra").status == 303
    shown = get(world, f"/api/connections/{connection}")
    assert shown["exportUser"]["name"] == "export.user@contoso.example"
    assert "token-good" in world.secrets.kept.values()
    path = f"/api/connections/{connection}/export-user"
    assert send(world, "DELETE", path)["exportUser"] is None
    assert "token-good" not in world.secrets.kept.values()
    assert send(world, "DELETE", path, status=404)["code"] == "exportUserNotFound"
    assert "contoso.example" not in str(world.audit.kept)


def test_a_sign_in_needs_a_connection() -> None:
    send(World(), "POST", "/api/connections/none/mailchimp/authorize", status=404)


def test_malformed_cookies_are_ignored() -> None:
    headers = {"Cookie": "\x00=;;=,"}
    assert call(World(), "GET", "/api/exports", headers=headers).status == 200
