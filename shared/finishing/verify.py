"""Tags as Mailchimp has them against tags as the ledger has them; where they differ, repair.

Mailchimp's count of a tag is of active subscribers only, and adding to a tag silently ignores
addresses that are not in the audience: so the count is compared, and where it differs the members
are read back in every status. Who should have the tag and does not gets it; who has it and is
neither in the segment nor in the ledger loses it. Whoever still does not have it is not in the
audience any more: the ledger forgets that they were sent, so that the next run adds them, or learns
that they may not be added. What is left is explained by people who are not subscribed, or said to
be unexplained.
https://mailchimp.com/developer/marketing/api/list-segment-members/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from duckdb import DuckDBPyConnection

from shared.model.chunk import CHUNK_SIZE
from shared.model.plan import Plan, PlannedTag
from shared.model.ports import MailchimpSession
from shared.model.run import Finding, RunSegment, Severity

__all__ = ["Checked", "verify_tags"]


@dataclass(frozen=True)
class Checked:
    """The segments with Mailchimp's own counts, and what a person should know of them."""

    segments: tuple[RunSegment, ...]
    findings: tuple[Finding, ...] = ()


def verify_tags(
    db: DuckDBPyConnection, session: MailchimpSession, plan: Plan, *, read_back: bool
) -> Checked:
    """Check every tag of the plan against `next`; with `read_back`, even where counts agree."""
    # One join with the few who do not count, instead of two with everybody: memory is bounded.
    db.execute(
        "CREATE OR REPLACE TABLE away AS SELECT address FROM changes WHERE kind = 'kept' "
        "UNION SELECT address FROM results WHERE coalesce(status, '') NOT IN ('', 'subscribed')"
    )
    db.execute(
        "CREATE OR REPLACE TABLE tagged_ AS SELECT n.address, n.tags, a.address IS NULL AS counts "
        "FROM next n LEFT JOIN away a ON a.address = n.address WHERE len(n.tags) > 0"
    )
    segments: list[RunSegment] = []
    findings: list[Finding] = []
    for index, tag in enumerate(plan.tags):
        count, found = _check(db, session, plan.audience_id, index, tag, read_back)
        segments.append(RunSegment(tag.segment, tag.tag, tag.members, count))
        findings += found
    return Checked(tuple(segments), tuple(findings))


def _check(
    db: DuckDBPyConnection,
    session: MailchimpSession,
    audience_id: str,
    index: int,
    tag: PlannedTag,
    read_back: bool,
) -> tuple[int | None, list[Finding]]:
    there = session.tag(audience_id, tag.tag_id)
    if there is None:
        return None, [
            _finding(
                Severity.WARNING,
                "tagGone",
                f"The tag “{tag.tag}” was deleted in Mailchimp during the run. The next run gives it "
                "to everybody again; where a tag of that name is there by then, it asks first.",
                tag,
            )
        ]
    expected = _one(
        db, "SELECT count(*) FROM tagged_ WHERE counts AND list_contains(tags, ?)", tag.tag_id
    )
    if there.member_count == expected and not read_back:
        return there.member_count, []
    missing, extra = _differences(db, session, audience_id, index, tag)
    for part in _parts(missing):
        session.retag(audience_id, tag.tag_id, part)
    for part in _parts(extra):
        session.untag(audience_id, tag.tag_id, part)
    again = session.tag(audience_id, tag.tag_id) or replace(there, member_count=0)
    findings = []
    absent = 0
    if missing and again.member_count < expected:
        absent = _forget_absent(db, session, audience_id, tag)
    given = len(missing) - absent
    if given > 0 or extra:
        findings.append(
            _finding(
                Severity.INFO,
                "tagRepaired",
                f"The tag “{tag.tag}” differed from the segment: {given} people were given "
                f"it again and {len(extra)} lost it.",
                tag,
                added=str(given),
                removed=str(len(extra)),
            )
        )
    if again.member_count != expected:
        off = expected - again.member_count
        findings.append(
            _finding(
                Severity.INFO if off > 0 else Severity.WARNING,
                "tagCountDiffers",
                f"Mailchimp counts {again.member_count} subscribers with the tag “{tag.tag}”; "
                f"{expected} were expected. People who unsubscribed or were archived during the "
                "run keep the tag but are not counted.",
                tag,
                counted=str(again.member_count),
                expected=str(expected),
            )
        )
    return again.member_count, findings


def _forget_absent(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, tag: PlannedTag
) -> int:
    """Forget what was sent to those who could not be given the tag; how many they are."""
    _read_carried(db, session, audience_id, tag.tag_id)
    lacking = (
        "address IN (SELECT address FROM tagged_ WHERE counts AND list_contains(tags, $1) "
        "AND address NOT IN (SELECT address FROM carried))"
    )
    number = _one(db, f"SELECT count(*) FROM next WHERE {lacking}", tag.tag_id)
    db.execute(
        "UPDATE next SET fingerprint = NULL, fields = NULL, "
        f"tags = list_filter(tags, lambda t: t <> $1) WHERE {lacking}",
        [tag.tag_id],
    )
    return number


def _differences(
    db: DuckDBPyConnection,
    session: MailchimpSession,
    audience_id: str,
    index: int,
    tag: PlannedTag,
) -> tuple[list[str], list[str]]:
    """Addresses that should carry the tag and do not, and those that do and should not."""
    _read_carried(db, session, audience_id, tag.tag_id)
    missing = db.execute(
        "SELECT address FROM tagged_ WHERE counts AND list_contains(tags, ?) "
        "AND address NOT IN (SELECT address FROM carried) ORDER BY address",
        [tag.tag_id],
    ).fetchall()
    extra = db.execute(
        "SELECT DISTINCT address FROM carried WHERE address NOT IN "
        "(SELECT address FROM tagged_ WHERE list_contains(tags, ?)) AND address NOT IN "
        "(SELECT address FROM changes WHERE kind <> 'left' AND list_contains(segs, ?)) "
        "ORDER BY address",
        [tag.tag_id, index],
    ).fetchall()
    return [row[0] for row in missing], [row[0] for row in extra]


def _read_carried(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, tag_id: int
) -> None:
    """Table `carried`: whoever carries a tag now, in every status."""
    db.execute("CREATE OR REPLACE TABLE carried (address VARCHAR, status VARCHAR)")
    for page in session.tagged(audience_id, tag_id):
        if page:
            db.execute(
                "INSERT INTO carried SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                [[one.address for one in page], [one.status for one in page]],
            )


def _finding(
    severity: Severity, code: str, message: str, tag: PlannedTag, **values: str
) -> Finding:
    return Finding(severity, code, message, {"tag": tag.tag, **values})


def _parts(addresses: Sequence[str]) -> list[list[str]]:
    rest = iter(addresses)
    return list(iter(lambda: list(islice(rest, CHUNK_SIZE)), []))


def _one(db: DuckDBPyConnection, query: str, *values: object) -> int:
    row = db.execute(query, list(values)).fetchone()
    return int(row[0]) if row else 0
