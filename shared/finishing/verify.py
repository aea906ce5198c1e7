"""Compare the tags in Mailchimp with the ledger, and repair the differences.

Mailchimp counts active subscribers only, and adding to a tag silently ignores addresses that are
not in the audience. So the counts are compared; when they differ, the members in all statuses are
read. People who should have the tag get it; people who have it and are neither in the segment nor
in the ledger lose it. People who still do not have it are no longer in the audience: the ledger
records them as not sent, so the next run adds them or gets the refusal. A remaining difference is
reported as a finding.
https://mailchimp.com/developer/marketing/api/list-segment-members/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.model.chunk import CHUNK_SIZE
from shared.model.plan import Plan, PlannedTag
from shared.model.run import Finding, RunSegment, Severity, StatusProof
from shared.workspace import SqlFile, waiting_for_network

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession


__all__ = ["Checked", "verify_tags"]

_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Checked:
    """The segments with Mailchimp's own counts, findings about them, and the counts by status."""

    segments: tuple[RunSegment, ...]
    findings: tuple[Finding, ...] = ()
    proof: tuple[StatusProof, ...] = ()


def verify_tags(
    db: DuckDBPyConnection, session: MailchimpSession, plan: Plan, *, read_back: bool
) -> Checked:
    """Check every tag of the plan against `next`; with `read_back`, even where counts agree."""
    _SQL.run(db, "prepare")
    segments: list[RunSegment] = []
    findings: list[Finding] = []
    for number, tag in enumerate(plan.tags):
        check = _TagCheck(db, session, plan.audience_id, number, tag)
        count, found = check.run(read_back)
        segments.append(RunSegment(tag.segment, tag.tag, tag.members, count))
        findings += found
    return Checked(tuple(segments), tuple(findings))


@dataclass(frozen=True)
class _TagCheck:
    """Checks one tag. `segment` is the number of its segment in the plan."""

    db: DuckDBPyConnection
    session: MailchimpSession
    audience_id: str
    segment: int
    tag: PlannedTag

    def run(self, read_back: bool) -> tuple[int | None, list[Finding]]:
        """Check the tag. Returns Mailchimp's count afterwards, and the findings."""
        name = self.tag.tag
        with waiting_for_network(self.db):
            in_mailchimp = self.session.tag(self.audience_id, self.tag.tag_id)
        if in_mailchimp is None:
            return None, [Finding(Severity.WARNING, "tagGone", values={"tag": name})]
        expected = _SQL.number(self.db, "expected", tag_id=self.tag.tag_id)
        if in_mailchimp.member_count == expected and not read_back:
            return expected, []
        self._read_tag_members()
        missing = self._addresses("missing")
        extra = self._addresses("extra", segment=self.segment)
        with waiting_for_network(self.db):
            for part in _parts(missing):
                self.session.retag(self.audience_id, self.tag.tag_id, part)
            for part in _parts(extra):
                self.session.untag(self.audience_id, self.tag.tag_id, part)
            repaired = self.session.tag(self.audience_id, self.tag.tag_id)
        counted = repaired.member_count if repaired else 0
        findings = []
        given = len(missing)
        if missing and counted < expected:
            given -= self._forget_missing()
        if given or extra:
            findings.append(
                Finding(
                    Severity.INFO,
                    "tagRepaired",
                    values={"tag": name, "added": str(given), "removed": str(len(extra))},
                )
            )
        if counted != expected:
            findings.append(
                Finding(
                    Severity.INFO if counted < expected else Severity.WARNING,
                    "tagCountDiffers",
                    values={"tag": name, "counted": str(counted), "expected": str(expected)},
                )
            )
        return counted, findings

    def _forget_missing(self) -> int:
        """Mark people who could not get the tag as not sent in `next`. Returns their number."""
        self._read_tag_members()
        missing = self._addresses("missing")
        _SQL.run(self.db, "forget_missing", tag_id=self.tag.tag_id, addresses=missing)
        return len(missing)

    def _read_tag_members(self) -> None:
        _SQL.run(self.db, "create_tag_members")
        with waiting_for_network(self.db):
            for page in self.session.members_with_tag(self.audience_id, self.tag.tag_id):
                _SQL.run(
                    self.db, "add_tag_members", addresses=[contact.address for contact in page]
                )

    def _addresses(self, group: str, **parameters: object) -> list[str]:
        rows = _SQL.rows(self.db, group, tag_id=self.tag.tag_id, **parameters)
        return [address for (address,) in rows]


def _parts(addresses: Sequence[str]) -> list[Sequence[str]]:
    return [addresses[at : at + CHUNK_SIZE] for at in range(0, len(addresses), CHUNK_SIZE)]
