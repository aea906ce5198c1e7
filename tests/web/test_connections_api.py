"""Connections over HTTP, for administrators and contributors."""

from typing import Any

import pytest

from shared.connections.connections import CONSENT_TEXT_VERSION
from shared.model.connection import ConnectionStatus
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import (
    call,
    export_body,
    faults,
    get,
    new_connection,
    new_export,
    send,
)
from tests.web.world import KEY, OTHER_KEY, World


def test_consent_is_stored_with_person_time_and_text() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    shown = get(world, f"/api/connections/{connection}")
    assert shown["consent"] == {
        "agreedBy": "Ada",
        "agreedAt": "2026-11-23T09:00:00.000Z",
        "locale": "en",
        "textVersion": CONSENT_TEXT_VERSION,
    }
    assert shown["status"] == "notConnected"


@pytest.mark.parametrize("agreed", [False, None, "true", 1])
def test_no_connection_is_created_without_consent(agreed: object) -> None:
    world = World()
    body = {"displayName": "Main", "consent": {"agreed": agreed, "locale": "ko"}}
    answer = call(world, "POST", "/api/connections", body)
    assert answer.status == 400
    assert list(faults(answer)) == ["consent.agreed"]
    assert not world.connections.kept


def test_a_body_without_consent_is_a_fault_of_the_checkbox_as_well() -> None:
    for body in ({"displayName": "Main"}, {"displayName": "Main", "consent": None}):
        answer = call(World(), "POST", "/api/connections", body)
        assert answer.status == 400
        assert {"consent", "consent.agreed"} == set(faults(answer))


def test_a_missing_consent_is_named_beside_the_other_faults() -> None:
    body = {"displayName": " ", "consent": {"agreed": False, "locale": "fr"}, "sharedWith": ["All"]}
    answer = call(World(), "POST", "/api/connections", body)
    assert answer.status == 400
    expected = ["consent.agreed", "consent.locale", "displayName", "sharedWith[0]"]
    assert sorted(faults(answer)) == expected


def test_creating_a_connection_returns_its_location_and_etag() -> None:
    world = World()
    body = {"displayName": " Main ", "consent": {"agreed": True, "locale": "ko"}}
    answer = call(world, "POST", "/api/connections", body)
    made: Any = answer.json()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/connections/{made['id']}"
    assert answer.headers["ETag"].startswith('"')
    assert made["displayName"] == "Main"


def test_an_api_key_is_stored_only_after_mailchimp_accepts_it() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    path = f"/api/connections/{connection}/mailchimp/api-key"
    for bad in ("nonsense", "0123456789abcdef0123456789abcde0-us21"):
        assert list(faults(call(world, "PUT", path, {"apiKey": bad}))) == ["apiKey"]
    assert not world.secrets.kept
    shown = send(world, "PUT", path, {"apiKey": KEY})
    assert shown["status"] == "connected"
    assert shown["mailchimp"]["accountId"] == "acc-1"
    assert list(world.secrets.kept.values()) == [KEY]


def test_an_api_key_is_never_shown_or_recorded() -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection)
    for path in (f"/api/connections/{connection}", "/api/connections", "/api/audit"):
        assert KEY.encode() not in call(world, "GET", path).body


def test_disconnecting_deletes_the_key() -> None:
    world = World()
    connection = new_connection(world)
    shown = send(world, "DELETE", f"/api/connections/{connection}/mailchimp")
    assert shown["status"] == "notConnected"
    assert shown["mailchimp"] is None
    assert not world.secrets.kept


def test_an_account_may_have_several_connections() -> None:
    world = World()
    first, second = new_connection(world, "One"), new_connection(world, "Two")
    ids = {get(world, f"/api/connections/{c}")["mailchimp"]["accountId"] for c in (first, second)}
    assert ids == {"acc-1"}


def test_a_connection_in_use_cannot_change_its_account() -> None:
    world = World()
    connection = new_connection(world)
    path = f"/api/connections/{connection}/mailchimp/api-key"
    assert send(world, "PUT", path, {"apiKey": OTHER_KEY})["mailchimp"]["accountId"] == "acc-2"
    new_export(world, connection, displayName="Weekly news")
    problem = send(world, "PUT", path, {"apiKey": KEY}, 409)
    assert problem["code"] == "otherAccount"
    assert "Weekly news" in problem["detail"]
    assert "They use Fabrikam, and this is Contoso." in problem["detail"]
    assert list(world.secrets.kept.values()) == [OTHER_KEY]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_after_a_disconnection_exports_still_belong_to_their_account(language: str) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection, displayName="Weekly news")
    path = f"/api/connections/{connection}/mailchimp"
    send(world, "DELETE", path)
    send(world, "DELETE", path)

    page = Browser(world, language).open(f"/connections/{connection}")
    page.send(f"/connections/{connection}/api-key", {"apiKey": OTHER_KEY})
    for name in ("Weekly news", "Contoso", "Fabrikam"):
        assert name in page.between('id="errors"', "</div>")
    assert not world.secrets.kept

    assert send(world, "PUT", f"{path}/api-key", {"apiKey": KEY})["status"] == "connected"
    send(world, "DELETE", path)
    send(world, "POST", f"/api/exports/{export}/detach-connection")
    connected = send(world, "PUT", f"{path}/api-key", {"apiKey": OTHER_KEY})
    assert connected["mailchimp"]["accountId"] == "acc-2"


