"""Outcomes handed back to Customer Insights: a CDM folder an export, in a container of its own.

`<export>/model.json` always describes the newest run; its file stands in a folder of that run, and
`model.json` is replaced after it, so that a reader finds a whole file at any moment. Columns:
CustomerId, segment, outcome, reason (a code), at. A person has a row for each segment they are in,
and one for each that they left. No address is among them.

Cells are written as they are, also those that a spreadsheet would take for formulas: programs read
this file, and an id with an apostrophe before it would join with nobody. People look at
`outcomes.csv` (web/outcomes_csv.py), where such cells are calmed down.
https://learn.microsoft.com/common-data-model/model-json
https://learn.microsoft.com/dynamics365/customer-insights/data/connect-common-data-model
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import ConnectorError, NotFound
from shared.model.outcome import Code
from shared.model.plan import Plan
from shared.model.ports import Files
from shared.model.run import Finding, Severity
from shared.workspace import small_workspace

__all__ = ["CONTAINER", "OutcomeFile"]

CONTAINER = "outcomes"
_ENTITY = "MailchimpOutcomes"
_COLUMNS = (
    ("CustomerId", "string"),
    ("segment", "string"),
    ("outcome", "string"),
    ("reason", "string"),
    ("at", "dateTime"),
)
_CSV = "(FORMAT csv, HEADER true, FORCE_QUOTE *)"


@dataclass(frozen=True)
class OutcomeFile:
    """Writes outcomes where Customer Insights takes them from. `url` is the container's own."""

    files: Files
    url: str
    now: Callable[[], datetime]

    def give(self, db: DuckDBPyConnection, plan: Plan, scratch: Path) -> list[Finding]:
        """Write a run's outcomes from `outcomes` and `losses`, or say that it was not possible.

        A landing account that does not answer must not keep a run from being closed.
        """
        local = scratch / "handback.csv"
        _write_csv(db, plan, self.now(), local)
        try:
            self.files.upload(local, _csv(plan.export_id, plan.run_id))
            self.files.write(_model(plan.export_id), self._describe(plan))
        except ConnectorError:
            return [Finding(Severity.INFO, "outcomesNotHandedBack")]
        return []

    def forget(self, export_id: str, run_id: str, customers: Collection[str]) -> int:
        """Take customers out of what a run handed back; how many rows they had."""
        if not customers:
            return 0
        blob = _csv(export_id, run_id)
        with small_workspace() as (db, folder):
            local, rest = folder / "before.csv", folder / "after.csv"
            try:
                self.files.download(blob, local)
            except NotFound:
                return 0
            columns = ", ".join(f"'{name}': 'VARCHAR'" for name, _ in _COLUMNS)
            db.execute(
                "CREATE TABLE rows AS SELECT * FROM read_csv(?, header = true, auto_detect = false, "
                f"delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})",
                [str(local)],
            )
            gone = db.execute(
                "DELETE FROM rows WHERE CustomerId IN (SELECT unnest(?::VARCHAR[]))",
                [list(customers)],
            ).fetchone()
            if not gone or not gone[0]:
                return 0
            db.execute(f"COPY rows TO '{_quoted(rest)}' {_CSV}")
            self.files.upload(rest, blob)
            return int(gone[0])

    def clear(self, export_id: str, run_id: str) -> None:
        """Delete what a run handed back, and the description while it describes that run."""
        try:
            described = self.files.read(_model(export_id))
        except NotFound:
            described = b""
        if _csv(export_id, run_id).encode() in described:
            self.files.delete(_model(export_id))
        for name in list(self.files.names(_folder(export_id, run_id))):
            self.files.delete(name)

    def _describe(self, plan: Plan) -> bytes:
        written = self.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        partition = {
            "name": f"{_ENTITY}_1",
            "refreshTime": written,
            "location": f"{self.url}/{_csv(plan.export_id, plan.run_id)}",
            "fileFormatSettings": {
                "$type": "CsvFormatSettings",
                "columnHeaders": True,
                "delimiter": ",",
                "quoteStyle": "QuoteStyle.Csv",
                "csvStyle": "CsvStyle.QuoteAlways",
                "encoding": "UTF-8",
            },
        }
        entity = {
            "$type": "LocalEntity",
            "name": _ENTITY,
            "description": "What became of every person of the newest run, by segment.",
            "attributes": [{"name": name, "dataType": kind} for name, kind in _COLUMNS],
            "partitions": [partition],
        }
        model = {
            "name": _ENTITY,
            "description": "Outcomes of the export to Mailchimp.",
            "version": "1.0",
            "modifiedTime": written,
            "entities": [entity],
        }
        return json.dumps(model, indent=2).encode()


def _write_csv(db: DuckDBPyConnection, plan: Plan, at: datetime, local: Path) -> None:
    names: Sequence[str] = [tag.segment for tag in plan.tags]
    db.execute(
        "CREATE OR REPLACE TABLE planned_ AS SELECT unnest(range(len($1::VARCHAR[]))) AS seg, "
        "unnest($1::VARCHAR[]) AS segment, unnest($2::BIGINT[]) AS tag_id",
        [names, [tag.tag_id for tag in plan.tags]],
    )
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    db.execute(
        "COPY (SELECT o.customer_id AS CustomerId, p.segment, o.outcome, "
        f"coalesce(o.code, '') AS reason, '{moment}' AS at FROM (SELECT customer_id, outcome, "
        "code, unnest(segs) AS seg FROM outcomes WHERE customer_id IS NOT NULL) o "
        "JOIN planned_ p ON p.seg = o.seg "
        "UNION ALL SELECT o.customer_id, p.segment, if(l.removed, 'removed', 'notSent'), "
        f"coalesce(l.code, ''), '{moment}' FROM losses l "
        "JOIN planned_ p ON p.tag_id = l.tag_id JOIN outcomes o ON o.email = l.address "
        f"AND o.code IS DISTINCT FROM '{Code.SHARED_ADDRESS}' AND o.customer_id IS NOT NULL "
        f"AND o.file IS NULL ORDER BY ALL) TO '{_quoted(local)}' {_CSV}"
    )


def _folder(export_id: str, run_id: str) -> str:
    return f"{export_id}/{_ENTITY}/{run_id}/"


def _csv(export_id: str, run_id: str) -> str:
    return f"{_folder(export_id, run_id)}{_ENTITY}_1.csv"


def _model(export_id: str) -> str:
    return f"{export_id}/model.json"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
