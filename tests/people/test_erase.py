"""An erasure can be repeated after any failure, and the stored hash does not reveal the person."""

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.consent_updates.table import ConsentTable
from shared.errors import ConnectorError, Unavailable
from shared.model.audience import ContactStatus, NotSubscribedPointer
from shared.model.consent import ConsentSweep
from shared.model.exclusions import ExclusionList
from shared.model.export import Export
from shared.model.export import Mapping as FieldMapping
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.names import exclusions_blob, former_holders_blob
from shared.model.ports import RECORD_NEWER, Stored
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.people.all_audiences import AllAudiences
from shared.people.erase import Eraser
from shared.people.erasures import Erasure, Erasures, address_key, marker_for_addresses
from shared.people.exclusion_lists import ExclusionLists, PurgedLists
from shared.people.other_addresses import OtherAddresses
from shared.people.purge import Purge
from shared.people.stored_contacts import StoredContacts
from shared.people.suppression import suppress_erased
from shared.runs.outcome_file import OutcomeFile
from shared.runs.transitions import Transitions
from tests import reused_databases
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, ProcessKilled, StoreClient
from tests.inserted_rows import insert_rows
from tests.ledgers import LEDGER_COLUMNS

# `make faults SEEDS=50` kills at every write.
STEP = 1 if int(os.environ.get("FAULT_SEEDS") or 4) >= 50 else 3
KEY = b"k" * 32
ADA, BOB = "ada@example.org", "bob@example.org"


class Mailchimp:
    """Audiences as sets of addresses; an on-demand session deletes from them."""

    def __init__(self) -> None:
        self.audiences: dict[str, set[str]] = {"a1": {ADA, BOB}, "a2": {ADA}}

    @contextmanager
    def session(
        self, connection_id: str, account_id: str, patience: float
    ) -> Iterator["Mailchimp"]:
        yield self

    def contact_of(self, audience_id: str, address: str) -> ContactStatus | None:
        there = address in self.audiences[audience_id]
        return ContactStatus(address, "subscribed") if there else None

    def delete_for_good(self, audience_id: str, address: str) -> bool:
        there = address in self.audiences[audience_id]
        self.audiences[audience_id].discard(address)
        return there


class Process:
    def __init__(
        self,
        store: MemoryStore,
        kill_at: int | None = None,
        client: StoreClient | None = None,
    ) -> None:
        self.client = client or StoreClient(store, kill_at)
        self.clock = store.clock
        self.files = MemoryFiles(self.client)
        self.exports: MemoryRecords[Export] = MemoryRecords(self.client, "exports")
        self.runs: MemoryRecords[Run] = MemoryRecords(self.client, "runs", run_columns)
        self.ledgers: MemoryRecords[LedgerPointer] = MemoryRecords(self.client, "ledgers")
        self.not_subscribed: MemoryRecords[NotSubscribedPointer] = MemoryRecords(
            self.client, "held"
        )
        self.erasures: MemoryRecords[Erasure] = MemoryRecords(self.client, "erasures")
        self.erased = Erasures(self.erasures, lambda: KEY)
        self.consent_sweeps: MemoryRecords[ConsentSweep] = MemoryRecords(
            self.client, "consentsweeps"
        )
        self.consent_table = ConsentTable(
            MemoryRecords(self.client, "consenttables"),
            MemoryFiles(self.client, "outcomes"),
            "https://landing/outcomes",
            self.files,
            self.erased,
            self.clock.now,
            lambda: "t",
        )

    def eraser(self, mailchimp: Mailchimp) -> Eraser:
        numbers = iter(range(10_000))
        mark = self.client.writes

        def token() -> str:
            return f"t{mark}x{next(numbers)}x{id(self)}"

        outcome_file = OutcomeFile(self.files, "https://landing/outcomes", self.clock.now)
        purge = Purge(
            self.runs,
            self.ledgers,
            self.not_subscribed,
            self.files,
            token,
            outcome_file,
            ExclusionLists(self.files),
            self.consent_sweeps,
            self.consent_table.remove_profiles,
        )
        calls = AllAudiences(mailchimp, lambda connection: connection)  # type: ignore[arg-type]
        return Eraser(
            self.exports,
            OtherAddresses(StoredContacts(self.consent_sweeps, self.files), calls),
            calls,
            self.runs,
            Transitions(self.runs, self.clock.now),
            self.erased,
            purge,
            self.clock.now,
            token,
        )

    def parquet(self, folder: Path, name: str, columns: str, rows: list[tuple]) -> None:
        local = folder / "table.parquet"
        with reused_databases.connect() as db:
            db.execute(f"CREATE TABLE t ({columns})")
            insert_rows(db, "t", rows)
            db.execute(f"COPY t TO '{local}' (FORMAT parquet)")
        self.files.upload(local, name)

    def table(self, folder: Path, name: str) -> list[tuple]:
        local = folder / "read.parquet"
        self.files.download(name, local)
        with reused_databases.connect() as db:
            return db.execute("SELECT * FROM read_parquet(?)", [str(local)]).fetchall()

    def text(self, folder: Path) -> str:
        """Everything in every blob, readable."""
        found = []
        for name in self.files.names(""):
            if name.endswith(".parquet"):
                found.append(f"{name}: {self.table(folder, name)}")
            else:
                found.append(f"{name}: {self.files.read(name)!r}")
        return "\n".join(found)


