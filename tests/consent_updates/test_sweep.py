"""The sweep reads each change once, survives kills, and costs few calls when nothing changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from shared.consent_updates import sweep as module
from shared.consent_updates.sweep import Sweep
from shared.mailchimp import member_lists
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey, Transport
from shared.model.consent import ConsentSweep
from shared.people.erasures import Erasure, Erasures
from tests import reused_databases
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, ProcessKilled, StoreClient


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.clock = self.store.clock
        self.sandbox = Sandbox(now=self.clock.seconds, sleep=self.clock.forward).start()
        self.audience: AudienceView = self.sandbox.audience("News")
        self.erasures = Erasures(
            MemoryRecords(StoreClient(self.store), "erasures"), lambda: b"k" * 32
        )
        self.tokens = iter(range(10_000))

    def sweep(self, kill_at: int | None = None) -> ConsentSweep:
        client = StoreClient(self.store, kill_at)
        sweep = Sweep(
            MemoryRecords(client, "consentsweeps"),
            MemoryFiles(client),
            self.erasures,
            self.clock.now,
            lambda: f"t{next(self.tokens)}",
        )
        session = MailchimpSession(
            Transport(
                self.sandbox.api_url,
                ApiKey(self.sandbox.api_key),
                clock=self.clock.seconds,
                sleep=self.clock.forward,
                random=lambda: 0.5,
            )
        )
        try:
            return sweep.sweep(session, "a1", self.audience.id)
        finally:
            session.close()

    def stored(self, state: ConsentSweep) -> dict[str, tuple[str, str, str, str, int]]:
        local = self.folder / "stored.parquet"
        MemoryFiles(StoreClient(self.store)).download(state.blob, local)
        with reused_databases.connect() as db:
            rows = db.execute("FROM read_parquet(?)", [str(local)]).fetchall()
        return {row[0]: row[1:] for row in rows}

    def sweep_until_complete(self) -> ConsentSweep:
        state = self.sweep()
        while not state.complete:
            state = self.sweep()
        return state

    def statuses(self, state: ConsentSweep) -> dict[str, str]:
        return {address: row[0] for address, row in self.stored(state).items()}

    def truth(self) -> dict[str, str]:
        return {address: one.status for address, one in self.audience.members().items()}

    def calls(self) -> int:
        return len(self.sandbox.calls.last)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(member_lists, "PAGE_SIZES", (10, 5))
    made = World(tmp_path)
    yield made
    made.sandbox.close()


def fill(world: World, count: int) -> None:
    for number in range(count):
        world.audience.add(f"p{number}@example.com")


def test_statuses_are_those_of_mailchimp_after_every_sweep(world: World) -> None:
    fill(world, 5)
    first = world.sweep()
    assert world.statuses(first) == world.truth()
    world.clock.forward(3600)
    world.audience.unsubscribe("p1@example.com")
    world.audience.add("p2@example.com", status="cleaned", cause="bounce")
    world.audience.add("p3@example.com", status="archived")
    world.audience.add("new@example.com")

    second = world.sweep()

    assert second.complete
    assert world.statuses(second) == world.truth()
    status, since, reason, *_ = world.stored(second)["p1@example.com"]
    assert (status, reason) == ("unsubscribed", "noLongerInterested")
    assert since.startswith(world.clock.now().strftime("%Y-%m-%dT%H:%M:%S"))
    assert (first.changes, second.changes) == (5, 9)


def test_the_time_of_a_status_stays_when_only_values_change(world: World) -> None:
    world.audience.unsubscribe("ada@example.com")
    before = world.stored(world.sweep())
    world.clock.forward(3600)
    world.audience.add(
        "ada@example.com", status="unsubscribed", cause="self", merge_fields={"FNAME": "Ada"}
    )

    assert world.stored(world.sweep()) == before


def test_an_unchanged_audience_costs_four_calls_and_no_write(world: World) -> None:
    fill(world, 30)
    blob = world.sweep().blob
    world.clock.forward(1200)
    world.sweep()
    world.clock.forward(1200)
    before = world.calls()

    state = world.sweep()

    assert world.calls() - before == 4
    assert state.blob == blob


def test_a_large_change_is_read_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    for number in range(25):
        world.audience.add(f"p{number}@example.com")
        if number % 5 == 0:
            world.clock.forward(60)

    parts = [world.sweep()]
    while not parts[-1].complete:
        parts.append(world.sweep())

    assert len(parts) > 2
    assert world.statuses(parts[-1]) == world.truth()


def test_contacts_that_left_the_audience_without_a_change_are_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world, 25)
    world.sweep()
    world.audience.forget("p1@example.com")
    world.audience.change_address("p2@example.com", "new@example.com")
    world.clock.forward(3600)
    world.sweep()
    world.clock.forward(3600)
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    assert not world.sweep().complete

    state = world.sweep_until_complete()

    assert world.statuses(state) == world.truth()


def test_all_contacts_are_read_again_at_most_once_a_day(world: World) -> None:
    fill(world, 3)
    world.sweep()
    for number in range(2):
        world.audience.forget(f"p{number}@example.com")
        world.sweep()
        world.sweep_until_complete()
    world.clock.forward(3600)
    before = world.calls()
    late = world.sweep()

    assert (late.complete, late.stored, world.calls() - before) == (True, 2, 4)
    world.clock.forward(86400)
    world.sweep()
    assert world.statuses(world.sweep_until_complete()) == world.truth()


@pytest.mark.parametrize("kill_at", [1, 2, 3])
def test_a_killed_sweep_is_repeated_without_loss(world: World, kill_at: int) -> None:
    fill(world, 3)
    world.sweep()
    world.clock.forward(3600)
    world.audience.unsubscribe("p1@example.com")
    with pytest.raises(ProcessKilled):
        world.sweep(kill_at)
    world.audience.unsubscribe("p2@example.com")

    state = world.sweep()

    assert world.statuses(state) == world.truth()


def test_a_contact_that_left_the_audience_is_found_although_erased_people_are_in_it(
    world: World,
) -> None:
    fill(world, 4)
    world.sweep()
    token = world.erasures.token("p1@example.com")
    world.erasures.records.create(token, Erasure("e1", world.clock.now()))
    for _ in range(2):
        world.audience.add("p1@example.com", merge_fields={"FNAME": "Ada"})
        world.clock.forward(3600)
        world.sweep()
    world.audience.forget("p2@example.com")
    for _ in range(2):
        world.clock.forward(3600)
        world.sweep()

    state = world.sweep_until_complete()

    assert set(world.statuses(state)) == {"p0@example.com", "p3@example.com"}
    assert world.sweep().reread_at == state.reread_at


def test_erased_people_are_not_stored_and_missed_by_no_count(world: World) -> None:
    fill(world, 2)
    world.sweep()
    token = world.erasures.token("p1@example.com")
    world.erasures.records.create(token, Erasure("e1", world.clock.now()))
    world.clock.forward(3600)
    world.audience.unsubscribe("p1@example.com")
    world.sweep()
    world.clock.forward(3600)
    state = world.sweep()

    assert world.statuses(state) == {"p0@example.com": "subscribed"}
    assert state.complete
