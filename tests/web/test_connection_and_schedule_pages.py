"""The pages of a connection and of the refresh schedule."""

import pytest

from shared.connections.connections import mark_reconnect
from shared.model.consent import ConsentState, PublishedConsent
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export, send
from tests.web.world import KEY, NOW, World


def test_a_connection_is_shared_signed_in_again_and_removed() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    ada = Browser(world).open(f"/connections/{connection}")
    ada.send("", {"displayName": "Renamed", "shared": "on"})
    assert get(world, f"/api/connections/{connection}")["sharedWith"] == ["Contributor"]
    ada.send(f"/connections/{connection}/authenticate")
    assert 'href="https://login.example.com/authorize?state=' in ada.html
    assert "signin" in ada.cookies
    ada.open(f"/connections/{connection}/remove")
    assert "Weekly news" in ada.text
    ada.send()
    assert ada.answer.status == 409
    ada.send(fields={"detach": "on"})
    assert not world.connections.kept
    assert get(world, f"/api/exports/{export}")["connectionId"] is None


def test_a_refused_key_of_a_connected_account_can_be_corrected_where_it_was_entered() -> None:
    world = World()
    connection = new_connection(world)
    ada = Browser(world).open(f"/connections/{connection}")
    assert "<details><summary>Connect again" in ada.html
    ada.send(f"/connections/{connection}/api-key", {"apiKey": "wrong"})
    assert ada.answer.status == 400
    assert "<details open><summary>Connect again" in ada.html


@pytest.mark.parametrize(
    ("language", "broken", "connected"),
    [
        ("en", "Mailchimp no longer accepts this access to the account Contoso", "Connected to"),
        ("ko", "Mailchimp에서 이 연결의 Contoso 계정 액세스를 더 이상 허용하지 않습니다", "연결됨"),
    ],
)
def test_a_connection_that_mailchimp_refuses_says_so_and_not_that_it_is_connected(
    language: str, broken: str, connected: str
) -> None:
    world = World()
    connection = new_connection(world)
    mark_reconnect(world.connections, connection)
    page = Browser(world, language).open(f"/connections/{connection}")
    assert broken in page.text
    assert connected not in page.text
    # No export can be configured before the connection works.
    assert "/setup/export" not in page.html
    send(world, "PUT", f"/api/connections/{connection}/mailchimp/api-key", {"apiKey": KEY})
    page.open(f"/connections/{connection}")
    assert broken not in page.text
    assert connected in page.text


def test_the_refresh_can_be_scheduled() -> None:
    world = World()
    ada = Browser(world).open("/schedule")
    ada.send(
        fields={
            "scheduleOn": "on",
            "repeat": "weekly",
            "day": ["monday", "friday"],
            "time-0": "06:00",
            "timeZone": "Asia/Seoul",
        }
    )
    assert "Saved." in ada.text
    assert get(world, "/api/schedule")["days"] == ["monday", "friday"]
    ada.send(fields={"time-0": "", "timeZone": "Mars/Olympus"})
    assert ada.answer.status == 400
    assert {"fault-times", "fault-timeZone"} & set(ada.ids)
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/schedule")
    assert "<fieldset disabled>" in viewer.html


def test_times_are_in_the_zone_of_the_browser_until_the_refresh_schedule_is_set() -> None:
    world = World()

    def shown(zone: str) -> bytes:
        return call(world, "GET", "/runs", headers={"Cookie": f"zone={zone}"}).body

    assert b"time zone Asia/Seoul" in shown("Asia/Seoul")
    for unknown in ("Nowhere/Land", "../../etc/passwd", ""):
        assert b"time zone UTC" in shown(unknown)
    body = {"enabled": True, "repeat": "daily", "times": ["06:00"], "timeZone": "Europe/Paris"}
    send(world, "PUT", "/api/schedule", body)
    assert b"time zone Europe/Paris" in shown("Asia/Seoul")


def test_a_table_without_people_is_not_followed_by_an_empty_list() -> None:
    world = World()
    connection = new_connection(world)
    published = PublishedConsent(published_at=NOW)
    world.services.consent_updates.states = lambda connection_id: [  # type: ignore[method-assign]
        ConsentState("a1b2c3d4e5", published=published)
    ]
    page = Browser(world).open(f"/connections/{connection}")
    assert "a1b2c3d4e5" in page.text
    assert "The table was changed on" not in page.text
    published.statuses["subscribed"] = 3
    assert "The table was changed on Nov 23, 2026 09:00: Subscribed: 3" in page.open(page.path).text
