"""Removes people from all data of the app that contains their address.

    ledgers          a new version without them replaces the current one by a conditional write;
                     older versions are overwritten
    runs/*           the outcomes keep their rows without address and profile; the files of a plan
                     are deleted, because they are not read after the run
    audiences/*      new lists of people who are not subscribed replace the current ones
    outcome files    the rows of their profiles are removed (runs/outcome_file.py)

Files that an active run still reads are kept. If they contain these people, the result names the
run; it may also store them again, so the purge is repeated when it is over. Every step may be repeated.
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
    """What was found and removed. `left` are active runs whose files contain these people."""

    exports: frozenset[str]
    records: int
    left: tuple[str, ...]


@dataclass(frozen=True)
class Purge:
    """Removes people. `token` returns new random text."""

    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    not_subscribed: Records[NotSubscribedPointer]
    files: Files
    token: Callable[[], str]
    outcome_file: OutcomeFile

    def everywhere(self, whom: MarkErased) -> Purged:
        """Remove people from all data that no active run needs."""
        # Runs in other stages have no files.
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
                # The version that was current before has the same people: do not count them twice.
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
        """Whether an active run has these people in its files, or may be reading them."""
        if run.status is RunStatus.QUEUED:
            return False  # its planner will omit them
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
                    self.files.delete(blob)  # a run has finished at the same moment: read again
                    continue
                return found.rows
        raise _unsettled()

    def _older_ledgers(self, export_id: str, whom: MarkErased) -> int:
        """Purge versions that no run reads any more, but that an undo may read."""
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
        """Delete outdated lists that contain these people. A run that is reading one reads again."""
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
            # This comes first, because the profiles are unknown afterwards.
            count += self.outcome_file.forget(run.export_id, run.id, found.values("customer_id"))
            self.files.upload(found.blanked(("email", "customer_id", "shared_with")), blob)
            return count

    @contextmanager
    def _looked_into(self, blob: str, whom: MarkErased, column: str) -> Iterator[_Found | None]:
        """Open a Parquet blob that contains some of these people. Yields None when it contains no one."""
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
    """A local file with people to remove. The table `gone` has their addresses."""

    def __init__(self, db: DuckDBPyConnection, local: Path, column: str) -> None:
        quoted = str(local).replace("'", "''")
        self._db = db
        self._target = local.with_name("without.parquet")
        self._is_gone = f"coalesce({column} IN (SELECT address FROM gone), false)"
        self.source = f"read_parquet('{quoted}')"
        self.rows = 0

    def count(self) -> None:
        """Count the rows to remove."""
        query = f"SELECT count(*) FROM {self.source} WHERE {self._is_gone}"
        row = self._db.execute(query).fetchone()
        self.rows = int(row[0]) if row else 0

    def values(self, column: str) -> list[str]:
        """Return the values of a column in these rows."""
        query = f"SELECT DISTINCT {column} FROM {self.source} WHERE {self._is_gone}"
        return [value for (value,) in self._db.execute(query).fetchall() if value]

    def without(self) -> Path:
        """Write a copy of the file without these rows."""
        return self._copy(f"SELECT * FROM {self.source} WHERE NOT {self._is_gone}")

    def blanked(self, columns: Sequence[str]) -> Path:
        """Write a copy of the file in which the identifying columns of these rows are empty."""
        blank = ", ".join(f"if({self._is_gone}, NULL, {name}) AS {name}" for name in columns)
        return self._copy(f"SELECT * REPLACE ({blank}) FROM {self.source}")

    def _copy(self, query: str) -> Path:
        quoted = str(self._target).replace("'", "''")
        self._db.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        return self._target


def _unsettled() -> Changed:
    return Changed("recordContended")
