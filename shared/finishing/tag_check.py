"""Compare the tags in Mailchimp with the ledger, and repair the differences.

Mailchimp counts active subscribers only, and adding to a tag silently ignores addresses that are
not in the audience. So the counts are compared. When they differ, the members in all statuses are
read, because a count may be minutes old. People who should have the tag get it; people who have it
and are neither in the segment nor in the ledger lose it. If people still do not have it, a few of
them are looked up, because the list of members may be old as well. If none of these is subscribed, all of them
are no longer in the audience: the ledger records them as not sent, so the next run adds them or gets the
refusal. The ledger may let people keep the tag who left the segment or must not be sent. If someone
removed it from them in Mailchimp, they do not get it again. A remaining difference is reported as a finding.
After an undo, the tag is repaired only for people to whom the undo gave it, or from whom the undo took it.
https://mailchimp.com/developer/marketing/api/list-segment-members/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.finishing.fold import make_next_writable
from shared.memory import waiting_for_network
from shared.model.audience import Tag
from shared.model.chunk import CHUNK_SIZE
from shared.model.finding import Finding, Severity
from shared.model.plan import Plan, PlannedTag
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession


_MOST_CHANGED = 10_000
# With more people, the audience was probably emptied, or the list of members is old. A few people show which.
_MOST_LOOKUPS = 20
_SQL = SqlFile.of(__file__)


def tags_to_check(
    db: DuckDBPyConnection, tags: Mapping[int, Tag | None], plan: Plan, *, read_back: bool
) -> list[TagToCheck]:
    """Return the tags whose count differs from `next`; all existing tags with `read_back`."""
    _SQL.run(db, "prepare")
    counts = dict(_SQL.rows(db, "expected"))
    found = []
    for number, planned in enumerate(plan.tags):
        tag = tags.get(planned.tag_id)
        if tag is not None:
            expected = counts.get(planned.tag_id, 0)
            if read_back or tag.member_count != expected:
                found.append(TagToCheck(planned, number, expected, read_back))
    return found


@dataclass(frozen=True)
class TagToCheck:
    """A tag, the number of its segment in the plan, and how many members Mailchimp should count.

    With `read_back`, the members are read even if the count is right.
    """

    planned: PlannedTag
    segment: int
    expected: int
    read_back: bool


@dataclass(frozen=True)
class TagCheck:
    """Reads the members of a tag, and repairs it. `undo`: the run is an undo.

    `contact_ids` returns the stored ids of the contacts of addresses (people/stored_contacts.py).
    """

    db: DuckDBPyConnection
    session: MailchimpSession
    audience_id: str
    tag: TagToCheck
    contact_ids: Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
    undo: bool

    def run(self) -> tuple[int, list[Finding]]:
        """Check the tag. Returns how many subscribers have it afterwards, and the findings."""
        name, expected = self.tag.planned.tag, self.tag.expected
        if not self.tag.read_back and self._count() == expected:
            return expected, []
        self._read_tag_members()
        missing, extra, lost = self._number("missing"), self._number("extra"), self._number("lost")
        expected -= lost
        if self.undo:
            expected += _SQL.number(self.db, "tagged_by_others", tag_id=self._tag_id)
        given, taken, without_tag = self._repair(missing, extra)
        counted = self._count()
        if counted != expected:
            if missing or extra:
                self._read_tag_members()
            counted = self._number("subscribers")
            expected -= _SQL.number(self.db, "unsubscribed_leavers", tag_id=self._tag_id)
        findings = []
        gone = self._forget_gone() if missing and counted < expected else 0
        if gone:
            expected -= gone
            findings.append(
                Finding(Severity.INFO, "contactsGone", values={"tag": name, "people": str(gone)})
            )
        if given or taken:
            findings.append(
                Finding(
                    Severity.INFO,
                    "tagRepaired",
                    values={"tag": name, "added": str(given), "removed": str(taken)},
                )
            )
        if lost and counted == expected:
            make_next_writable(self.db)
            _SQL.run(self.db, "forget_lost", tag_id=self._tag_id)
        if counted != expected:
            findings.append(
                Finding(
                    # The list of members is old if people are in it who did not have the tag any more.
                    Severity.INFO if counted <= expected + without_tag else Severity.WARNING,
                    "tagCountDiffers",
                    values={"tag": name, "counted": str(counted), "expected": str(expected)},
                )
            )
        return counted, findings

    @property
    def _tag_id(self) -> int:
        return self.tag.planned.tag_id

    def _count(self) -> int:
        with waiting_for_network(self.db):
            tag = self.session.tag(self.audience_id, self._tag_id)
        return tag.member_count if tag else 0

    def _repair(self, missing: int, extra: int) -> tuple[int, int, int]:
        """Give the tag to people who lack it, and take it from others.

        Returns how many got it, how many lost it, and how many did not have it although they were listed.
        """
        with waiting_for_network(self.db):
            given = sum(
                self.session.retag(self.audience_id, self._tag_id, part).added
                for part in self._parts("missing_part", missing)
            )
            removals = [
                self.session.untag(self.audience_id, self._tag_id, part)
                for part in self._parts("extra_part", extra)
            ]
        taken = sum(answer.removed for answer in removals)
        return given, taken, sum(len(answer.without) for answer in removals)

    def _forget_gone(self) -> int:
        """Mark people who are no longer in the audience as not sent in `next`. Returns their number.

        If a person who was looked up is subscribed, the list of members is old. Then it is unknown who is gone, and no one is
        marked.
        """
        missing = self._number("missing")
        rows = _SQL.rows(self.db, "missing_part", first=0, most=_MOST_LOOKUPS)
        with waiting_for_network(self.db):
            for (address,) in rows:
                if self.session.status_of(self.audience_id, address) == "subscribed":
                    return 0
        if missing:
            make_next_writable(self.db)
            _SQL.run(self.db, "forget_missing", tag_id=self._tag_id)
        return missing

    def _read_tag_members(self) -> None:
        _SQL.run(self.db, "create_tag_members")
        with waiting_for_network(self.db):
            for page in self.session.members_with_tag(self.audience_id, self._tag_id):
                _SQL.run(
                    self.db,
                    "add_tag_members",
                    addresses=[contact.address for contact in page],
                    statuses=[contact.status for contact in page],
                    contact_ids=[contact.contact_id for contact in page],
                )
        if self.undo:
            self._find_moved()
        self._find_differences()
        self._find_changed_members()

    def _find_differences(self) -> None:
        """Fill `without_tag`, `missing_members` and `extra_members`. They may have as many people as the run."""
        _SQL.run(
            self.db,
            "find_differences",
            tag_id=self._tag_id,
            segment=self.tag.segment,
            undo=self.undo,
        )

    def _find_moved(self) -> None:
        """Fill `moved_members` with the present addresses of people who should have lost the tag."""
        rows = _SQL.rows(self.db, "should_have_lost", tag_id=self._tag_id, most=_MOST_CHANGED + 1)
        if 0 < len(rows) <= _MOST_CHANGED:
            found = self.contact_ids([address for (address,) in rows])
            ids = [one for of_person in found.values() for one in of_person]
            _SQL.run(self.db, "add_moved_members", contact_ids=ids)

    def _find_changed_members(self) -> None:
        """Find people who have the tag under an address that they chose in Mailchimp (record 92)."""
        # With more people, the audience was probably emptied.
        if not 0 < self._number("without_tag") <= _MOST_CHANGED or not self._number("extra"):
            return
        rows = _SQL.rows(self.db, "without_tag_addresses")
        found = self.contact_ids([address for (address,) in rows])
        pairs = [(address, one) for address, of_person in found.items() for one in of_person]
        _SQL.run(
            self.db,
            "add_changed_members",
            addresses=[address for address, _ in pairs],
            contact_ids=[contact_id for _, contact_id in pairs],
        )
        self._find_differences()

    def _number(self, group: str) -> int:
        return _SQL.number(self.db, group)

    def _parts(self, group: str, people: int) -> Iterator[list[str]]:
        """The addresses of a group, in parts for one call each."""
        for first in range(0, people, CHUNK_SIZE):
            rows = _SQL.rows(self.db, group, first=first, most=CHUNK_SIZE)
            yield [address for (address,) in rows]