LEDGER = ", ".join(f"{name} {kind}" for name, kind in LEDGER_COLUMNS.items())
OUTCOMES = (
    "customer_id VARCHAR, email VARCHAR, segments BIGINT[], outcome VARCHAR, code VARCHAR, "
    "field VARCHAR, file VARCHAR, line BIGINT, shared_with VARCHAR"
)


FORMER_HOLDERS = "address VARCHAR, tag_id BIGINT"


def ledger_row(address: str, customer_id: str, run_id: str) -> tuple[object, ...]:
    row = {
        "address": address, "customer_id": customer_id, "fingerprint": "print", "fields": "[]",
        "merge_tags": [], "tags": [7], "tries": 0, "run_id": run_id,
    }  # fmt: skip
    return tuple(row.get(name) for name in LEDGER_COLUMNS)


BOTH = ("1", "2")


def used_storage(folder: Path, numbers: tuple[str, ...] = BOTH) -> MemoryStore:
    """Exports with old and new ledgers, ended runs, and a list of unsubscribed contacts."""
    store = MemoryStore()
    process = Process(store)
    now = process.clock.now()
    for number in numbers:
        export_id, audience = f"e{number}", f"a{number}"
        mapping = FieldMapping(email="EMail")
        process.exports.create(
            export_id, Export(export_id, f"Export {number}", "c1", audience, mapping, ())
        )
        ledger = [ledger_row(who, f"c-{who}", f"r{number}") for who in (ADA, BOB)]
        for version in ("old", "new"):
            process.parquet(folder, f"ledgers/{export_id}/{version}.parquet", LEDGER, ledger)
        process.ledgers.create(
            export_id, LedgerPointer(f"ledgers/{export_id}/new.parquet", f"r{number}", 2)
        )
        run = Run(
            f"r{number}", export_id, Trigger.ON_DEMAND, Mode.EXPORT, RunStatus.SUCCESSFUL,
            queued_at=now, finished_at=now,
        )  # fmt: skip
        process.runs.create(run.id, run)
        rows = [
            ("c1", "Ada@Example.org " if number == "2" else ADA, [0], "created") + (None,) * 5,
            ("c2", BOB, [0], "created") + (None,) * 5,
        ]
        process.parquet(folder, f"runs/{run.id}/outcomes.parquet", OUTCOMES, rows)
        process.files.write(f"runs/{run.id}/plan-x/lines.jsonl", f'"{ADA}"\n'.encode())
        process.files.write(f"runs/{run.id}/plan.json", b"{}")
        former_holders = [(ADA, 7), (BOB, 7)]
        process.parquet(folder, former_holders_blob(run.id, 7), FORMER_HOLDERS, former_holders)
        process.files.write(
            f"{export_id}/MailchimpOutcomes/{run.id}/MailchimpOutcomes_1.csv",
            b'"CustomerId","segment","outcome","reason","at","sharedWith"\n'
            b'"c1","S","created","","2026-11-01T08:00:00Z",""\n'
            b'"c2","S","created","","2026-11-01T08:00:00Z",""\n',
        )
    rows = [(ADA, "unsubscribed"), (BOB, "cleaned")]
    process.parquet(folder, "audiences/acc/a1/1.parquet", "address VARCHAR, status VARCHAR", rows)
    process.not_subscribed.create("acc/a1", NotSubscribedPointer("audiences/acc/a1/1.parquet", now))
    return store


