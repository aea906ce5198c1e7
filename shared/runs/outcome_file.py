"""Write the outcomes of a run for Customer Insights: a CDM folder for each export, in a container of its own.

`<export>/model.json` always describes the newest run, whose file is in a folder of its own.
`model.json` is replaced after that file is written, so a reader always finds a complete file. The
columns are in sql/outcome_file.sql; there is no address.

Cells are written unchanged, even if a spreadsheet would read them as formulas: programs read this
file, and an id with an apostrophe before it would not match any profile. `outcomes.csv` for people
(web/csv_files/outcomes.py) neutralizes such cells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConnectorError, NotFound
from shared.model.finding import Finding, Severity
from shared.model.plan import Plan
from shared.model.ports import Files, delete_all
from shared.runs.cdm_model import CdmTable
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


CONTAINER = "outcomes"
_ENTITY = "MailchimpOutcomes"
_TABLE = CdmTable(
    _ENTITY,
    "The outcome of every person of the newest run, by segment.",
    "Outcomes of the export to Mailchimp.",
    (
        ("CustomerId", "string"),
        ("segment", "string"),
        ("outcome", "string"),
        ("reason", "string"),
        ("at", "dateTime"),
        ("sharedWith", "string"),
    ),
)
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class OutcomeFile:
    """Writes outcomes into the container from which Customer Insights reads them, at `url`."""

    files: Files
    url: str
    now: Callable[[], datetime]

    def write(self, db: DuckDBPyConnection, plan: Plan, scratch: Path) -> Path:
        """Write a run's outcomes from `outcomes` and `removals` into a local file."""
        local = scratch / "outcome-file.csv"
        _SQL.run(
            db,
            "write",
            segments=[tag.segment for tag in plan.tags],
            tag_ids=[tag.tag_id for tag in plan.tags],
            at=self.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            file=str(local),
        )
        return local

    def upload(self, plan: Plan, local: Path) -> None:
        """Upload a run's outcomes."""
        self.files.upload(local, _csv(plan.export_id, plan.run_id))

    def publish(self, plan: Plan, uploading: Future[None]) -> list[Finding]:
        """Let `model.json` describe a run's outcomes as soon as they are uploaded. Returns a finding when that failed.

        An account that does not answer must not keep the run from ending.
        """
        location = f"{self.url}/{_csv(plan.export_id, plan.run_id)}"
        try:
            uploading.result()
            self.files.write(_model(plan.export_id), _TABLE.model([location], self.now()))
        except ConnectorError:
            return [Finding(Severity.INFO, "outcomesNotHandedBack")]
        return []

    def remove_profiles(self, export_id: str, run_id: str, customers: Collection[str]) -> int:
        """Remove profiles from the outcome file of a run. Returns the number of removed rows."""
        if not customers:
            return 0
        return _TABLE.rewrite(
            self.files,
            _csv(export_id, run_id),
            lambda db: _SQL.number(db, "remove_profiles", customers=list(customers)),
        )

    def delete(self, export_id: str, run_id: str) -> None:
        """Delete the outcome file of a run, and `model.json` while it describes that run."""
        try:
            described = self.files.read(_model(export_id))
        except NotFound:
            described = b""
        if _csv(export_id, run_id).encode() in described:
            self.files.delete(_model(export_id))
        delete_all(self.files, _folder(export_id, run_id))


def _folder(export_id: str, run_id: str) -> str:
    return f"{export_id}/{_ENTITY}/{run_id}/"


def _csv(export_id: str, run_id: str) -> str:
    return f"{_folder(export_id, run_id)}{_ENTITY}_1.csv"


def _model(export_id: str) -> str:
    return f"{export_id}/model.json"
