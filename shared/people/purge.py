"""Removes people from all data of the app that contains their address.

    ledgers          a new version without them replaces the current one by a conditional write;
                     older versions are overwritten
    runs/*           the outcomes keep their rows without address and profile; the files of a plan
                     are deleted, because they are not read after the run; so is the name of the
                     person that a run of one person sends
    audiences/*      new lists of people who are not subscribed replace the current ones
    exclusions/*     the lists of excluded people are rewritten without them
    outcome files    the rows with their profile ids are removed (runs/outcome_file.py)
    consent/*        new lists of statuses replace the current ones
    consent table    the rows with their profile ids are removed (consent_updates/table.py)

Files that an active run still reads are kept. If they contain these people, the result names the
run. The run may store these people again, so the purge is repeated after the run has ended. Every step
may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Changed, ConnectorError, NotFound
from shared.model.audience import NotSubscribedPointer
from shared.model.consent import ConsentSweep, statuses_folder
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    ledger_blob,
    ledger_folder,
    not_subscribed_blob,
    not_subscribed_folder,
    outcomes_table,
    person_blob,
    plan_blob,
    run_folder,
)
from shared.model.ports import Files, Records, split_unreadable
from shared.model.run import Mode, Run, RunStatus, Stage
from shared.people.erasures import MarkErased
from shared.people.exclusion_lists import ExclusionLists
from shared.runs.outcome_file import OutcomeFile
from shared.workspace import small_workspace

__all__ = ["Purge", "Purged"]

_AT_ONCE = 2
_TRIES = 20


@dataclass(frozen=True)
class Purged:
    """What was found and removed. `active_runs` are the runs whose files still contain these people.

    `unreadable` is the error if a newer version of the app wrote a record, or a list of excluded people
    is damaged; these are not purged.
    """

    exports: frozenset[str]
    records: int
    active_runs: tuple[str, ...]
    unreadable: ConnectorError | None = None


@dataclass(frozen=True)
class Purge:
    """Removes people. `token` returns new random text.

    `forget_consent` removes profiles from the consent table of an audience.

    The argument `mark` fills the table `erased_addresses` with the people to remove (`MarkErased`).
    """

    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    not_subscribed: Records[NotSubscribedPointer]
    files: Files
    token: Callable[[], str]
    outcome_file: OutcomeFile
    exclusions: ExclusionLists
    consent_sweeps: Records[ConsentSweep]
    forget_consent: Callable[[str, Collection[str]], int]

    def everywhere(self, mark: MarkErased) -> Purged:
        """Remove people from all data that no active run needs."""
        # Runs in other stages have no files.
        stages = [
            split_unreadable(self.runs.all(where={"stage": stage}))
            for stage in (Stage.ACTIVE, Stage.WAITING, Stage.STORED)
        ]
        runs = [stored.value for readable_runs, _ in stages for stored in readable_runs]
        ledgers, no_ledger = split_unreadable(self.ledgers.all())
        lists, no_list = split_unreadable(self.not_subscribed.all())
        unreadable_run = next((error for _, error in stages if error), None)
        active_exports = {run.export_id for run in runs if not run.is_over}
        exports = set()
        records = 0
        for pointer in ledgers:
            count = self._purge_ledger(pointer.key, mark)
            # An unreadable run may be active and read an older version.
            if unreadable_run is None and pointer.key not in active_exports:
                # An older version usually contains the same people; count them once.
                count = max(count, self._purge_older_ledgers(pointer.key, mark))
            records += count
            if count:
                exports.add(pointer.key)
        for stored in lists:
            records += self._purge_not_subscribed(stored.key, mark)
        sweeps, no_sweep = split_unreadable(self.consent_sweeps.all())
        for sweep in sweeps:
            records += self._purge_statuses(sweep.key, mark)
        excluded = self.exclusions.purge(mark)
        for export_id, count in excluded.removed.items():
            records += count
            exports.add(export_id)
        for run in runs:
            if run.mode is Mode.ONE_PERSON:
                # It may be one of these people. A run that has not read it yet sends no one.
                self.files.delete(person_blob(run.id))
        over = [run for run in runs if run.is_over]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for run, count in zip(
                over, pool.map(lambda run: self._purge_run(run, mark), over), strict=True
            ):
                records += count
                if count:
                    exports.add(run.export_id)
        active_runs = tuple(
            run.id for run in runs if not run.is_over and self.run_contains(run, mark)
        )
        unreadable = unreadable_run or no_ledger or no_list or no_sweep or excluded.damaged
        return Purged(frozenset(exports), records, active_runs, unreadable)

    def run_contains(self, run: Run, mark: MarkErased) -> bool:
        """Whether the files of an active run contain these people, or planning may be reading them."""
        if run.status is RunStatus.QUEUED:
            return False  # planning will omit them
        blob = plan_blob(run.id)
        if blob not in set(self.files.names(blob)):
            return run.is_active
        names = [(name, "address") for name in self.files.names(ledger_folder(run.export_id))]
        for name in self.files.names(f"{run_folder(run.id)}plan-"):
            if name.endswith(".parquet"):
                column = "email" if name.endswith("/rows.parquet") else "address"
                names.append((name, column))
        return any(self._contains(name, column, mark) for name, column in names)

    def _contains(self, blob: str, column: str, mark: MarkErased) -> bool:
        with self._open_erased_rows(blob, mark, column) as found:
            return found is not None

    def _purge_ledger(self, export_id: str, mark: MarkErased) -> int:
        for _ in range(_TRIES):
            stored = self.ledgers.read(export_id)
            if stored is None:
                return 0
            with self._open_erased_rows(stored.value.blob, mark, "address") as found:
                if found is None:
                    return 0
                # The consent table comes first, because afterwards the profile ids are unknown.
                self.forget_consent(stored.value.audience, found.values("customer_id"))
                blob = ledger_blob(export_id, f"{stored.value.run_id}-{self.token()}")
                self.files.upload(found.write_without(), blob)
                people = stored.value.people - found.row_count
                try:
                    self.ledgers.replace(
                        export_id, replace(stored.value, blob=blob, people=people), stored.etag
                    )
                except Changed:
                    self.files.delete(blob)  # a run finished in the meantime: read again
                    continue
                return found.row_count
        raise Changed("recordContended")

    def _purge_older_ledgers(self, export_id: str, mark: MarkErased) -> int:
        """Purge earlier versions, which only an undo still reads."""
        count = 0
        stored = self.ledgers.read(export_id)
        for name in list(self.files.names(ledger_folder(export_id))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._open_erased_rows(name, mark, "address") as found:
                if found is not None:
                    self.files.upload(found.write_without(), name)
                    count += found.row_count
        return count

    def _purge_not_subscribed(self, key: str, mark: MarkErased) -> int:
        account_id, _, audience_id = key.partition("/")
        for _ in range(_TRIES):
            stored = self.not_subscribed.read(key)
            if stored is None:
                return 0
            count = 0
            with self._open_erased_rows(stored.value.blob, mark, "address") as found:
                if found is not None:
                    blob = not_subscribed_blob(account_id, audience_id, f"erased-{self.token()}")
                    self.files.upload(found.write_without(), blob)
                    try:
                        self.not_subscribed.replace(
                            key, replace(stored.value, blob=blob), stored.etag
                        )
                    except Changed:
                        self.files.delete(blob)
                        continue
                    count = found.row_count
            self._delete_older_lists(key, mark)
            return count
        raise Changed("recordContended")

    def _purge_statuses(self, key: str, mark: MarkErased) -> int:
        for _ in range(_TRIES):
            stored = self.consent_sweeps.read(key)
            if stored is None or not stored.value.blob:
                return 0
            with self._open_erased_rows(stored.value.blob, mark, "address") as found:
                if found is None:
                    return 0
                before = stored.value.blob
                left = stored.value.stored - found.row_count
                blob = f"{statuses_folder(key)}erased-{self.token()}.parquet"
                self.files.upload(found.write_without(), blob)
                try:
                    self.consent_sweeps.replace(
                        key, replace(stored.value, blob=blob, stored=left), stored.etag
                    )
                except Changed:
                    self.files.delete(blob)
                    continue
                self.files.delete(before)
                return found.row_count
        raise Changed("recordContended")

    def _delete_older_lists(self, key: str, mark: MarkErased) -> None:
        """Delete outdated lists that contain these people. A run that is reading one retries."""
        stored = self.not_subscribed.read(key)
        for name in list(self.files.names(not_subscribed_folder(*key.split("/")))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._open_erased_rows(name, mark, "address") as found:
                if found is not None:
                    self.files.delete(name)

    def _purge_run(self, run: Run, mark: MarkErased) -> int:
        for name in list(self.files.names(f"{run_folder(run.id)}plan-")):
            self.files.delete(name)
        blob = outcomes_table(run.id)
        with self._open_erased_rows(blob, mark, "email") as found:
            if found is None:
                return 0
            count = found.row_count
            # The outcome file comes first, because afterwards the profile ids are unknown.
            count += self.outcome_file.forget(run.export_id, run.id, found.values("customer_id"))
            self.files.upload(found.write_blanked(("email", "customer_id", "shared_with")), blob)
            return count

    @contextmanager
    def _open_erased_rows(
        self, blob: str, mark: MarkErased, column: str
    ) -> Iterator[_ErasedRows | None]:
        """Download a Parquet blob and yield the rows of these people, or None when it has none."""
        with small_workspace() as (db, folder):
            local = folder / "found.parquet"
            try:
                self.files.download(blob, local)
            except NotFound:
                yield None
                return
            found = _ErasedRows(db, local, column)
            mark(db, found.source, column)
            found.row_count = found.count()
            yield found if found.row_count else None


class _ErasedRows:
    """The rows to remove in a local file. The table `erased_addresses` has their addresses."""

    def __init__(self, db: DuckDBPyConnection, local: Path, column: str) -> None:
        quoted = str(local).replace("'", "''")
        self._db = db
        self._target = local.with_name("without.parquet")
        self._condition = f"coalesce({column} IN (SELECT address FROM erased_addresses), false)"
        self.source = f"read_parquet('{quoted}')"
        self.row_count = 0

    def count(self) -> int:
        """Count the rows to remove."""
        query = f"SELECT count(*) FROM {self.source} WHERE {self._condition}"
        row = self._db.execute(query).fetchone()
        return int(row[0]) if row else 0

    def values(self, column: str) -> list[str]:
        """Return the values of a column in these rows."""
        query = f"SELECT DISTINCT {column} FROM {self.source} WHERE {self._condition}"
        return [value for (value,) in self._db.execute(query).fetchall() if value]

    def write_without(self) -> Path:
        """Write a copy of the file without these rows."""
        return self._copy(f"SELECT * FROM {self.source} WHERE NOT {self._condition}")

    def write_blanked(self, columns: Sequence[str]) -> Path:
        """Write a copy of the file in which the identifying columns of these rows are empty."""
        blank = ", ".join(f"if({self._condition}, NULL, {name}) AS {name}" for name in columns)
        return self._copy(f"SELECT * REPLACE ({blank}) FROM {self.source}")

    def _copy(self, query: str) -> Path:
        quoted = str(self._target).replace("'", "''")
        self._db.execute(
            f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        return self._target