def assert_gone(process: Process, folder: Path, numbers: tuple[str, ...] = BOTH) -> None:
    text = process.text(folder)
    assert "ada@" not in text.lower()
    assert '"c1"' not in text
    assert "'c1'" not in text
    assert "'c2'" in text
    for number in numbers:
        pointer = process.ledgers.read(f"e{number}")
        assert pointer is not None
        assert [row[0] for row in process.table(folder, pointer.value.blob)] == [BOB]
        assert pointer.value.people == 1
        outcomes = process.table(folder, f"runs/r{number}/outcomes.parquet")
        assert [row[:2] for row in outcomes] == [(None, None), ("c2", BOB)]
        assert process.table(folder, former_holders_blob(f"r{number}", 7)) == [(BOB, 7)]
        assert f"runs/r{number}/plan.json" in set(process.files.names("runs/"))


def test_an_erased_person_is_in_no_file(tmp_path: Path) -> None:
    process = Process(used_storage(tmp_path))
    mailchimp = Mailchimp()

    receipt = process.eraser(mailchimp).erase(" ADA@example.org", True, "Kim")

    assert_gone(process, tmp_path)
    # Per export: two versions of the ledger, an outcome, a row of the outcome file; and one in the list.
    assert (receipt.exports, receipt.records, receipt.deleted_in_mailchimp) == (2, 9, 2)
    assert mailchimp.audiences == {"a1": {BOB}, "a2": set()}
    assert process.eraser(mailchimp).erase(ADA, True, "Kim") == receipt
    assert ADA not in repr(process.client.store.tables)


def copy_of(store: MemoryStore) -> MemoryStore:
    return MemoryStore(
        tables={kind: dict(table) for kind, table in store.tables.items()},
        containers={name: dict(kept) for name, kept in store.containers.items()},
        writes=store.writes,
    )


def test_an_interrupted_erasure_can_be_repeated(tmp_path: Path) -> None:
    before = used_storage(tmp_path, ("1",))
    kill_at = 0
    while True:
        kill_at += STEP
        store = copy_of(before)
        mailchimp = Mailchimp()
        dying = Process(store, kill_at)
        with suppress(ProcessKilled):
            dying.eraser(mailchimp).erase(ADA, True, "Kim")
        process = Process(store)
        receipt = process.eraser(mailchimp).erase(ADA, True, "Kim")

        assert_gone(process, tmp_path, ("1",))
        assert mailchimp.audiences == {"a1": {BOB}, "a2": {ADA}}
        assert [stored.value for stored in process.erasures.all()] == [receipt]
        if not dying.client.dead:
            break
    assert kill_at > 8


def test_an_interrupted_erasure_is_completed_by_the_tick(tmp_path: Path) -> None:
    before = used_storage(tmp_path, ("1",))
    kill_at = 1
    while True:
        kill_at += STEP
        store = copy_of(before)
        dying = Process(store, kill_at)
        with suppress(ProcessKilled):
            dying.eraser(Mailchimp()).erase(ADA, False, "Kim")
        process = Process(store)
        process.eraser(Mailchimp()).complete()

        assert_gone(process, tmp_path, ("1",))
        (erasure,) = process.erasures.all()
        assert erasure.value.waits_for == ()
        if not dying.client.dead:
            break
    assert kill_at > 8


def test_an_erasure_completes_in_the_apps_own_files_while_mailchimp_is_busy(tmp_path: Path) -> None:
    process = Process(used_storage(tmp_path))
    mailchimp = Mailchimp()

    def busy(audience_id: str, address: str) -> bool:
        raise Unavailable("throttled", retry_after=5)

    delete = mailchimp.delete_for_good
    mailchimp.delete_for_good = busy
    with pytest.raises(Unavailable):
        process.eraser(mailchimp).erase(ADA, True, "Kim")

    assert_gone(process, tmp_path)
    mailchimp.delete_for_good = delete
    receipt = process.eraser(mailchimp).erase(ADA, True, "Kim")
    assert receipt.deleted_in_mailchimp == 2


