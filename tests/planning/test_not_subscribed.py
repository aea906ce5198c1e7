"""The list of the contacts of an audience that are not subscribed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

import sandbox.mailchimp.api as mailchimp_api
from shared.capacity.parallel_calls import ParallelCalls
from shared.model.audience import ContactStatus, NotSubscribedPointer
from shared.model.export import NewContacts
from shared.model.run import RunStatus
from shared.planning.audience.not_subscribed import NotSubscribedList
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, StoreClient
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person


def test_contacts_whose_own_status_is_subscribed_are_sent(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when people subscribe again while Mailchimp makes a page of those who are not subscribed."""
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    rows.run(*(person(number) for number in range(3)))
    answer = mailchimp_api._faulty

    def with_everyone(world, request, template, *more):
        if template == "/lists/{list_id}/members" and request.query.get("count") != "1":
            request.query = {
                name: value for name, value in request.query.items() if name != "status"
            }
        return answer(world, request, template, *more)

    monkeypatch.setattr(mailchimp_api, "_faulty", with_everyone)
    run = rows.run(*(person(number, FirstName="New") for number in range(3)))

    assert (run.status, run.counts.updated) == (RunStatus.SUCCESSFUL, 3)


class AudienceMembers:
    """A Mailchimp session with the members of one audience; records which statuses are read in full."""

    def __init__(self, **people: str) -> None:
        self.people = dict(people)
        self.recently_changed: set[str] = set()
        self.full_reads: list[str] = []

    def members_with_status(
        self, audience_id: str, status: str, changed_since: str | None = None
    ) -> Iterator[list[ContactStatus]]:
        if changed_since is None:
            self.full_reads.append(status)
        for name, member_status in self.people.items():
            selected = changed_since is None or name in self.recently_changed
            if selected and member_status == status:
                yield [ContactStatus(f"{name}@example.com", member_status)]

    def count(self, audience_id: str, status: str) -> int:
        return list(self.people.values()).count(status)


class StoredList:
    """The stored list of an audience, and a database into which it is read."""

    def __init__(self, members: AudienceMembers, db: DuckDBPyConnection, scratch: Path) -> None:
        self.store = MemoryStore()
        self.pointers = MemoryRecords[NotSubscribedPointer](StoreClient(self.store), "held")
        self.files = MemoryFiles(StoreClient(self.store))
        self._members, self._db, self._scratch = members, db, scratch

    def look(
        self, version: str, whole: bool = False, ahead: timedelta = timedelta()
    ) -> dict[str, str]:
        """Read the list, by a clock that may be ahead. Returns the statuses by name."""
        self._members.full_reads.clear()
        now = self.store.clock.now() + ahead
        stored = NotSubscribedList(self.pointers, self.files, "acc", "aud", version, now)
        with ParallelCalls(self._members, lambda: None) as calls:  # type: ignore[arg-type]
            stored.read(self._db, calls, self._scratch, whole=whole)
        rows = self._db.execute("SELECT address, status FROM not_subscribed").fetchall()
        return {address.split("@")[0]: status for address, status in rows}


def test_the_list_of_unsubscribed_contacts_is_read_once_and_then_incrementally(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    members = AudienceMembers(
        ann="unsubscribed", bob="unsubscribed", cem="cleaned", dee="subscribed"
    )
    stored = StoredList(members, db, scratch)
    look, files = stored.look, stored.files

    assert look("v1") == {"ann": "unsubscribed", "bob": "unsubscribed", "cem": "cleaned"}
    assert len(members.full_reads) == 5

    members.people |= {"dee": "archived", "cem": "unsubscribed"}
    members.recently_changed = {"dee", "cem"}
    assert look("v2") == {
        "ann": "unsubscribed", "bob": "unsubscribed", "cem": "unsubscribed", "dee": "archived",
    }  # fmt: skip
    assert members.full_reads == []  # nothing was read as a whole

    # Ann signed up again: that shows only in the numbers.
    members.people["ann"] = "subscribed"
    members.recently_changed = {"ann"}
    assert look("v3") == {"bob": "unsubscribed", "cem": "unsubscribed", "dee": "archived"}
    assert members.full_reads == ["unsubscribed"]
    assert list(files.names("audiences/")) == ["audiences/acc/aud/v3.parquet"]

    files.delete("audiences/acc/aud/v3.parquet")
    assert len(look("v4")) == 3
    assert len(members.full_reads) == 5
    look("v5", whole=True)
    assert len(members.full_reads) == 5


def test_changes_after_a_reading_by_a_clock_that_was_ahead_are_not_missed(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    members = AudienceMembers(ann="unsubscribed", dee="subscribed")
    stored = StoredList(members, db, scratch)
    assert stored.look("v1", ahead=timedelta(hours=3)) == {"ann": "unsubscribed"}

    # The number stays the same, and Mailchimp reports no change since three hours from now.
    members.people |= {"ann": "subscribed", "dee": "unsubscribed"}
    assert stored.look("v2") == {"dee": "unsubscribed"}
