"""Finds out why a person is (not) in Mailchimp, from the data of each export and from Mailchimp.

The result for an export comes from its newest run with outcomes. If the person is not in them, it
comes from the ledger. A person who is in neither is in no segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConnectorError, NotFound
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import outcomes_table, plan_blob
from shared.model.outcome import Code, Outcome
from shared.model.plan import plan_from_json
from shared.model.ports import Files, Records, readable
from shared.model.run import Run
from shared.model.tag import TagOwner
from shared.people.erasures import Erasures, address_key, is_address
from shared.people.exclusion_lists import ExclusionLists
from shared.workspace import small_workspace

__all__ = ["ABSENT", "UNKNOWN", "Found", "Search"]

# In addition to Mailchimp's statuses: not in the audience; Mailchimp was not reached.
ABSENT = "absent"
UNKNOWN = "unknown"

_AT_ONCE = 2
_PATIENCE = 5.0
# Skipped runs have no outcomes. This many runs are checked before the ledger is used.
_RUNS = 50


@dataclass(frozen=True)
class Found:
    """What one export has about a person. `in_audience` is a status of Mailchimp or one of ours."""

    export_id: str
    export_name: str
    segments: tuple[str, ...] = ()
    in_audience: str = UNKNOWN
    outcome: str = ""
    code: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Search:
    """Searches for people. `account_of` returns the Mailchimp account of a connection."""

    exports: Records[Export]
    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    owners: Records[TagOwner]
    files: Files
    sessions: OnDemandSessions
    account_of: Callable[[str], str]
    erasures: Erasures
    exclusions: ExclusionLists

    def find(self, email: str) -> list[Found]:
        """Return one result per export, sorted by the export's name."""
        address = address_key(email)
        exports = sorted(
            (stored.value for stored in readable(self.exports.all())),
            key=lambda export: (export.display_name.casefold(), export.id),
        )
        if not exports:
            return []
        erasure = self.erasures.find(address)
        targets = {(export.connection_id, export.audience_id) for export in exports}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            pending = {target: pool.submit(self._status, *target, address) for target in targets}
            stored = list(pool.map(lambda export: self._in_storage(export, address), exports))
            statuses = {target: future.result() for target, future in pending.items()}
        found = []
        for export, result in zip(exports, stored, strict=True):
            status = statuses[(export.connection_id, export.audience_id)]
            if erasure is not None:
                result = replace(result, outcome=Outcome.KEPT, code=Code.ERASED, at=erasure.at)
            found.append(replace(result, in_audience=status))
        return found

    def _status(self, connection_id: str | None, audience_id: str, address: str) -> str:
        """Return the current status in Mailchimp, without a long wait when Mailchimp is unavailable."""
        if not connection_id:
            return UNKNOWN
        try:
            account_id = self.account_of(connection_id)
            with self.sessions.session(connection_id, account_id, _PATIENCE) as session:
                return session.status_of(audience_id, address) or ABSENT
        except ConnectorError:
            return UNKNOWN

    def _in_storage(self, export: Export, address: str) -> Found:
        base = Found(export.id, export.display_name)
        run = next((run for run in self._newest(export.id) if self._has_outcomes(run)), None)
        found = self._in_outcomes(run, base, address) if run else None
        found = found or self._in_ledger(export, base, address)
        if address in self.exclusions.read(export.id).addresses:
            return replace(found or base, outcome=Outcome.KEPT, code=Code.EXCLUDED)
        if found is not None:
            return found
        return replace(base, code=Code.NOT_IN_SEGMENT if run else Code.NOT_RUN)

    def _newest(self, export_id: str) -> Iterator[Run]:
        stored_runs = readable(self.runs.all(where={"export": export_id}))
        runs = (stored.value for stored in stored_runs)
        return islice((run for run in runs if not run.is_active), _RUNS)

    def _has_outcomes(self, run: Run) -> bool:
        blob = outcomes_table(run.id)
        return blob in set(self.files.names(blob))

    def _in_outcomes(self, run: Run, base: Found, address: str) -> Found | None:
        with small_workspace() as (db, folder):
            local = folder / "outcomes.parquet"
            try:
                self.files.download(outcomes_table(run.id), local)
            except NotFound:
                return None
            row = db.execute(
                "SELECT segments, outcome, code FROM read_parquet($file) "
                f"WHERE {is_address('email')} "
                "ORDER BY shared_with IS NOT NULL, line NULLS FIRST "
                "LIMIT 1",
                {"file": str(local), "address": address},
            ).fetchone()
        if row is None:
            return None
        segments, outcome, code = row
        return replace(
            base,
            segments=self._segments(run, segments or ()),
            outcome=outcome,
            code=code or "",
            at=run.finished_at or run.moved_at,
        )

    def _segments(self, run: Run, segments: list[int] | tuple[()]) -> tuple[str, ...]:
        if not segments:
            return ()
        try:
            plan = plan_from_json(self.files.read(plan_blob(run.id)))
        except NotFound:
            return ()
        return tuple(plan.tags[number].segment for number in segments)

    def _in_ledger(self, export: Export, base: Found, address: str) -> Found | None:
        stored = self.ledgers.read(export.id)
        if stored is None:
            return None
        with small_workspace() as (db, folder):
            local = folder / "ledger.parquet"
            try:
                self.files.download(stored.value.blob, local)
            except NotFound:
                return None
            row = db.execute(
                "SELECT tags, fingerprint IS NOT NULL, refused_code, run_id "
                "FROM read_parquet(?) WHERE address = ?",
                [str(local), address],
            ).fetchone()
        if row is None:
            return None
        tags, sent, refused_code, run_id = row
        run = self.runs.read(run_id or "none")
        at = run.value.finished_at if run else None
        if refused_code:
            return replace(base, outcome=Outcome.REJECTED, code=refused_code, at=at)
        if not tags or not sent:
            return replace(base, code=Code.NOT_IN_SEGMENT, at=at)
        return replace(
            base, segments=self._segments_of(export, tags), outcome=Outcome.UPDATED, at=at
        )

    def _segments_of(self, export: Export, tags: list[int]) -> tuple[str, ...]:
        owned = {o.value.tag_id: o.value for o in readable(self.owners.all())}
        ours = [owned[tag] for tag in tags if tag in owned]
        return tuple(owner.segment for owner in ours if owner.export_id == export.id)