def test_the_data_of_an_active_run_is_kept_until_it_ends(tmp_path: Path) -> None:
    process = Process(used_storage(tmp_path))
    now = process.clock.now()
    active = Run(
        "r3", "e1", Trigger.ON_DEMAND, Mode.EXPORT, RunStatus.SENDING, queued_at=now, moved_at=now
    )
    process.runs.create("r3", active)
    process.files.write("runs/r3/plan-x/lines.jsonl", f'"{ADA}"\n'.encode())
    eraser = process.eraser(Mailchimp())

    receipt = eraser.erase(ADA, False, "Kim")

    assert receipt.waits_for == ("r3",)
    left = {line.partition(":")[0] for line in process.text(tmp_path).splitlines() if ADA in line}
    assert left == {
        "runs/r3/plan-x/lines.jsonl",
        "ledgers/e1/old.parquet",
        "ledgers/e1/new.parquet",  # the one that the run was planned with
    }
    assert eraser.complete() == 0

    # The run folds its outcomes from the ledger it was planned with, and ends.
    process.parquet(
        tmp_path,
        "ledgers/e1/newest.parquet",
        LEDGER,
        [ledger_row(ADA, "c1", "r3")],
    )
    pointer = process.ledgers.read("e1")
    assert pointer is not None
    process.ledgers.replace("e1", LedgerPointer("ledgers/e1/newest.parquet", "r3", 1), pointer.etag)
    stored = process.runs.read("r3")
    assert stored is not None
    over = Run(**{**stored.value.__dict__, "status": RunStatus.SUCCESSFUL, "finished_at": now})
    process.runs.replace("r3", over, stored.etag)

    assert eraser.complete() == 1

    assert ADA not in process.text(tmp_path)
    assert [stored.value.waits_for for stored in process.erasures.all()] == [()]
    assert eraser.complete() == 0


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.AWAITING_CONFIRMATION])
def test_a_run_that_has_not_read_a_ledger_keeps_no_earlier_one(
    tmp_path: Path, status: RunStatus
) -> None:
    process = Process(used_storage(tmp_path))
    process.runs.create("r3", Run("r3", "e1", Trigger.ON_DEMAND, Mode.EXPORT, status))

    receipt = process.eraser(Mailchimp()).erase(ADA, False, "Kim")

    assert_gone(process, tmp_path)
    assert receipt.waits_for == ()


@pytest.mark.parametrize(
    "status", [RunStatus.QUEUED, RunStatus.AWAITING_CONFIRMATION, RunStatus.SENDING]
)
def test_an_erased_person_is_not_in_the_record_of_a_tag_that_a_run_has_written_so_far(
    tmp_path: Path, status: RunStatus
) -> None:
    process = Process(used_storage(tmp_path, ("1",)))
    process.runs.create("r3", Run("r3", "e1", Trigger.ON_DEMAND, Mode.EXPORT, status))
    # Its planning was killed after this, and the next attempt asked for a confirmation.
    holders = former_holders_blob("r3", 7)
    process.parquet(tmp_path, holders, FORMER_HOLDERS, [(ADA, 7), (BOB, 7)])

    process.eraser(Mailchimp()).erase(ADA, False, "Kim")

    assert process.table(tmp_path, holders) == [(BOB, 7)]


def test_an_erasure_also_waits_for_a_run_that_began_before_earlier_ledgers_were_purged(
    tmp_path: Path,
) -> None:
    process = Process(used_storage(tmp_path))
    eraser = process.eraser(Mailchimp())
    sending = Run("r3", "e1", Trigger.ON_DEMAND, Mode.EXPORT, RunStatus.SENDING)
    first, next_one = process.runs.create("r3", sending), replace(sending, id="r4")
    eraser.erase(ADA, False, "Kim")
    ended = replace(sending, status=RunStatus.SUCCESSFUL)
    process.runs.replace("r3", ended, first.etag)
    second = process.runs.create("r4", next_one)

    eraser.complete()

    assert [found.value.waits_for for found in process.erasures.all()] == [("r4",)]
    process.runs.replace("r4", replace(ended, id="r4"), second.etag)
    eraser.complete()
    assert_gone(process, tmp_path)
    assert [found.value.waits_for for found in process.erasures.all()] == [()]


