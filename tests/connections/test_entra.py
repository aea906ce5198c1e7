"""Sign-in, renewal and loss of an export user with a real OpenID provider."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.connections.entra import AppRegistration, Entra, PendingSignIn, Renewed
from shared.connections.export_users import ExportUsers
from shared.errors import ConfigError, ConnectorError, Disconnected, Refused, Unavailable
from shared.model.connection import Connection, Consent
from tests.connections.oidc import CLIENT_ID, CLIENT_SECRET, REDIRECT, TENANT, Provider, provider
from tests.fakes import VisibleRecords

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
STATE = "state-of-this-sign-in"


@pytest.fixture(scope="module")
def entra_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest.fixture(autouse=True)
def _trusted(entra_server: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(entra_server.certificate))
    yield
    entra_server.say("back")


@pytest.fixture
def registration(entra_server: Provider) -> AppRegistration:
    return AppRegistration(TENANT, CLIENT_ID, CLIENT_SECRET, entra_server.authority)


@pytest.fixture
def pending() -> VisibleRecords[PendingSignIn]:
    return VisibleRecords()


@pytest.fixture
def entra(registration: AppRegistration, pending: VisibleRecords[PendingSignIn]) -> Entra:
    return Entra(registration, pending, lambda: NOW)


def signed_in(entra: Entra, server: Provider) -> str:
    """The secret that is stored for a person who signed in."""
    back = server.sign_in(entra.authorize_url(STATE, REDIRECT), "kim")
    return entra.redeem(STATE, back["code"], REDIRECT)[1]


def test_a_sign_in_records_the_person_and_the_time(
    entra: Entra, entra_server: Provider, pending: VisibleRecords[PendingSignIn]
) -> None:
    url = entra.authorize_url(STATE, REDIRECT)
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["state"] == [STATE]
    assert asked["nonce"]
    [waiting] = pending.all()
    assert waiting.value.flow["code_verifier"] not in url

    back = entra_server.sign_in(url)
    user, secret = entra.redeem(back["state"], back["code"], REDIRECT)

    assert (user.name, user.object_id) == ("kim@contoso.example", "oid-of-kim")
    assert (user.tenant_id, user.added_at, user.valid) == (TENANT, NOW, True)
    assert "refresh" in secret.casefold()
    assert list(pending.all()) == []


def test_without_the_api_only_the_identity_is_requested(
    registration: AppRegistration, entra_server: Provider
) -> None:
    plain = Entra(dataclasses.replace(registration, scopes=()), VisibleRecords(), lambda: NOW)
    url = plain.authorize_url(STATE, REDIRECT)
    assert "api.ci.ai" not in url
    back = entra_server.sign_in(url)
    user, secret = plain.redeem(STATE, back["code"], REDIRECT)
    assert user.object_id == "oid-of-kim"
    assert plain.renew(secret).token


def test_a_code_is_redeemed_once_and_for_its_own_sign_in(
    entra: Entra, entra_server: Provider
) -> None:
    back = entra_server.sign_in(entra.authorize_url(STATE, REDIRECT))
    with pytest.raises(ConfigError, match="not valid"):
        entra.redeem("another-state", back["code"], REDIRECT)
    entra.redeem(STATE, back["code"], REDIRECT)
    with pytest.raises(ConfigError, match="not valid"):
        entra.redeem(STATE, back["code"], REDIRECT)

    other = entra_server.sign_in(entra.authorize_url("second", REDIRECT))
    entra.authorize_url("third", REDIRECT)
    with pytest.raises(Refused):  # the verifier of the third does not fit the second's code
        entra.redeem("third", other["code"], REDIRECT)


def test_an_expired_sign_in_is_deleted(
    registration: AppRegistration,
    pending: VisibleRecords[PendingSignIn],
    entra_server: Provider,
    entra: Entra,
) -> None:
    back = entra_server.sign_in(entra.authorize_url(STATE, REDIRECT))
    later = Entra(registration, pending, lambda: NOW + timedelta(minutes=16))
    with pytest.raises(ConfigError, match="not valid"):
        later.redeem(STATE, back["code"], REDIRECT)
    later.authorize_url("another", REDIRECT)
    assert len(list(pending.all())) == 1


def test_a_wrong_client_secret_is_reported_by_its_setting(
    registration: AppRegistration, pending: VisibleRecords[PendingSignIn], entra_server: Provider
) -> None:
    wrong = Entra(dataclasses.replace(registration, client_secret="another"), pending, lambda: NOW)
    back = entra_server.sign_in(wrong.authorize_url(STATE, REDIRECT))
    with pytest.raises(ConfigError, match="ENTRA_CLIENT_SECRET"):
        wrong.redeem(STATE, back["code"], REDIRECT)


def test_a_token_is_renewed_without_interaction(entra: Entra, entra_server: Provider) -> None:
    secret = signed_in(entra, entra_server)
    first = entra.renew(secret)
    second = entra.renew(first.secret or secret)
    assert first.token != second.token
    assert second.secret is not None
    assert "token" not in repr(first).replace("Renewed(", "")


@pytest.mark.parametrize("what", ["gone", "withdraw"])
def test_a_deleted_user_or_withdrawn_consent_requires_adding_the_user_again(
    entra: Entra, entra_server: Provider, what: str
) -> None:
    secret = signed_in(entra, entra_server)
    entra_server.say(what)
    with pytest.raises(Disconnected) as lost:
        entra.renew(secret)
    assert lost.value.code == "exportUserDisconnected"
    assert "kim" not in str(lost.value)


def test_a_missing_token_cache_requires_adding_the_export_user_again(entra: Entra) -> None:
    for secret in ("", "{}", "no JSON", "[]"):
        with pytest.raises(Disconnected):
            entra.renew(secret)


def test_an_unreachable_entra_is_unavailable(
    registration: AppRegistration,
    pending: VisibleRecords[PendingSignIn],
    entra: Entra,
    entra_server: Provider,
) -> None:
    secret = signed_in(entra, entra_server)
    nowhere = dataclasses.replace(registration, authority="https://localhost:1")
    with pytest.raises(Unavailable):
        Entra(nowhere, pending, lambda: NOW).renew(secret)


def test_the_app_gets_a_token_with_its_client_secret(entra: Entra) -> None:
    assert entra.app_token().token


# --- export users of connections -----------------------------------------------------------


class Store:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def put(self, name: str, value: str) -> None:
        self.kept[name] = value


class People:
    """Connections with an export user each."""

    def __init__(self, entra: Entra, server: Provider) -> None:
        self.records: VisibleRecords[Connection] = VisibleRecords()
        self.store = Store()
        self._entra, self._server = entra, server

    def add(self, key: str, name: str, added_at: datetime) -> Connection:
        back = self._server.sign_in(self._entra.authorize_url(key, REDIRECT), name)
        user, secret = self._entra.redeem(key, back["code"], REDIRECT)
        connection = Connection(
            id=key,
            display_name=key,
            consent=Consent("kim", NOW, "en", "1"),
            export_user=dataclasses.replace(user, added_at=added_at),
        )
        self.records.keep(key, connection)
        self.store.put(connection.export_user_secret_name, secret)
        return connection

    def is_valid(self, key: str) -> bool:
        stored = self.records.read(key)
        return bool(stored and stored.value.export_user and stored.value.export_user.valid)


@pytest.fixture
def people(entra: Entra, entra_server: Provider) -> People:
    return People(entra, entra_server)


def test_the_newest_export_user_is_used_and_renewed(people: People, entra: Entra) -> None:
    old = people.add("c1", "kim", NOW)
    new = people.add("c2", "lee", NOW + timedelta(days=1))
    before = dict(people.store.kept)
    users = ExportUsers(people.records, people.store, entra, None, lambda: NOW)

    assert users.token()
    assert people.store.kept[old.export_user_secret_name] == before[old.export_user_secret_name]
    assert people.store.kept[new.export_user_secret_name] != before[new.export_user_secret_name]


def test_a_token_is_not_stored_for_an_export_user_who_was_removed_meanwhile(
    people: People, entra: Entra, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = people.add("c1", "kim", NOW)
    renew = entra.renew

    def removed_meanwhile(secret: str) -> Renewed:
        people.records.keep("c1", dataclasses.replace(connection, export_user=None))
        people.store.kept.clear()
        return renew(secret)

    monkeypatch.setattr(Entra, "renew", lambda _, secret: removed_meanwhile(secret))
    users = ExportUsers(people.records, people.store, entra, None, lambda: NOW)
    assert users.token()
    assert not people.store.kept


def test_a_lost_export_user_is_marked_and_the_app_uses_its_own_identity(
    people: People, entra: Entra, entra_server: Provider
) -> None:
    people.add("c1", "kim", NOW)
    users = ExportUsers(
        people.records, people.store, entra, lambda: "token of the app", lambda: NOW
    )
    entra_server.say("gone")

    assert users.token() == "token of the app"
    assert not people.is_valid("c1")


def test_without_an_export_user_the_error_asks_to_add_one(people: People, entra: Entra) -> None:
    users = ExportUsers(people.records, people.store, entra, None, lambda: NOW)
    with pytest.raises(ConnectorError) as missing:
        users.token()
    assert missing.value.code == "exportUserMissing"


def test_an_export_user_refused_by_customer_insights_must_be_added_again(
    people: People, entra: Entra
) -> None:
    people.add("c1", "kim", NOW)
    users = ExportUsers(people.records, people.store, entra, None, lambda: NOW)
    users.token()
    users.refused()
    assert not people.is_valid("c1")


def test_a_busy_entra_marks_no_export_user(people: People, registration: AppRegistration) -> None:
    people.add("c1", "kim", NOW)
    nowhere = dataclasses.replace(registration, authority="https://localhost:1")
    away = Entra(nowhere, VisibleRecords(), lambda: NOW)
    users = ExportUsers(people.records, people.store, away, None, lambda: NOW)
    with pytest.raises(Unavailable):
        users.token()
    assert people.is_valid("c1")
