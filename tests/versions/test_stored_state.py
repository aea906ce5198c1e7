"""The current app reads the stored state of every released version and completes its runs."""

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from devhost.processes import Azurite
from shared.messaging.messages import lane_of, refresh_of, run_of, stamps_of
from shared.runs.outcomes import OutcomeReader
from shared.sending.outcome_lines import read_outcome_lines
from shared.sending.result import Result
from shared.storage.record_entity import EntityForm
from tests import reused_databases
from tests.fakes import MemoryFiles, MemoryStore, StoreClient
from tests.ledgers import LEDGER_COLUMNS
from tests.versions import make
from tests.versions.checks import (
    app_on_stored_state,
    everything_else_continues,
    half_sent_run_completes,
)
from tests.versions.record_kinds import kinds, lost, lost_of_plan
from tests.versions.stored_state import VERSIONS, StoredState, entity_of

# Kinds that the next released version will store.
UNRELEASED = {"consentrequests", "consentsweeps", "consenttables", "consentwebhooks"}
TABLES = [(stored_state, table) for stored_state in VERSIONS for table in stored_state.tables()]
WHAT_TO_DO = (
    "Version {version} wrote {what} in a form that this code does not read as it was meant. Storage "
    "holds such records for years: keep reading the old form (give the new field a default, or take "
    "the old name as another name of it), and describe the change in docs/decisions/0047."
)


def advice(stored_state: StoredState, what: str) -> str:
    return WHAT_TO_DO.format(version=stored_state.version, what=what)


def test_the_current_version_has_a_stored_state(project: Path) -> None:
    version = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    names = [stored_state.version for stored_state in VERSIONS]
    assert version in names, f"run `python -m tests.versions.make`: there are only {names}"


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_every_kind_of_record_is_in_the_stored_state(stored_state: StoredState) -> None:
    forgotten = set(stored_state.tables()) - set(kinds())
    assert not forgotten, advice(stored_state, f"the tables {sorted(forgotten)}")
    if stored_state is VERSIONS[-1]:
        assert set(stored_state.tables()) | UNRELEASED == set(kinds()), (
            "add the new kind in tests/versions/make.py"
        )


@pytest.mark.parametrize(
    ("stored_state", "table"),
    TABLES,
    ids=[f"{stored_state.version} {table}" for stored_state, table in TABLES],
)
def test_every_stored_record_is_read_with_its_values(stored_state: StoredState, table: str) -> None:
    form = EntityForm(table, kinds()[table], lambda _: {})
    codec = TypeAdapter(kinds()[table])
    for record in stored_state.tables()[table]:
        value = form.value(record["RowKey"], entity_of(record))
        missing = lost(record["value"], codec.dump_python(value, mode="json", by_alias=True))
        assert not missing, advice(stored_state, f"{table}{missing}")


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_every_stored_plan_is_read_with_its_values(stored_state: StoredState) -> None:
    plans = [name for _, name in stored_state.blobs() if name.endswith("/plan.json")]
    assert len(plans) > 5
    for name in plans:
        data = stored_state.blob("state", name)
        missing = lost_of_plan(json.loads(data), data)
        assert not missing, advice(stored_state, f"plan.json{missing}")


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_every_stored_message_is_read(stored_state: StoredState) -> None:
    queues = stored_state.queues()
    for message in queues["send-lanes"]:
        body = json.dumps(message).encode()
        assert lane_of(body) == (message["run"], message["lane"])
        assert run_of(body) == message["run"]
        assert stamps_of(body).due == message["due"]
    looks = [refresh_of(json.dumps(message).encode()) for message in queues["blob-events"]]
    assert stored_state.story["refreshing"] in [look[0] for look in looks if look]
    assert len(queues["send-lanes"]) >= 2


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_stored_ledgers_and_outcomes_have_the_expected_columns(stored_state: StoredState) -> None:
    ledgers = [name for _, name in stored_state.blobs() if name.startswith("ledgers/")]
    assert ledgers
    with reused_databases.connect() as db:
        for name in ledgers:
            file = str(stored_state.folder / "blobs/state" / name)
            described = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall()
            assert {row[0]: row[1] for row in described}.items() <= LEDGER_COLUMNS.items(), advice(
                stored_state, "a ledger"
            )
    lines = [
        line
        for _, name in stored_state.blobs()
        if "/outcomes/0" in name
        for line in stored_state.blob("state", name).decode().splitlines()
    ]
    assert lines
    # Version 1.0.0 stored no answers of Mailchimp.
    columns = ("line", *Result._fields)
    assert {line.count(",") + 1 for line in lines} == {columns.index("answer")}, advice(
        stored_state, "outcomes"
    )
    for line in lines:
        (result,) = read_outcome_lines(line.encode()).values()
        assert result.answer == ""


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_the_outcomes_of_finished_runs_are_read_row_by_row(stored_state: StoredState) -> None:
    tables = [name for _, name in stored_state.blobs() if name.endswith("/outcomes.parquet")]
    assert tables
    files = MemoryFiles(StoreClient(MemoryStore()), "state")
    for _, name in stored_state.blobs():
        if name.startswith("runs/"):
            files.write(name, stored_state.blob("state", name))
    reader = OutcomeReader(files)
    for name in tables:
        run_id = name.split("/")[1]
        rows = list(reader.rows(run_id))
        assert len(rows) == sum(count for *_, count in reader.totals(run_id))
        assert {row.answer for row in rows} == {""}
        rejected = [row for row in rows if row.outcome == "rejected"]
        assert list(reader.page(run_id, "rejected", "", "", 0, 1_000).rows) == rejected


@pytest.mark.parametrize("stored_state", VERSIONS, ids=lambda stored_state: stored_state.version)
def test_a_run_half_sent_by_an_older_version_completes(
    stored_state: StoredState, emulator: Azurite, tmp_path: Path
) -> None:
    with app_on_stored_state(stored_state, emulator.connection_string, tmp_path) as running_app:
        assert (
            running_app.api.get(f"/api/runs/{stored_state.story['run']}")["progress"]["chunksDone"]
            >= 2
        )
        half_sent_run_completes(running_app, stored_state)
        everything_else_continues(running_app, stored_state)


def test_the_stored_state_of_a_released_version_is_not_replaced() -> None:
    with pytest.raises(SystemExit, match="stored already"):
        make.main()