@pytest.mark.parametrize("status", [RunStatus.SENDING, RunStatus.AWAITING_CONFIRMATION])
def test_an_erasure_killed_before_its_receipt_does_not_forget_the_runs_with_the_person(
    tmp_path: Path, status: RunStatus
) -> None:
    process = Process(used_storage(tmp_path, ("1",)))
    now = process.clock.now()
    active = Run(
        "r3", "e1", Trigger.ON_DEMAND, Mode.EXPORT, status, queued_at=now, moved_at=now
    )  # fmt: skip
    process.runs.create("r3", active)
    process.files.write("runs/r3/plan.json", b"{}")
    process.parquet(
        tmp_path, "runs/r3/plan-x/rows.parquet", "email VARCHAR, line BIGINT", [(ADA, 1)]
    )
    dying = Process(process.client.store, kill_at=2)  # its first write is the record
    with pytest.raises(ProcessKilled):
        dying.eraser(Mailchimp()).erase(ADA, False, "Kim")

    process = Process(process.client.store)
    eraser = process.eraser(Mailchimp())
    eraser.complete()

    (erasure,) = process.erasures.all()
    stored = process.runs.read("r3")
    assert stored is not None
    if status is RunStatus.AWAITING_CONFIRMATION:
        assert stored.value.status is RunStatus.CANCELED
        assert stored.value.reason == Reason("erasedMeanwhile")
    else:
        assert erasure.value.waits_for == ("r3",)
        over = replace(stored.value, status=RunStatus.SUCCESSFUL, finished_at=now)
        process.runs.replace("r3", over, stored.etag)
        assert eraser.complete() == 1
    assert ADA not in process.text(tmp_path)
    assert [found.value.waits_for for found in process.erasures.all()] == [()]


class RecordsOfANewerVersion(MemoryRecords):
    """Records in which a newer version of the app wrote the key `newer`."""

    newer = ""

    def all(
        self,
        partition: str | None = None,
        where: Mapping[str, str] | None = None,
        *,
        after: str = "",
        last: str = "",
        page: int | None = None,
    ) -> Iterator[Stored]:
        found = list(super().all(partition, where, after=after, last=last, page=page))
        yield from (stored for stored in found if stored.key != self.newer)
        if any(stored.key == self.newer for stored in found):
            raise ConnectorError(RECORD_NEWER, record=self.newer)


def test_an_unreadable_record_does_not_prevent_the_erasure_from_others(tmp_path: Path) -> None:
    process = Process(used_storage(tmp_path))
    mailchimp = Mailchimp()
    newer_exports = RecordsOfANewerVersion(process.client, "exports")
    newer_runs = RecordsOfANewerVersion(process.client, "runs", run_columns)
    newer_exports.newer, newer_runs.newer = "e2", "r2"
    process.exports, process.runs = newer_exports, newer_runs
    eraser = process.eraser(mailchimp)

    with pytest.raises(ConnectorError) as caught:
        eraser.erase(ADA, True, "Kim")

    assert caught.value.code == RECORD_NEWER
    assert mailchimp.audiences == {"a1": {BOB}, "a2": {ADA}}
    assert process.table(tmp_path, "runs/r1/outcomes.parquet")[0][:2] == (None, None)
    assert process.table(tmp_path, "runs/r2/outcomes.parquet")[0][1] == "Ada@Example.org "
    eraser.complete()
    (erasure,) = process.erasures.all()
    assert erasure.value.waits_for  # the timer repeats it

    # The newer version is deployed again.
    newer_exports.newer = newer_runs.newer = ""
    eraser.complete()

    assert_gone(process, tmp_path)
    (erasure,) = process.erasures.all()
    assert erasure.value.waits_for == ()
    assert eraser.erase(ADA, True, "Kim").deleted_in_mailchimp == 2


