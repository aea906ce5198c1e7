"""Take people out of everything that the app keeps, wherever their address rests.

    ledgers          the current version gets a successor without them, by a conditional swap;
                     older versions are written over
    runs/*           the outcomes keep their rows without address and profile; the files of a plan
                     are deleted, nobody reads them once a run is over
    audiences/*      the lists of people who are not subscribed get successors, too
    handed back      the rows of their profiles are taken out

What a run still reads that is going is left to it, and named when they are in it: it may also write
them down again, so the same is done once more when that run is over. Every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Changed, NotFound
from shared.model.audience import NotSubscribedPointer
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    ledger_blob,
    ledger_folder,
    not_subscribed_blob,
    not_subscribed_folder,
    outcomes_table,
    plan_blob,
    run_folder,
)
from shared.model.ports import Files, Records
from shared.model.run import Run, RunStatus, Stage
from shared.people.erasures import MarkErased
from shared.runs.outcome_file import OutcomeFile
from shared.workspace import small_workspace

__all__ = ["Purge", "Purged"]

_AT_ONCE = 2
_TRIES = 20


@dataclass(frozen=True)
class Purged:
    """What was found and removed. `left` are runs that are going and hold these people."""

    exports: frozenset[str]
    records: int
    left: tuple[str, ...]


@dataclass(frozen=True)
class Purge:
    """Removes people. `token` gives new random text."""

    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    not_subscribed: Records[NotSubscribedPointer]
    files: Files
    token: Callable[[], str]
    outcome_file: OutcomeFile

    def everywhere(self, whom: MarkErased) -> Purged:
        """Remove people from everything that no run needs."""
        # The files of other runs are deleted.
        runs = [
            stored.value
            for stage in (Stage.ACTIVE, Stage.WAITING, Stage.STORED)
            for stored in self.runs.all(where={"stage": stage})
        ]
        going = {run.export_id for run in runs if not run.is_over}
        exports = set()
        records = 0
        for pointer in list(self.ledgers.all()):
            found = self._ledger(pointer.key, whom)
            if pointer.key not in going:
                # The version that was current a moment ago says the same once more.
                found = max(found, self._older_ledgers(pointer.key, whom))
            records += found
            if found:
                exports.add(pointer.key)
        for held in list(self.not_subscribed.all()):
            records += self._held(held.key, whom)
        over = [run for run in runs if run.is_over]
        with ThreadPoolExecutor(_AT_ONCE) as hands:
            for run, found in zip(
                over, hands.map(lambda run: self._run(run, whom), over), strict=True
            ):
                records += found
                if found:
                    exports.add(run.export_id)
        left = tuple(run.id for run in runs if not run.is_over and self.holds(run, whom))
        return Purged(frozenset(exports), records, left)

    def holds(self, run: Run, whom: MarkErased) -> bool:
        """Whether a run that is not over has these people in its files, or may be reading them."""
        if run.status is RunStatus.QUEUED:
            return False  # whoever plans it leaves them out
        blob = plan_blob(run.id)
        if blob not in set(self.files.names(blob)):
            return run.is_active
        names = [(name, "address") for name in self.files.names(ledger_folder(run.export_id))]
        for name in self.files.names(f"{run_folder(run.id)}plan-"):
            if name.endswith(".parquet"):
                column = "email" if name.endswith("/rows.parquet") else "address"
                names.append((name, column))
        return any(self._finds(name, column, whom) for name, column in names)

    def _finds(self, blob: str, column: str, whom: MarkErased) -> bool:
        with self._looked_into(blob, whom, column) as found:
            return found is not None

    def _ledger(self, export_id: str, whom: MarkErased) -> int:
        for _ in range(_TRIES):
            stored = self.ledgers.read(export_id)
            if stored is None:
                return 0
            with self._looked_into(stored.value.blob, whom, "address") as found:
                if found is None:
                    return 0
                blob = ledger_blob(export_id, f"{stored.value.run_id}-{self.token()}")
                self.files.upload(found.without(), blob)
                people = stored.value.people - found.rows
                try:
                    self.ledgers.replace(
                        export_id, replace(stored.value, blob=blob, people=people), stored.etag
                    )
                except Changed:
                    self.files.delete(blob)  # a run has finished in this moment: look again
                    continue
                return found.rows
        raise _unsettled()

    def _older_ledgers(self, export_id: str, whom: MarkErased) -> int:
        """Versions that no run reads any more, but an undo may."""
        count = 0
        stored = self.ledgers.read(export_id)
        for name in list(self.files.names(ledger_folder(export_id))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._looked_into(name, whom, "address") as found:
                if found is not None:
                    self.files.upload(found.without(), name)
                    count += found.rows
        return count

    def _held(self, key: str, whom: MarkErased) -> int:
        account_id, _, audience_id = key.partition("/")
        for _ in range(_TRIES):
            stored = self.not_subscribed.read(key)
            if stored is None:
                return 0
            count = 0
            with self._looked_into(stored.value.blob, whom, "address") as found:
                if found is not None:
                    blob = not_subscribed_blob(account_id, audience_id, f"erased-{self.token()}")
                    self.files.upload(found.without(), blob)
                    try:
                        self.not_subscribed.replace(
                            key, replace(stored.value, blob=blob), stored.etag
                        )
                    except Changed:
                        self.files.delete(blob)
                        continue
                    count = found.rows
            self._older_lists(key, whom)
            return count
        raise _unsettled()

    def _older_lists(self, key: str, whom: MarkErased) -> None:
        """Lists that nobody reads any more; a run that reads one in this moment reads it anew."""
        stored = self.not_subscribed.read(key)
        for name in list(self.files.names(not_subscribed_folder(*key.split("/")))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._looked_into(name, whom, "address") as found:
                if found is not None:
                    self.files.delete(name)

    def _run(self, run: Run, whom: MarkErased) -> int:
        for name in list(self.files.names(f"{run_folder(run.id)}plan-")):
            self.files.delete(name)
        blob = outcomes_table(run.id)
        with self._looked_into(blob, whom, "email") as found:
            if found is None:
                return 0
            count = found.rows
            # First: afterwards the profiles are not known any more.
            count += self.outcome_file.forget(run.export_id, run.id, found.values("customer_id"))
            self.files.upload(found.blanked(("email", "customer_id", "shared_with")), blob)
            return count

    @contextmanager
    def _looked_into(self, blob: str, whom: MarkErased, column: str) -> Iterator[_Found | None]:
        """A Parquet blob in which some of these people are; None when nobody is."""
        with small_workspace() as (db, folder):
            local = folder / "found.parquet"
            try:
                self.files.download(blob, local)
            except NotFound:
                yield None
                return
            found = _Found(db, local, column)
            whom(db, found.source, column)
            found.count()
            yield found if found.rows else None


class _Found:
    """A local file with people in it who are to go; `gone` are their addresses."""

    def __init__(self, db: DuckDBPyConnection, local: Path, column: str) -> None:
        quoted = str(local).replace("'", "''")
        self._db = db
        self._target = local.with_name("without.parquet")
        self._is_gone = f"coalesce({column} IN (SELECT address FROM gone), false)"
        self.source = f"read_parquet('{quoted}')"
        self.rows = 0

    def count(self) -> None:
        """Count the rows that are to go."""
        query = f"SELECT count(*) FROM {self.source} WHERE {self._is_gone}"
        row = self._db.execute(query).fetchone()
        self.rows = int(row[0]) if row else 0

    def values(self, column: str) -> list[str]:
        """What stands in a column of these rows."""
        query = f"SELECT DISTINCT {column} FROM {self.source} WHERE {self._is_gone}"
        return [value for (value,) in self._db.execute(query).fetchall() if value]

    def without(self) -> Path:
        """The file without these rows."""
        return self._copy(f"SELECT * FROM {self.source} WHERE NOT {self._is_gone}")

    def blanked(self, columns: Sequence[str]) -> Path:
        """The file with these rows, and nothing in the columns that say who it is."""
        blank = ", ".join(f"if({self._is_gone}, NULL, {name}) AS {name}" for name in columns)
        return self._copy(f"SELECT * REPLACE ({blank}) FROM {self.source}")

    def _copy(self, query: str) -> Path:
        quoted = str(self._target).replace("'", "''")
        self._db.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        return self._target


def _unsettled() -> Changed:
    return Changed("recordContended")
