"""People against the ledger and against those whom Mailchimp must not be asked to subscribe.

Table `changes`: one row for everyone of the run, and for everyone of the ledger who still carries
a tag. `kind` says what is to happen:

    add         not in the ledger: subscribe, without touching anyone who is there already
    update      in the ledger, and fields or tags differ (or the run sends everything)
    unchanged   nothing to do
    kept        held unsubscribed, cleaned, pending, transactional or archived; or no consent
    rejected    refused for good earlier, and the row is still the same
    later       of a retry only: would be added or updated, but is none of the rows that failed
    left        in no segment any more: loses the tags in `lost`

A person who left one segment but is in another has the kind of the latter, and the former's tag
in `lost`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from shared.model.ledger import LEDGER_COLUMNS, MAX_TRIES
from shared.model.outcome import Code
from shared.model.run import Counts

__all__ = [
    "Rules",
    "compare",
    "count",
    "forget_tags",
    "gone_tags",
    "load_ledger",
    "members_by_segment",
]


@dataclass(frozen=True)
class Rules:
    """What the comparison must know of the run.

    `tag_ids[i]` is the tag of segment i. `everything` sends people although nothing changed;
    `again` asks about rows that were refused for good; `remove` takes tags from leavers.
    `config` is a fingerprint of the mapping: another mapping makes every row a changed one.
    `only_failed`: a retry; those of `failed` (planning/retry.py) are sent, and nobody else.
    """

    tag_ids: Sequence[int]
    config: str
    everything: bool = False
    again: bool = False
    remove: bool = True
    only_failed: bool = False


def load_ledger(db: DuckDBPyConnection, parquet: str | None, table: str = "ledger") -> None:
    """A ledger as a table: of a local Parquet file, or empty.

    The file may be another version's: columns that it does not have are NULL, others are left out.
    """
    db.execute(f"CREATE OR REPLACE TABLE {table} ({LEDGER_COLUMNS})")
    if parquet is not None:
        ours = [pair.split()[0] for pair in LEDGER_COLUMNS.split(", ")]
        db.execute(
            f"INSERT INTO {table} BY NAME SELECT COLUMNS(lambda c: list_contains({ours}, c)) "
            "FROM read_parquet(?)",
            [parquet],
        )


def gone_tags(db: DuckDBPyConnection, existing: Collection[int]) -> tuple[int, ...]:
    """Tags of `ledger` that the audience does not have any more."""
    rows = db.execute("SELECT DISTINCT unnest(tags) AS tag FROM ledger ORDER BY tag").fetchall()
    return tuple(tag for (tag,) in rows if tag not in existing)


def forget_tags(db: DuckDBPyConnection, gone: Sequence[int]) -> None:
    """Nobody in `ledger` carries these tags: whoever deleted a tag took it from everyone."""
    if gone:
        db.execute(
            "UPDATE ledger SET tags = list_filter(tags, lambda t: NOT list_contains($1, t)) "
            "WHERE list_has_any(tags, $1)",
            [list(gone)],
        )


def compare(db: DuckDBPyConnection, rules: Rules) -> None:
    """Make `changes` from `people`, `ledger` and `held` (address, status)."""
    tags = ", ".join(f"({i}, {int(tag)})" for i, tag in enumerate(rules.tag_ids))
    db.execute(
        "CREATE OR REPLACE TABLE tagsets AS SELECT row_number() OVER (ORDER BY mask) - 1 AS tagset, "
        "mask, list_sort(list(DISTINCT t.id)) AS tags, list(t.seg ORDER BY t.seg) AS segs "
        "FROM (SELECT DISTINCT mask FROM people "
        "      UNION SELECT DISTINCT mask FROM shared) m "
        f"JOIN (VALUES {tags}) t(seg, id) ON (m.mask >> t.seg) & 1 = 1 GROUP BY mask"
    )
    db.execute("SET VARIABLE config = ?", [rules.config])
    lost = (
        "CASE WHEN had IS NULL THEN NULL WHEN tags IS NULL THEN had "
        "ELSE list_filter(had, lambda t: NOT list_contains(tags, t)) END"
        if rules.remove
        else "NULL::BIGINT[]"
    )
    # No tries: refused for good. Many: refused again and again for a reason that might have passed.
    remembered = (
        "false" if rules.again else f"refused = print AND (tries = 0 OR tries >= {MAX_TRIES})"
    )
    same = "false" if rules.everything else "sent = print AND list_has_all(had, tags)"
    later = ""
    if rules.only_failed:
        # Who failed is sent although nothing changed: a full run may have failed at it.
        later = f"WHEN NOT failed AND NOT coalesce({same}, false) THEN 'later' "
        same = f"NOT failed AND {same}"
        lost = f"CASE WHEN failed THEN {lost} END"
    failed = (
        "(coalesce(p.address, l.address) IN "
        "(SELECT address FROM failed WHERE address IS NOT NULL) OR coalesce(p.customer_id IN "
        "(SELECT customer_id FROM failed WHERE customer_id IS NOT NULL), false))"
        if rules.only_failed
        else "true"
    )
    db.execute(
        "CREATE OR REPLACE TABLE changes AS WITH joined AS ("
        "SELECT coalesce(p.address, l.address) AS address, "
        "p.address IS NOT NULL AS present, "
        "CASE WHEN p.address IS NULL THEN l.customer_id ELSE p.customer_id END AS customer_id, "
        "p.mask, p.fields, p.consent, md5(getvariable('config') || p.fields) AS print, "
        "s.tagset, s.tags, s.segs, l.fingerprint AS sent, l.refused, l.refused_code, l.tries, "
        f"CASE WHEN len(l.tags) > 0 THEN l.tags END AS had, h.status AS held, {failed} AS failed "
        "FROM people p FULL JOIN ledger l ON l.address = p.address "
        "LEFT JOIN tagsets s ON s.mask = p.mask "
        "LEFT JOIN held h ON h.address = coalesce(p.address, l.address)), "
        f"judged AS (SELECT *, {lost} AS lost_, CASE "
        "WHEN NOT present THEN 'left' "
        "WHEN held IS NOT NULL THEN 'kept' "
        f"WHEN {remembered} THEN 'rejected' "
        "WHEN sent IS NULL AND NOT consent THEN 'kept' "
        f"{later}"
        "WHEN sent IS NULL THEN 'add' "
        f"WHEN {same} THEN 'unchanged' ELSE 'update' END AS kind FROM joined) "
        "SELECT address, customer_id, mask, tagset, segs, fields, print AS fingerprint, kind, "
        "CASE kind WHEN 'kept' THEN coalesce(held, 'noConsent') "
        "WHEN 'rejected' THEN refused_code END AS code, "
        "tags, had, CASE WHEN len(lost_) > 0 THEN lost_ END AS lost, "
        "sent IS NOT NULL AND sent = print AS same "
        "FROM judged WHERE present OR len(lost_) > 0"
    )


def count(db: DuckDBPyConnection, source_rows: int) -> Counts:
    """The plan's part of a run's counts."""
    row = db.execute(
        "SELECT count(*) FILTER (kind <> 'left'), count(*) FILTER (kind = 'add'), "
        "count(*) FILTER (kind = 'update'), count(*) FILTER (kind = 'unchanged'), "
        "count(*) FILTER (lost IS NOT NULL), count(*) FILTER (kind = 'kept'), "
        "count(*) FILTER (kind = 'rejected') FROM changes"
    ).fetchone()
    distinct, new, changed, unchanged, left, kept, refused = row or (0,) * 7
    erased, bad = db.execute(
        f"SELECT count(*) FILTER (code = '{Code.ERASED}'), "
        f"count(*) FILTER (code <> '{Code.ERASED}') FROM rejects"
    ).fetchone() or (0, 0)
    lost = db.execute("SELECT count(*) FROM shared").fetchone()
    return Counts(
        source_rows=source_rows,
        distinct=distinct + erased,
        new=new,
        changed=changed,
        unchanged=unchanged,
        left=left,
        kept=kept + erased,
        rejected=refused + bad,
        shared_address=lost[0] if lost else 0,
    )


def members_by_segment(db: DuckDBPyConnection) -> dict[int, tuple[int, int]]:
    """Segment number -> (people in it, those of them who are held without a subscription)."""
    rows = db.execute(
        "SELECT seg, sum(n)::BIGINT, sum(held)::BIGINT FROM (SELECT unnest(segs) AS seg, "
        "count(*) AS n, count(*) FILTER (kind = 'kept') AS held FROM changes "
        "WHERE kind <> 'left' GROUP BY segs) GROUP BY seg"
    ).fetchall()
    return {seg: (people, held) for seg, people, held in rows}