@settings(max_examples=25)
@given(st.lists(st.emails() | st.text(min_size=1, max_size=30), min_size=1, max_size=5))
def test_duckdb_and_python_hash_addresses_equally(addresses: list[str]) -> None:
    client = StoreClient(MemoryStore())
    erased = Erasures(MemoryRecords(client, "erasures"), lambda: KEY)
    wanted = addresses[0]
    token = hmac.new(KEY, address_key(wanted).encode(), hashlib.sha256).hexdigest()
    assert erased.token(address_key(wanted)) == token
    with reused_databases.connect() as db:
        db.execute("CREATE TABLE candidates (address VARCHAR)")
        insert_rows(db, "candidates", [[address_key(one)] for one in addresses])
        erased.marker_for_tokens([token])(db)
        marked = {row[0] for row in db.execute("SELECT address FROM erased_addresses").fetchall()}
    assert marked == {address_key(wanted)}


def test_erased_people_have_only_an_outcome_in_a_plan() -> None:
    client = StoreClient(MemoryStore())
    erased = Erasures(MemoryRecords(client, "erasures"), lambda: KEY)
    with reused_databases.connect() as db:
        db.execute(
            "CREATE TABLE people (address VARCHAR, customer_id VARCHAR, mask HUGEINT, consent BOOLEAN)"
        )
        db.execute(
            "CREATE TABLE rows_not_chosen (address VARCHAR, customer_id VARCHAR, consent BOOLEAN)"
        )
        db.execute("CREATE TABLE shared (address VARCHAR, customer_id VARCHAR, mask HUGEINT)")
        db.execute("CREATE TABLE ledger (address VARCHAR)")
        db.execute(
            "CREATE TABLE rejects (segment UTINYINT, customer_id VARCHAR, email VARCHAR, "
            "file VARCHAR, line BIGINT, code VARCHAR)"
        )
        db.execute(f"INSERT INTO people VALUES ('{ADA}', 'c1', 6, false), ('{BOB}', 'c2', 1, true)")
        db.execute(f"INSERT INTO shared VALUES ('{ADA}', 'c3', 4)")
        db.execute(f"INSERT INTO ledger VALUES ('{ADA}'), ('{BOB}')")
        suppress_erased(db, erased.marker_for_all())  # no one was ever erased
        assert db.execute("SELECT count(*) FROM people").fetchone() == (2,)

        erased.records.create(erased.token(ADA), Erasure("x", client.store.clock.now()))
        suppress_erased(db, erased.marker_for_all())

        assert db.execute("SELECT address FROM people").fetchall() == [(BOB,)]
        assert db.execute("SELECT address FROM ledger").fetchall() == [(BOB,)]
        assert db.execute("FROM rows_not_chosen").fetchall() == [(ADA, "c1", False)]
        assert db.execute("SELECT * FROM shared").fetchall() == []
        assert db.execute("SELECT * FROM rejects ORDER BY segment").fetchall() == [
            (1, None, None, None, None, "erased"),
            (2, None, None, None, None, "erased"),
        ]


def test_an_erased_person_is_removed_from_the_lists_of_excluded_people() -> None:
    lists = ExclusionLists(MemoryFiles(StoreClient(MemoryStore())))
    lists.write("e1", ExclusionList((ADA, BOB), ("4711",)))
    lists.write("e2", ExclusionList((BOB,)))

    lists.files.write(exclusions_blob("e0"), b"{")
    purged = lists.purge(marker_for_addresses([ADA]))
    assert purged.removed == {"e1": 1}
    assert purged.damaged is not None
    lists.delete("e0")
    assert lists.purge(marker_for_addresses([ADA])) == PurgedLists({})

    assert lists.read("e1") == ExclusionList((BOB,), ("4711",))


def test_a_list_that_is_uploaded_during_an_erasure_is_kept() -> None:
    lists = ExclusionLists(MemoryFiles(StoreClient(MemoryStore())))
    lists.write("e1", ExclusionList((ADA, BOB)))
    uploads = iter([ExclusionList((ADA, BOB, "new@contoso.example"))])

    def mark_and_upload(db: duckdb.DuckDBPyConnection) -> None:
        marker_for_addresses([ADA])(db)
        for listed in uploads:
            lists.write("e1", listed)

    assert lists.purge(mark_and_upload).removed == {"e1": 1}
    assert lists.read("e1").addresses == (BOB, "new@contoso.example")
