"""What every released version left behind is read, understood, and brought to its end by the app at hand."""

import json
import tomllib
from pathlib import Path

import duckdb
import pytest
from pydantic import TypeAdapter

from devhost.processes import Azurite
from shared.messaging.messages import lane_of, refresh_of, run_of, stamps_of
from shared.model.plan import plan_from_json, plan_to_json
from shared.sending.outcome_lines import OUTCOME_COLUMNS
from shared.storage.record_entity import EntityForm
from tests.ledgers import LEDGER_COLUMNS
from tests.versions.checks import everything_else_goes_on, half_sent_run_ends_right, opened
from tests.versions.record_kinds import kinds, lost
from tests.versions.stored_state import VERSIONS, KeptState, entity_of

TABLES = [(kept, table) for kept in VERSIONS for table in kept.tables()]
WHAT_TO_DO = (
    "Version {version} wrote {what} in a form that this code does not read as it was meant. Storage "
    "holds such records for years: keep reading the old form (give the new field a default, or take "
    "the old name as another name of it), and say in docs/decisions/0047 what changed."
)


def told(kept: KeptState, what: str) -> str:
    return WHAT_TO_DO.format(version=kept.version, what=what)


def test_there_is_a_kept_state_of_the_version_at_hand(project: Path) -> None:
    version = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    names = [kept.version for kept in VERSIONS]
    assert version in names, f"run `python -m tests.versions.make`: there are only {names}"


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_no_kind_of_record_is_missing_from_what_is_kept(kept: KeptState) -> None:
    forgotten = set(kept.tables()) - set(kinds())
    assert not forgotten, told(kept, f"the tables {sorted(forgotten)}")
    if kept is VERSIONS[-1]:
        assert set(kept.tables()) == set(kinds()), "tell of the new kind in tests/versions/make.py"


@pytest.mark.parametrize(
    ("kept", "table"), TABLES, ids=[f"{kept.version} {table}" for kept, table in TABLES]
)
def test_every_kept_record_is_read_as_it_was_meant(kept: KeptState, table: str) -> None:
    form = EntityForm(table, kinds()[table], lambda _: {})
    codec = TypeAdapter(kinds()[table])
    for record in kept.tables()[table]:
        value = form.value(record["RowKey"], entity_of(record))
        missing = lost(record["value"], codec.dump_python(value, mode="json"))
        assert not missing, told(kept, f"{table}{missing}")


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_every_kept_plan_is_read_as_it_was_meant(kept: KeptState) -> None:
    plans = [name for _, name in kept.blobs() if name.endswith("/plan.json")]
    assert len(plans) > 5
    for name in plans:
        data = kept.blob("state", name)
        missing = lost(json.loads(data), json.loads(plan_to_json(plan_from_json(data))))
        assert not missing, told(kept, f"plan.json{missing}")


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_every_kept_message_is_read(kept: KeptState) -> None:
    queues = kept.queues()
    for message in queues["send-lanes"]:
        body = json.dumps(message).encode()
        assert lane_of(body) == (message["run"], message["lane"])
        assert run_of(body) == message["run"]
        assert stamps_of(body).due == message["due"]
    looks = [refresh_of(json.dumps(message).encode()) for message in queues["blob-events"]]
    assert kept.story["refreshing"] in [look[0] for look in looks if look]
    assert len(queues["send-lanes"]) >= 2


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_kept_ledgers_and_outcomes_have_the_columns_that_are_read(kept: KeptState) -> None:
    ledgers = [name for _, name in kept.blobs() if name.startswith("ledgers/")]
    assert ledgers
    with duckdb.connect() as db:
        for name in ledgers:
            file = str(kept.folder / "blobs/state" / name)
            described = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall()
            assert {row[0]: row[1] for row in described}.items() <= LEDGER_COLUMNS.items(), told(
                kept, "a ledger"
            )
    lines = [
        line
        for _, name in kept.blobs()
        if "/outcomes/0" in name
        for line in kept.blob("state", name).decode().splitlines()
    ]
    assert lines
    assert {line.count(",") + 1 for line in lines} == {len(OUTCOME_COLUMNS)}, told(kept, "outcomes")


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_a_run_that_a_version_half_sent_comes_to_its_right_end(
    kept: KeptState, emulator: Azurite, tmp_path: Path
) -> None:
    with opened(kept, emulator.connection_string, tmp_path) as house:
        assert house.portal.get(f"/api/runs/{kept.story['run']}")["progress"]["chunksDone"] >= 2
        half_sent_run_ends_right(house, kept)
        everything_else_goes_on(house, kept)