def test_removing_a_connection_in_use_names_its_exports() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection, displayName="Weekly news")
    path = f"/api/connections/{connection}"
    problem = send(world, "DELETE", path, status=409)
    assert "Weekly news" in problem["detail"]
    send(world, "DELETE", f"{path}?detachExports=true", status=204)
    assert get(world, path, 404)["code"] == "connectionNotFound"
    assert get(world, f"/api/exports/{export}")["connectionId"] is None
    assert not world.secrets.kept


def test_exports_with_active_runs_are_not_detached() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    send(world, "POST", f"/api/exports/{export}/runs", status=202)
    path = f"/api/connections/{connection}?detachExports=true"
    assert send(world, "DELETE", path, status=409)["code"] == "exportRunning"
    assert get(world, f"/api/exports/{export}")["connectionId"] == connection


def test_a_response_can_be_changed_and_sent_back() -> None:
    world = World()
    connection = new_connection(world)
    path = f"/api/connections/{connection}"
    read = call(world, "GET", path)
    body: Any = read.json()
    body["displayName"] = "Renamed"
    body["sharedWith"] = ["Contributor"]
    etag = {"If-Match": read.headers["ETag"]}
    changed = call(world, "PUT", path, body, etag)
    assert changed.status == 200
    assert changed.json()["displayName"] == "Renamed"
    assert call(world, "PUT", path, body, etag).status == 412
    assert call(world, "DELETE", path, headers=etag).status == 412
    assert call(world, "DELETE", path, headers={"If-Match": "*"}).status == 204


def test_a_contributor_sees_a_connection_without_its_users() -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    for role in (Role.CONTRIBUTOR, Role.VIEWER):
        shown = get(world.seen_by(role), f"/api/connections/{connection}")
        assert shown["displayName"] == "Main"
        assert "Ada" not in str(shown)
        assert shown["mailchimp"] is shown["consent"] is None


def test_a_contributor_sees_shared_accounts_only() -> None:
    world = World()
    bob = world.seen_by(Role.CONTRIBUTOR)
    shared = new_connection(world, "Shared", sharedWith=["Contributor"])
    own = new_connection(world, "Own")
    assert get(bob, f"/api/connections/{shared}/audiences")["value"][0]["id"] == "a1b2c3d4e5"
    problem = get(bob, f"/api/connections/{own}/audiences", 403)
    assert problem["code"] == "connectionNotShared"
    answer = call(bob, "POST", "/api/exports", export_body(own))
    assert list(faults(answer)) == ["connectionId"]


def test_audiences_and_merge_fields_are_read_from_mailchimp() -> None:
    world = World()
    connection = new_connection(world)
    path = f"/api/connections/{connection}/audiences"
    assert get(world, path) == {
        "value": [
            {"id": "a1b2c3d4e5", "name": "Newsletter", "memberCount": 1200, "doubleOptIn": True}
        ]
    }
    assert get(world, f"{path}/a1b2c3d4e5/merge-fields")["value"] == [
        {
            "tag": "FNAME",
            "name": "First Name",
            "type": "text",
            "required": False,
            "options": {"size": 25},
        }
    ]
    assert get(world, f"{path}/zzz/merge-fields", 404)["code"] == "audienceNotFound"
    assert all(session.closed for session in world.mailchimp.sessions)


def test_a_revoked_grant_asks_to_connect_again() -> None:
    world = World()
    connection = new_connection(world)
    world.accounts[KEY].revoked = True
    assert get(world, f"/api/connections/{connection}/audiences", 409)["title"] == "Not connected"
    stored = world.connections.read(connection)
    assert stored is not None
    assert stored.value.status is ConnectionStatus.RECONNECT
    assert all(session.closed for session in world.mailchimp.sessions)
    world.accounts[KEY].revoked = False
    path = f"/api/connections/{connection}/mailchimp/api-key"
    assert send(world, "PUT", path, {"apiKey": KEY})["status"] == "connected"


def test_connections_are_listed_by_name() -> None:
    world = World()
    for name in ("beta", "Alpha", "gamma"):
        new_connection(world, name, connected=False)
    names = [c["displayName"] for c in get(world, "/api/connections")["value"]]
    assert names == ["Alpha", "beta", "gamma"]
