"""The outcomes that a run would have, for a preview: every row is converted as the run converts it.

People who would be sent count as accepted, except new people without a value for a required merge field:
other refusals of Mailchimp cannot be predicted. The table of outcomes has the same form as that of a run, so
the same pages and downloads show it, and the retention and the erasure of people apply to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.on_demand import OnDemandSessions
from shared.finishing.final_status import value_findings
from shared.finishing.fold import fold_outcomes, make_outcomes_writable, write_outcomes
from shared.finishing.gather import fill_results, open_changes
from shared.model.chunk import Chunk, ChunkKind, ChunkState
from shared.model.finding import Finding, Severity
from shared.model.names import outcomes_table
from shared.model.outcome import Code, Outcome
from shared.model.plan import Plan
from shared.model.ports import Files, Records
from shared.model.preview import SAMPLES_JSON
from shared.people.erasures import Erasures
from shared.people.suppression import suppress_erased_in_outcomes
from shared.planning.reading.ledger import download_ledger, load_ledger, open_values
from shared.previews.differences import write_values_before
from shared.previews.samples import Samples
from shared.sending.chunk_payload import ChunkPayload, ChunkPayloads
from shared.sending.outcome_lines import outcome_ranges
from shared.sending.result import Result, with_values
from shared.workspace import SqlFile, workspace

_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class PreviewOutcomes:
    """Writes the outcomes of previews."""

    chunks: Records[Chunk]
    files: Files
    erasures: Erasures
    sessions: OnDemandSessions
    now: Callable[[], datetime]

    def write(self, plan: Plan, chunks: Sequence[Chunk]) -> Plan:
        """Write the outcomes that the run of a plan would have. Returns the plan with what they show."""
        payloads = ChunkPayloads(plan, self.chunks, self.files, self.now)
        with workspace() as (db, scratch):
            accepted = scratch / "outcomes.csv"
            samples = Samples(plan)
            self._accept(payloads, chunks, accepted, samples)
            open_changes(db, plan, self.files, scratch)
            fill_results(db, chunks, accepted, Code.CALL_FAILED)
            table = scratch / "table.parquet"
            fold_outcomes(db, table)
            ledger = download_ledger(self.files, plan, scratch)
            findings = value_findings(db, plan, partial(_open_values, ledger=ledger))
            missing = _SQL.rows(db, "missing", code=Code.FIELD_REQUIRED)
            before = scratch / "before.parquet"
            write_values_before(db, ledger, before)
            self.files.upload(before, plan.values_before)
            suppress_erased_in_outcomes(db, self.erasures.marker_for_all(), make_outcomes_writable)
            write_outcomes(db, table)
            self.files.upload(table, outcomes_table(plan.run_id))
        with self.sessions.session(plan.connection_id, plan.account_id) as session:
            compared = samples.compare(session)
        self.files.write(plan.samples, SAMPLES_JSON.dump_json(compared))
        for tag, people in missing:
            values = {"field": tag, "people": str(people)}
            findings.append(Finding(Severity.WARNING, "requiredValuesMissing", values=values))
        rejected = plan.counts.rejected + sum(people for _, people in missing)
        return replace(
            plan,
            findings=(*plan.findings, *findings),
            counts=replace(plan.counts, rejected=rejected),
        )

    def _accept(
        self, payloads: ChunkPayloads, chunks: Iterable[Chunk], into: Path, samples: Samples
    ) -> None:
        """Write the results of all chunks as if Mailchimp accepted everyone with the required values."""
        required = [field.tag for field in payloads.plan.merge_fields if field.required]
        with into.open("w", encoding="utf-8", newline="") as file:
            for chunk in chunks:
                if chunk.state is ChunkState.UNCONFIRMED:
                    continue
                payload = payloads.read_planned(chunk)
                samples.add(payload)
                file.write(outcome_ranges(_results(payload, required)))


def _open_values(db: DuckDBPyConnection, *, ledger: Path | None) -> None:
    """Make `ledger_values` the values of a local ledger."""
    load_ledger(db, None)
    if ledger is not None:
        open_values(db, ledger)


def _results(payload: ChunkPayload, required: Sequence[str]) -> dict[int, Result]:
    if payload.chunk.tag_id is not None:
        return dict.fromkeys(payload.lines.values(), Result(Outcome.REMOVED))
    is_new = payload.chunk.kind is ChunkKind.ADD
    accepted = Result(Outcome.CREATED if is_new else Outcome.UPDATED)
    results = {}
    for person in payload.people:
        # Contacts of the audience keep the values that are not sent.
        missing = (tag for tag in required if is_new and person.fields.get(tag, "") == "")
        tag = next(missing, None)
        result = Result(Outcome.REJECTED, Code.FIELD_REQUIRED, tag) if tag else accepted
        results[payload.lines[person.address]] = with_values(person, result)
    return results
