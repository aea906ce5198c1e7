"""The first visit leads from an empty app to the first run."""

import pytest

from shared.model.audience import Account
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import new_connection
from tests.web.world import KEY, World


def test_setup_to_first_run_succeeds() -> None:
    world = World()
    ada = Browser(world).open("/")
    assert "No export yet" in ada.text
    ada.open("/setup/connection").send(fields={"displayName": "Main", "agreed": "on"})
    assert "Main" in ada.text
    connection = next(iter(world.connections.kept))
    ada.send(f"/connections/{connection}/api-key", {"apiKey": KEY})
    assert "Connected to Mailchimp: Contoso" in ada.text
    ada.open(f"/setup/export?connection={connection}")
    assert "Newsletter – 1,200 members, double opt-in" in ada.text
    assert '<option value="Email" selected>' in ada.html
    ada.send(
        fields={
            "displayName": "Weekly news",
            "audienceId": "a1b2c3d4e5",
            "segment": ["Segment_Vip"],
            "tag:Segment_Vip": "VIP",
            "do": "saveAndRun",
        }
    )
    assert ada.path == "/runs/run-1"
    assert "Queued" in ada.text
    export = next(iter(world.exports.kept.values())).value
    assert export.connection_id == connection
    assert export.segments[0].tag == "VIP"
    assert world.runs.kept["run-1"].export_id == export.id


@pytest.mark.parametrize(("role", "met"), [("owner", True), ("", True), ("viewer", False)])
def test_the_first_visit_shows_whether_the_mailchimp_user_may_manage_audiences(
    role: str, met: bool
) -> None:
    world = World()
    world.accounts[KEY].account = Account("acc-1", "Contoso", role)
    connection = new_connection(world)

    page = Browser(world).open("/")

    assert ("Met: The Mailchimp user may manage audiences" in page.text) is met
    assert (f"has the role {role} and may not" in page.text) is not met
    shown = Browser(world).open(f"/connections/{connection}")
    assert (f"has the role {role} and may not" in shown.text) is not met


def test_the_first_visit_shows_what_is_next_and_what_is_missing() -> None:
    world = World()
    ada = Browser(world).open("/")
    assert 'href="/setup/connection">Set up</a>' in ada.html
    assert "Connect Mailchimp (next)" in ada.text
    assert "Met: 2 of 2 segments can be exported" in ada.text
    assert "Met: The attribute Email contains email addresses" in ada.text
    connection = new_connection(world)
    ada.open("/")
    assert "Connect Mailchimp (done)" in ada.text
    assert "Met: The account has the audience " in ada.text
    assert f'href="/setup/export?connection={connection}">Set up</a>' in ada.html
    world.accounts[KEY].audiences.clear()
    assert "Not met: The Mailchimp account has no audience" in ada.open("/").text
    world.catalogue.attributes = lambda segment: []  # type: ignore[method-assign]
    assert "Not met: No attribute seems to contain email addresses" in ada.open("/").text
    world.catalogue.segments = list  # type: ignore[method-assign]
    assert "Not met: There are no segments in the storage" in ada.open("/").text
    assert "Set up" not in Browser(world.seen_by(Role.VIEWER)).open("/").text


def test_sign_in_is_blocked_without_consent() -> None:
    world = World()
    ada = Browser(world).open("/setup/connection").send(fields={"displayName": "Main"})
    assert ada.answer.status == 400
    assert "agree that data is sent" in ada.text
    assert 'value="Main"' in ada.html
    assert not world.connections.kept
