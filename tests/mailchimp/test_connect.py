"""Grants by OAuth sign-in and API key, and opening sessions."""

from __future__ import annotations

import dataclasses
import datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from sandbox.mailchimp import Sandbox
from shared.errors import ConfigError, Disconnected, Refused, Unavailable
from shared.mailchimp import oauth
from shared.mailchimp.api_keys import MailchimpApiKeys
from shared.mailchimp.api_url import API_URL, api_base
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.oauth import MailchimpSignIn
from shared.model.connection import Connection, ConnectionStatus, Consent, Grant, GrantKind
from tests.mailchimp.scripted_server import RESET, Answer, ScriptedServer, html, json, problem

LOGIN_URL = "https://login.mailchimp.com"
BACK = "http://127.0.0.1:7071/api/oauth/mailchimp/callback"
NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def connection(kind=GrantKind.API_KEY, data_centre="us1", status=ConnectionStatus.CONNECTED):
    grant = Grant(kind, data_centre, "acc", "Acme", NOW, "me")
    consent = Consent("me", NOW, "en", "1")
    return Connection("c1", "Acme", consent, status=status, grant=grant)


def gateway_to(url, time, stored=None, secret=None):
    return MailchimpGateway(
        lambda connection_id: stored,
        lambda name: secret if name == "mailchimp-c1" else None,
        clock=time.clock,
        sleep=time.sleep,
        random=lambda: 0.5,
        api_url=url,
    )


