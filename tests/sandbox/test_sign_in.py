"""The steps of Mailchimp's OAuth sign-in."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.mailchimp import Sandbox
from sandbox.mailchimp.world import OAuthApp
from tests.sandbox.conftest import Clock

BACK = "http://127.0.0.1:7071/api/oauth/mailchimp/callback"


@pytest.fixture
def app(sandbox: Sandbox) -> OAuthApp:
    return sandbox.app(BACK)


def decide(sandbox: Sandbox, app: OAuthApp, decision: str = "allow", **more: str) -> dict[str, str]:
    """Press a button of the page. Returns the parameters of the redirect to the app."""
    form = {
        "client_id": app.client_id,
        "redirect_uri": BACK,
        "state": "s&<1>",
        "account": sandbox.account.id,
        "decision": decision,
    }
    url = f"{sandbox.url}/oauth2/authorize"
    answer = requests.post(url, data=form | more, allow_redirects=False, timeout=100)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{BACK}?")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}


def exchange(sandbox: Sandbox, app: OAuthApp, code: str, **more: str) -> tuple[int, Any]:
    form = {
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uri": BACK,
        "code": code,
    }
    answer = requests.post(f"{sandbox.url}/oauth2/token", data=form | more, timeout=100)
    return answer.status_code, answer.json()


def metadata(sandbox: Sandbox, authorization: str) -> requests.Response:
    headers = {"Authorization": authorization}
    return requests.get(f"{sandbox.url}/oauth2/metadata", headers=headers, timeout=100)


def test_the_page_shows_the_user_and_escapes_the_name(sandbox: Sandbox, app: OAuthApp) -> None:
    query = {"response_type": "code", "client_id": app.client_id, "redirect_uri": BACK}

    page = requests.get(
        f"{sandbox.url}/oauth2/authorize", params=query | {"state": '"><script>'}, timeout=100
    )

    assert page.status_code == 200
    assert ">Allow<" in page.text
    assert ">Deny<" in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "wrong",
    [{"redirect_uri": "https://evil.example/"}, {"client_id": "0"}, {"response_type": "token"}],
)
def test_an_invalid_request_is_not_forwarded(
    sandbox: Sandbox, app: OAuthApp, wrong: dict[str, str]
) -> None:
    query = {"response_type": "code", "client_id": app.client_id, "redirect_uri": BACK} | wrong

    page = requests.get(
        f"{sandbox.url}/oauth2/authorize", params=query, allow_redirects=False, timeout=100
    )

    assert page.status_code == 400
    assert "Location" not in page.headers


def test_consenting_returns_a_token_that_never_expires(sandbox: Sandbox, app: OAuthApp) -> None:
    back = decide(sandbox, app)
    status, token = exchange(sandbox, app, back["code"])
    about = metadata(sandbox, f"OAuth {token['access_token']}").json()
    ping = requests.get(
        f"{about['api_endpoint']}/3.0/ping",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=100,
    )

    assert back["state"] == "s&<1>"
    assert (status, token["expires_in"], token["scope"]) == (200, 0, None)
    assert (about["dc"], about["accountname"], about["role"]) == ("us1", "Sandbox", "owner")
    assert about["api_endpoint"] == sandbox.url
    assert ping.status_code == 200


def test_refusing_consent_returns_no_code(sandbox: Sandbox, app: OAuthApp) -> None:
    assert decide(sandbox, app, "deny") == {"error": "access_denied", "state": "s&<1>"}


def test_a_code_works_once_for_the_same_redirect_uri_and_before_it_expires(
    sandbox: Sandbox, app: OAuthApp, clock: Clock
) -> None:
    code = decide(sandbox, app)["code"]
    assert exchange(sandbox, app, code)[0] == 200
    assert exchange(sandbox, app, code) == (400, {"error": "invalid_grant"})

    code = decide(sandbox, app)["code"]
    assert exchange(sandbox, app, code, redirect_uri="http://127.0.0.1/other")[0] == 400

    code = decide(sandbox, app)["code"]
    clock.sleep(601)
    assert exchange(sandbox, app, code) == (400, {"error": "invalid_grant"})


def test_redeeming_a_code_needs_the_client_secret(sandbox: Sandbox, app: OAuthApp) -> None:
    code = decide(sandbox, app)["code"]

    assert exchange(sandbox, app, code, client_secret="guess") == (401, {"error": "invalid_client"})
    assert exchange(sandbox, app, code, grant_type="password")[0] == 400
    assert exchange(sandbox, sandbox.app(BACK), code)[0] == 400


def test_two_sign_ins_of_one_account_share_a_token(sandbox: Sandbox, app: OAuthApp) -> None:
    first = exchange(sandbox, app, decide(sandbox, app)["code"])[1]["access_token"]
    second = exchange(sandbox, app, decide(sandbox, app)["code"])[1]["access_token"]
    other = sandbox.world.add_account("Other")
    third = exchange(sandbox, app, decide(sandbox, app, account=other.id)["code"])[1][
        "access_token"
    ]

    assert first == second != third


def test_an_invalid_token_is_reported(sandbox: Sandbox) -> None:
    answer = metadata(sandbox, "OAuth nonsense")

    assert answer.json()["error"] == "invalid_token"
