"""Messages of refreshes that are lost, repeated, malformed or given up."""

from __future__ import annotations

import pytest

from shared.errors import InputError, Unavailable
from shared.messaging.messages import refresh_of
from tests.logged_events import logged_events
from tests.scheduling.refresh_world import World, dated, refresh


def test_a_lost_reminder_message_is_sent_again_by_the_tick(world: World) -> None:
    files = [dated("A", 1), dated("A", 2)]
    world.announce(world.write_model(A=files))
    world.wait(3)
    world.put(*files)
    world.lost = True
    world.wait(100)
    world.lost = False
    assert world.queue == []
    assert world.open_refreshes.resend_lost() == 1
    world.wait(100)
    assert world.outcomes() == ["successful"]
    assert world.open_refreshes.resend_lost() == 0


def test_a_worker_killed_while_starting_does_not_start_a_second_run(world: World) -> None:
    world.announce(refresh(world))
    dying = iter([True])

    def die(key: str) -> None:
        stored = world.progress.read(key)
        if stored and stored.value.starting_at is not None and next(dying, False):
            raise Unavailable("noAnswer")

    world.progress.before_write = die
    world.wait(600)
    assert world.outcomes() == ["successful"]
    assert next(dying, None) is None


def test_messages_are_validated_strictly() -> None:
    assert refresh_of(b'{"v": 1, "refresh": "e1", "number": 3}') == ("e1", 3)
    assert refresh_of(b'{"eventType": "Microsoft.Storage.BlobCreated"}') is None
    assert refresh_of(b"no JSON") is None
    for wrong in (
        '"../e"',
        '"e1", "number": -1',
        '"e1", "number": true',
        "7",
        '"e1", "number": "1"',
    ):
        with pytest.raises(InputError):
            refresh_of(f'{{"v": 1, "refresh": {wrong}}}'.encode())


def test_a_message_that_was_given_up_is_logged_without_its_content(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    world.refreshes.give_up(b'{"subject": "kim@example.org"}')
    world.refreshes.give_up(b'{"v": 1, "refresh": "e1", "number": 1}')
    assert logged_events(caplog) == [
        {"event": "refresh.messageGaveUp", "exportId": None},
        {"event": "refresh.messageGaveUp", "exportId": "e1"},
    ]
