"""Plan an undo: from the ledger as it is back to the ledger as it was before a run.

Tags that the run added are taken away and tags that it took are given again; values that it changed
get their earlier value where the ledger knows it under the same mapping. People whom the run
created stay, without our tags, or are archived when that was asked and nobody else has given them a
tag since. Whose values were edited since keeps them. People who are not subscribed are sent nothing,
as ever; the plan says what it does not take back.

Tables made here, from `before`, `ledger` (now), `outcomes` (of the run), `held` and `seen`
(planning/manual_edits.py): `changes`, `tagsets`, and the empty `rejects` and `shared`, as every plan has them (compare.py, people.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from shared.model.chunk import ARCHIVE_TAG
from shared.model.outcome import Code, Outcome
from shared.model.run import Counts, Finding, Severity

__all__ = ["UndoRules", "compare_for_undo", "not_taken_back", "undo_counts"]


@dataclass(frozen=True)
class UndoRules:
    """What the rewinding must know. `config` is the mapping's mark of the run (planning/fingerprint.py).

    `there` are the tags that the audience still has, `tags` those of them that are the run's, in the
    order of its segments.
    """

    config: str
    there: Sequence[int]
    tags: Sequence[int] = ()
    archive: bool = False


def compare_for_undo(db: DuckDBPyConnection, rules: UndoRules) -> None:
    """Make the tables."""
    db.execute("SET VARIABLE config = ?", [rules.config])
    db.execute("SET VARIABLE there = ?", [list(rules.there)])
    db.execute("SET VARIABLE ours = ?::BIGINT[]", [list(rules.tags)])
    archive = (
        f"CASE WHEN born AND held IS NULL AND NOT others THEN [{ARCHIVE_TAG}] ELSE [] END"
        if rules.archive
        else "[]::BIGINT[]"
    )
    db.execute(
        "CREATE OR REPLACE TABLE rewinding AS WITH born AS (SELECT DISTINCT email AS address "
        f"FROM outcomes WHERE outcome = '{Outcome.CREATED}' "
        f"AND code IS DISTINCT FROM '{Code.SHARED_ADDRESS}'), "
        "joined AS (SELECT l.address, l.customer_id, coalesce(l.tags, []) AS has, "
        "coalesce(b.tags, []) AS had, b.fields AS old_fields, b.fingerprint AS old_print, "
        "l.fingerprint AS new_print, c.address IS NOT NULL AS born, h.status AS held, "
        "coalesce(b.fingerprint = md5(getvariable('config') || b.fields), false) AS known, "
        "coalesce(s.others, false) AS others, coalesce(s.edited, false) AS edited "
        "FROM ledger l LEFT JOIN before b ON b.address = l.address "
        "LEFT JOIN born c ON c.address = l.address LEFT JOIN held h ON h.address = l.address "
        "LEFT JOIN seen s ON s.address = l.address) "
        "SELECT *, new_print IS DISTINCT FROM old_print AS sent_anew, "
        "list_filter(has, lambda t: NOT list_contains(had, t) "
        "AND list_contains(getvariable('there'), t)) AS added, "
        "list_filter(had, lambda t: NOT list_contains(has, t) "
        "AND list_contains(getvariable('there'), t)) AS taken FROM joined"
    )
    db.execute(
        "CREATE OR REPLACE TABLE changes AS WITH judged AS (SELECT *, "
        # Only someone whose earlier values are known can be written at all.
        "NOT born AND held IS NULL AND known AND NOT edited "
        "AND (sent_anew OR len(taken) > 0) AS restored, "
        "list_concat(CASE WHEN born THEN list_filter(has, "
        "lambda t: list_contains(getvariable('there'), t)) ELSE added END, "
        f"{archive}) AS lost_ FROM rewinding), "
        "sets AS (SELECT taken AS tags, row_number() OVER (ORDER BY taken) - 1 AS tagset "
        "FROM (SELECT DISTINCT taken FROM judged WHERE restored)) "
        "SELECT j.address, j.customer_id, NULL::HUGEINT AS mask, s.tagset, "
        "CASE WHEN restored THEN list_filter(range(len(getvariable('ours'))), "
        "lambda i: list_contains(j.had, getvariable('ours')[i + 1])) END AS segs, "
        "j.old_fields AS fields, j.old_print AS fingerprint, "
        "CASE WHEN restored THEN 'update' ELSE 'left' END AS kind, NULL::VARCHAR AS code, "
        "j.taken AS tags, j.has AS had, CASE WHEN len(lost_) > 0 THEN lost_ END AS lost, "
        "false AS same FROM judged j LEFT JOIN sets s ON restored AND s.tags = j.taken "
        "WHERE restored OR len(lost_) > 0"
    )
    db.execute(
        "CREATE OR REPLACE TABLE tagsets AS SELECT DISTINCT tagset, NULL::HUGEINT AS mask, tags, "
        "[]::BIGINT[] AS segs FROM changes WHERE tagset IS NOT NULL ORDER BY tagset"
    )
    db.execute(
        "CREATE OR REPLACE TABLE rejects (seg UTINYINT, customer_id VARCHAR, email VARCHAR, "
        "file VARCHAR, line BIGINT, code VARCHAR)"
    )
    db.execute(
        "CREATE OR REPLACE TABLE shared (address VARCHAR, customer_id VARCHAR, mask HUGEINT)"
    )


def undo_counts(db: DuckDBPyConnection) -> Counts:
    """How many people get something back, and how many lose something again."""
    row = db.execute(
        "SELECT count(*) FILTER (kind = 'update'), count(*) FILTER (lost IS NOT NULL) FROM changes"
    ).fetchone()
    restored, losing = row or (0, 0)
    return Counts(distinct=restored, changed=restored, left=losing)


def not_taken_back(db: DuckDBPyConnection, archive: bool) -> list[Finding]:
    """What the undo leaves as it is, and why; by count."""
    row = db.execute(
        "SELECT count(*) FILTER (born AND (held IS NOT NULL OR NOT $1)), "
        "count(*) FILTER (NOT born AND sent_anew AND new_print IS NOT NULL AND NOT known "
        "AND held IS NULL), "
        "count(*) FILTER (NOT born AND held IS NOT NULL AND (sent_anew OR len(taken) > 0)), "
        "count(*) FILTER (NOT born AND held IS NULL AND (edited OR NOT known) AND len(taken) > 0), "
        "count(*) FILTER (NOT born AND held IS NULL AND known AND edited AND sent_anew), "
        "count(*) FILTER (born AND held IS NULL AND others AND $1) FROM rewinding",
        [archive],
    ).fetchone()
    stay, unknown, held, tags, edited, others = row or (0,) * 6
    said = (
        (
            stay,
            Severity.INFO,
            "undoCreatedStay",
            f"{stay} people whom the run created stay in the audience, without its tags.",
        ),
        (
            unknown,
            Severity.WARNING,
            "undoValuesUnknown",
            f"{unknown} people keep the values that the run gave them: what they had before is "
            "not known.",
        ),
        (
            held,
            Severity.WARNING,
            "undoNotSubscribed",
            f"{held} people are not subscribed any more and are left as they are.",
        ),
        (
            tags,
            Severity.WARNING,
            "undoTagsNotGiven",
            f"{tags} people do not get back a tag that the run took: with it they would be "
            "written values that are not known or were edited since. Give it in Mailchimp.",
        ),
        (
            edited,
            Severity.WARNING,
            "undoEditedSince",
            f"{edited} people were edited in Mailchimp since the run and keep the values that they "
            "have now.",
        ),
        (
            others,
            Severity.INFO,
            "undoOthersToo",
            f"{others} people whom the run created carry tags of others by now and are not "
            "archived; they lose the tags of this export.",
        ),
    )
    return [
        Finding(severity, code, message, {"people": str(people)})
        for people, severity, code, message in said
        if people
    ]