class Browser:
    """A person at Mailchimp's sign-in page."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def decide(self, url: str, decision: str = "allow") -> dict[str, str]:
        """Return the parameters of the callback."""
        shown = requests.get(url, timeout=100)
        assert shown.status_code == 200, shown.text
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        form = {**asked, "account": self.sandbox.account.id, "decision": decision}
        answer = requests.post(
            f"{self.sandbox.url}/oauth2/authorize", data=form, timeout=100, allow_redirects=False
        )
        back = urlsplit(answer.headers["Location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
        return {name: values[0] for name, values in parse_qs(back.query).items()}


@pytest.fixture
def app(sandbox):
    return sandbox.app(BACK)


@pytest.fixture
def sign_in(sandbox, app, time):
    gateway = gateway_to(sandbox.api_url, time)
    return MailchimpSignIn(sandbox.url, app.client_id, app.client_secret, gateway.open_with)


def test_a_sign_in_returns_the_account(sandbox, sign_in):
    url = sign_in.authorize_url("st&te=1", BACK)
    back = Browser(sandbox).decide(url)
    assert back["state"] == "st&te=1"
    grant = sign_in.redeem(back["code"], BACK)
    assert grant.account.id == sandbox.account.id
    assert grant.account.name == "Sandbox"
    assert grant.data_centre == "us1"
    assert grant.secret not in repr(grant)


def test_two_connections_of_one_account_share_token_and_account(sandbox, sign_in):
    grants = [
        sign_in.redeem(
            Browser(sandbox).decide(sign_in.authorize_url("s", BACK))["code"],
            BACK,
        )
        for _ in range(2)
    ]
    assert grants[0] == grants[1]


def test_a_code_works_once(sandbox, sign_in):
    code = Browser(sandbox).decide(sign_in.authorize_url("s", BACK))["code"]
    sign_in.redeem(code, BACK)
    with pytest.raises(Refused) as caught:
        sign_in.redeem(code, BACK)
    assert (caught.value.code, caught.value.field) == ("signInRefused", "invalid_grant")


def test_a_wrong_secret_or_redirect_uri_is_refused(sandbox, app, sign_in, time):
    code = Browser(sandbox).decide(sign_in.authorize_url("s", BACK))["code"]
    with pytest.raises(Refused):
        sign_in.redeem(code, BACK + "/else")
    wrong = MailchimpSignIn(
        sandbox.url, app.client_id, "wrong", gateway_to(sandbox.api_url, time).open_with
    )
    with pytest.raises(Refused) as caught:
        wrong.redeem("abc", BACK)
    assert caught.value.field == "invalid_client"


def test_a_token_with_expires_in_0_never_expires(sandbox, sign_in, time):
    code = Browser(sandbox).decide(sign_in.authorize_url("s", BACK))["code"]
    grant = sign_in.redeem(code, BACK)
    time.now += 10 * 365 * 86400
    stored = connection(GrantKind.OAUTH, grant.data_centre)
    session = gateway_to(sandbox.api_url, time, stored, grant.secret).open("c1")
    assert session.account() == grant.account
    session.close()


TOKEN = json('{"access_token":"0123456789abcdef","expires_in":0,"scope":null}')


def signing_in_at(server, time):
    api = gateway_to(f"{server.url}/3.0", time)
    return MailchimpSignIn(server.url, "id", "secret", api.open_with)


@pytest.mark.parametrize(
    "dc",
    [
        "evil.example.com",
        "us1.evil.com/",
        "us1@evil",
        "US1",
        "us1234",
        "u1",
        "",
        "us1\n",
        "us1#",
        None,
        7,
    ],
)
def test_only_a_valid_data_centre_is_used(dc, time):
    metadata = json('{"dc":' + (f'"{dc}"' if isinstance(dc, str) else str(dc or "null")) + "}")
    if dc == "us1\n":
        metadata = json('{"dc":"us1\\n"}')
    with ScriptedServer(TOKEN, metadata) as server:
        with pytest.raises(ConfigError):
            signing_in_at(server, time).redeem("code", BACK)
        assert [asked.target for asked in server.asked] == ["/oauth2/token", "/oauth2/metadata"]


def test_api_endpoint_and_login_url_are_never_called(time):
    with ScriptedServer(json("{}")) as evil:
        metadata = json(
            f'{{"dc":"us1","api_endpoint":"{evil.url}","login_url":"{evil.url}","user_id":1}}'
        )
        account = json('{"account_id":"acc","account_name":"Acme"}')
        with ScriptedServer(TOKEN, metadata, json("{}"), account) as server:
            grant = signing_in_at(server, time).redeem("code", BACK)
            targets = [asked.target.partition("?")[0] for asked in server.asked]
            assert targets == ["/oauth2/token", "/oauth2/metadata", "/3.0/ping", "/3.0/"]
            assert server.asked[1].headers["authorization"] == "OAuth 0123456789abcdef"
            assert server.asked[2].headers["authorization"] == "Bearer 0123456789abcdef"
        assert evil.asked == []
    assert grant.account.id == "acc"


def test_a_single_refusal_does_not_hide_which_account_a_grant_is_for(time):
    account = json('{"account_id":"acc","account_name":"Acme"}')
    answers = TOKEN, json('{"dc":"us1"}'), json("{}"), problem(403, "Forbidden"), account
    with ScriptedServer(*answers) as server:
        grant = signing_in_at(server, time).redeem("code", BACK)
    assert grant.account.id == "acc"


def test_the_secret_is_in_the_body_and_never_in_a_url(time):
    with ScriptedServer(json('{"error":"invalid_grant"}')) as server:
        with pytest.raises(Refused):
            signing_in_at(server, time).redeem("c0de", BACK)
        asked = server.asked[0]
    assert asked.target == "/oauth2/token"
    assert "authorization" not in asked.headers
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert form == {
        "grant_type": "authorization_code",
        "client_id": "id",
        "client_secret": "secret",
        "redirect_uri": BACK,
        "code": "c0de",
    }


@pytest.mark.parametrize(
    "answer",
    [
        json('{"error":"invalid_grant"}', 400),
        json('{"error":"invalid_grant"}', 200),
        json('{"error":"ada@example.org is bad"}', 400),
        json('{"error":{"x":1}}', 400),
    ],
)
def test_an_error_in_the_body_counts_regardless_of_the_status(answer, time):
    with ScriptedServer(answer) as server:
        with pytest.raises(Refused) as caught:
            signing_in_at(server, time).redeem("code", BACK)
        assert len(server.asked) == 1
    assert "example.org" not in str(caught.value) + caught.value.field


@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        html(200),
        html(502),
        json("{"),
        json("[]"),
        json("{}"),
        json('{"access_token":""}'),
        json('{"access_token":"two words"}'),
        json('{"access_token":5}'),
        json('{"access_token":"0123456789"}', 500),
        Answer(302, b"", {"Location": "/elsewhere"}),
        json(b" " * 200_000 + b"{}"),
    ],
)
def test_a_broken_response_is_unavailable_and_the_code_is_not_sent_again(answer, time):
    with ScriptedServer(answer) as server:
        with pytest.raises(Unavailable) as caught:
            signing_in_at(server, time).redeem("c0de-here", BACK)
        assert len(server.asked) == 1
    assert "c0de-here" not in repr(caught.value) + repr(caught.value.__cause__)


def test_a_metadata_request_that_hangs_times_out(time, monkeypatch):
    monkeypatch.setattr(oauth, "TIMEOUT", (5.0, 0.2))
    with (
        ScriptedServer(TOKEN, Answer(cut=0, end="hang")) as server,
        pytest.raises(Unavailable),
    ):
        signing_in_at(server, time).redeem("code", BACK)


def test_an_api_key_is_checked_with_mailchimp(sandbox, time):
    api_keys = MailchimpApiKeys(gateway_to(sandbox.api_url, time).open_with)
    grant = api_keys.check(f"  {sandbox.api_key}\n")
    assert grant.secret == sandbox.api_key
    assert grant.account.id == sandbox.account.id
    assert sandbox.calls.count("GET", "/ping") == 1


@pytest.mark.parametrize(
    "key",
    [
        "",
        "abc",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef-",
        "0123456789abcdef0123456789abcdef-evil.com",
        "0123456789abcdef0123456789abcdef-us1.evil.com",
        "0123456789abcdef0123456789abcdef-us1/..",
        "0123456789abcdef 0123456789abcdef-us1",
        "über0123456789-us1",
    ],
)
def test_a_malformed_api_key_is_never_sent(key, time):
    with ScriptedServer(json("{}")) as server:
        with pytest.raises(ConfigError) as caught:
            MailchimpApiKeys(gateway_to(server.url, time).open_with).check(key)
        assert server.asked == []
    assert caught.value.faults[0].field == "apiKey"


def test_a_key_that_mailchimp_accepts_has_its_data_centre(sandbox, time):
    api_keys = MailchimpApiKeys(gateway_to(sandbox.api_url, time).open_with)
    assert api_keys.check(sandbox.api_key).data_centre == "us1"


def test_a_key_refused_by_mailchimp_is_a_fault_of_the_api_key(sandbox, time):
    api_keys = MailchimpApiKeys(gateway_to(sandbox.api_url, time).open_with)
    with pytest.raises(ConfigError) as caught:
        api_keys.check("f" * 32 + "-us1")
    assert caught.value.code == "apiKeyRefused"
    sandbox.disable()
    with pytest.raises(ConfigError) as disabled:
        api_keys.check(sandbox.api_key)
    assert disabled.value.code == "accountDisabled"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(403, "Forbidden"), "forbidden"),
        (problem(503, "Compliance Related"), "methodDisabled"),
        (Answer(302, headers={"Location": "https://example.com/"}), "redirected"),
    ],
)
def test_a_refusal_that_is_not_about_the_key_names_its_own_cause(answer, code, time):
    with ScriptedServer(answer) as server, pytest.raises(ConfigError) as caught:
        MailchimpApiKeys(gateway_to(server.url, time).open_with).check("f" * 32 + "-us1")
    (fault,) = caught.value.faults
    assert (fault.field, fault.code) == ("apiKey", code)
    assert str(answer.status) in fault.message


def test_a_session_is_opened_with_the_stored_grant(sandbox, app, time):
    for kind, secret in (
        (GrantKind.API_KEY, sandbox.api_key),
        (GrantKind.OAUTH, sandbox.token(app)),
    ):
        gateway = gateway_to(sandbox.api_url, time, connection(kind), secret)
        session = gateway.open("c1")
        assert session.account().id == sandbox.account.id
        session.close()


@pytest.mark.parametrize(
    ("stored", "secret", "code"),
    [
        (None, "x", "notConnected"),
        (connection(status=ConnectionStatus.RECONNECT), "x", "reconnect"),
        (connection(status=ConnectionStatus.NOT_CONNECTED), "x", "reconnect"),
        (connection(), None, "secretMissing"),
        (connection(), "", "secretMissing"),
    ],
)
def test_without_a_grant_there_is_no_session(stored, secret, code, time):
    with pytest.raises(Disconnected) as caught:
        gateway_to(API_URL, time, stored, secret).open("c1")
    assert caught.value.code == code


@pytest.mark.parametrize("account", ["acc", "other"])
def test_a_session_continues_with_a_new_grant_only_if_it_is_of_the_same_account(
    account, sandbox, app, time
):
    stored = [connection(GrantKind.OAUTH), sandbox.token(app)]
    gateway = gateway_to(sandbox.api_url, time)
    gateway.connection, gateway.secret = lambda _: stored[0], lambda _: stored[1]
    session = gateway.open("c1")
    sandbox.revoke()
    key = sandbox.world.add_key(sandbox.account)
    grant = dataclasses.replace(connection().grant, account_id=account)
    stored[:] = [dataclasses.replace(stored[0], grant=grant), key]
    if account == "acc":
        assert session.account().id == sandbox.account.id
        sandbox.revoke()
    with pytest.raises(Disconnected) as refused:
        session.account()
    assert refused.value.code == "keyInvalid"
    session.close()


def test_a_stored_data_centre_is_validated_again(time):
    with pytest.raises(ConfigError):
        gateway_to(API_URL, time, connection(data_centre="evil.com/"), "x").open("c1")


def test_a_revoked_token_and_a_disabled_account_are_disconnected(sandbox, app, time):
    gateway = gateway_to(sandbox.api_url, time, connection(GrantKind.OAUTH), sandbox.token(app))
    session = gateway.open("c1")
    sandbox.disable()
    with pytest.raises(Disconnected) as disabled:
        session.audiences()
    sandbox.disable(False)
    sandbox.revoke()
    with pytest.raises(Disconnected) as revoked:
        session.audiences()
    session.close()
    assert (disabled.value.code, revoked.value.code) == ("accountDisabled", "keyInvalid")


def test_the_authorization_url_is_escaped(time):
    url = MailchimpSignIn(LOGIN_URL, "i&d", "", gateway_to(API_URL, time).open_with).authorize_url(
        "s=t", BACK
    )
    query = {"response_type": "code", "client_id": "i&d", "redirect_uri": BACK, "state": "s=t"}
    assert url == f"https://login.mailchimp.com/oauth2/authorize?{urlencode(query)}"


def test_the_api_url_is_built_from_the_data_centre():
    assert api_base(API_URL, "us21") == "https://us21.api.mailchimp.com/3.0"
    assert api_base("http://localhost:8055/{dc}", "us1") == "http://localhost:8055/us1"
    assert api_base("https://us7.api.mailchimp.com/3.0", "us7").startswith("https://us7.")
