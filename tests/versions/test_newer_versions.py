"""Records and messages of a newer version are read or left to it, and never misread."""

import json
import uuid
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from devhost.api_client import ApiError
from devhost.processes import Azurite
from shared.errors import ConnectorError, InputError
from shared.messaging.messages import lane_of, refresh_of, run_of
from shared.model.plan import PLAN_FORM, plan_from_json
from shared.model.ports import readable
from shared.planning.reading.ledger import load_ledger
from shared.runs.outcomes import OutcomeRow
from shared.storage.record_entity import EntityForm
from shared.storage.records import TableRecords
from shared.web.csv_files.outcomes import outcomes_csv
from tests import reused_databases
from tests.e2e.stored_data import app_on
from tests.ledgers import LEDGER_COLUMNS
from tests.versions.checks import (
    app_on_stored_state,
    everything_else_continues,
    half_sent_run_completes,
)
from tests.versions.record_kinds import kinds, lost, lost_of_plan
from tests.versions.stored_state import VERSIONS, entity_of

NEWEST = VERSIONS[-1]
NEW = "aFieldOfTomorrow"


def with_future_fields(value: Any) -> Any:
    """A JSON value in which every object has one more field."""
    if isinstance(value, dict):
        return {
            **{name: with_future_fields(inner) for name, inner in value.items()},
            NEW: "of tomorrow",
        }
    if isinstance(value, list):
        return [with_future_fields(inner) for inner in value]
    return value


def wider(parquet: bytes, folder: Path) -> bytes:
    """A Parquet file with one more column."""
    before, after = folder / "before.parquet", folder / "after.parquet"
    before.write_bytes(parquet)
    with reused_databases.connect() as db:
        query = f"COPY (SELECT *, 1 AS {NEW} FROM '{before}') TO '{after}' (FORMAT parquet)"
        db.execute(query)
    return after.read_bytes()


@cache
def form_of(table: str) -> EntityForm[Any]:
    return EntityForm(table, kinds()[table], lambda _: {})


@pytest.mark.parametrize("table", NEWEST.tables())
def test_unknown_fields_of_a_newer_version_are_ignored(table: str) -> None:
    for record in NEWEST.tables()[table]:
        newer = entity_of({**record, "value": with_future_fields(record["value"])})
        value = form_of(table).value("key", {**newer, "by_tomorrow": "a column of tomorrow"})
        read = TypeAdapter(kinds()[table]).dump_python(value, mode="json", by_alias=True)
        assert lost(record["value"], read) == []


def test_an_unknown_field_of_a_newer_version_is_dropped_when_the_record_is_rewritten() -> None:
    record = NEWEST.tables()["runs"][0]
    newer = entity_of({**record, "value": {**record["value"], NEW: 1}})
    form = form_of("runs")

    again = form.entity("key", form.value("key", newer), "a write")

    assert NEW not in json.dumps(dict(again))
    assert lost(record["value"], json.loads(again["json0"])) == []


def test_a_plan_with_fields_of_a_newer_version_is_executed() -> None:
    for container, name in NEWEST.blobs():
        if name.endswith("/plan.json"):
            stored_state = json.loads(NEWEST.blob(container, name))
            newer = json.dumps(with_future_fields(stored_state)).encode()
            assert lost_of_plan(stored_state, newer) == []


def test_a_plan_in_a_newer_format_is_left_to_the_newer_version() -> None:
    name = next(name for _, name in NEWEST.blobs() if name.endswith("/plan.json"))
    plan = json.loads(NEWEST.blob("state", name))

    with pytest.raises(ConnectorError) as newer:
        plan_from_json(json.dumps({**plan, "form": PLAN_FORM + 1, "tagsets": "other"}).encode())
    with pytest.raises(ConnectorError) as damaged:
        plan_from_json(json.dumps({**plan, "tagsets": "secret"}).encode())

    assert newer.value.code == "recordNewer"
    del plan["form"]  # as from before there was one
    assert plan_from_json(json.dumps(plan).encode()).form == 1
    assert damaged.value.code == "planGone"
    assert "secret" not in str(damaged.value)


def test_messages_with_fields_of_a_newer_version_are_read() -> None:
    def body(message: dict[str, Any], **more: Any) -> bytes:
        return json.dumps({**message, NEW: {"more": 1}, **more}).encode()

    lane, *_ = NEWEST.queues()["send-lanes"]
    look = next(one for one in NEWEST.queues()["blob-events"] if "refresh" in one)
    assert lane_of(body(lane)) == (lane["run"], lane["lane"])
    assert refresh_of(body(look)) == (look["refresh"], look["number"])

    # One in a form of tomorrow comes back until a newer process takes it.
    for read, message in ((run_of, lane), (lane_of, lane), (refresh_of, look)):
        with pytest.raises(InputError) as refused:
            read(body(message, v=2))
        assert refused.value.code == "messageInvalid"


def enums_of(value: Any, codec: TypeAdapter[Any]) -> list[list[Any]]:
    """Where a record holds a value of one of our enums."""

    def walk(inner: Any, path: list[Any]) -> list[list[Any]]:
        if isinstance(inner, dict):
            return [p for name, one in inner.items() for p in walk(one, [*path, name])]
        if isinstance(inner, list | tuple):
            return [p for at, one in enumerate(inner) for p in walk(one, [*path, at])]
        return [path] if isinstance(inner, StrEnum) else []

    return walk(codec.dump_python(codec.validate_python(value)), [])


def with_value(value: Any, path: list[Any], new: str) -> Any:
    changed = json.loads(json.dumps(value))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return changed


def test_a_record_with_an_unknown_value_is_left_to_the_newer_version() -> None:
    tried = set()
    for table, records in NEWEST.tables().items():
        codec = TypeAdapter(kinds()[table])
        for record in records:
            for path in enums_of(record["value"], codec):
                newer = with_value(record["value"], path, "ofTomorrow")
                with pytest.raises(ConnectorError) as caught:
                    form_of(table).value("key", entity_of({**record, "value": newer}))
                assert caught.value.code == "recordNewer", (table, path)
                tried.add((table, path[-1]))
    assert {("runs", "status"), ("chunks", "kind"), ("exports", "leavers")} <= tried


def test_an_unreadable_record_does_not_hide_the_others(storage: str) -> None:
    clients = app_on(storage).clients
    table = f"runs{uuid.uuid4().hex[:8]}"
    runs = TableRecords(clients, table, kinds()["runs"])
    records = NEWEST.tables()["runs"]
    for record in records:
        runs.create(record["RowKey"], form_of("runs").value("key", entity_of(record)))
    newer = records[3]
    entity = entity_of({**newer, "value": {**newer["value"], "status": "ofTomorrow"}})
    clients.table(table).update_entity(entity, mode="replace")

    others = [record["RowKey"] for record in records if record is not newer]
    assert [stored.key for stored in readable(runs.all())] == others
    # A caller that needs all records gets an error for the unreadable one.
    with pytest.raises(ConnectorError) as caught:
        list(runs.all())
    assert caught.value.code == "recordNewer"
    with pytest.raises(ConnectorError):
        runs.read(newer["RowKey"])
    assert newer["value"]["requested_by"] not in str(caught.value)


def test_a_damaged_record_is_reported() -> None:
    def records() -> Any:
        yield 1
        raise ConnectorError("recordDamaged", record="runs one")

    with pytest.raises(ConnectorError):
        list(readable(records()))


def test_an_unknown_outcome_is_shown_by_its_code() -> None:
    row = OutcomeRow("c1", "ada@example.com", ("A",), "postponed", "ofTomorrow", "")

    written = outcomes_csv(iter([row]), "ko").decode("utf-8-sig").splitlines()[1]

    assert written == "c1,ada@example.com,A,postponed,ofTomorrow,,,,"


@pytest.mark.parametrize("columns", ["*, 1 AS of_tomorrow", "* EXCLUDE (tries)"])
def test_a_ledger_of_another_version_is_read_by_column_names(columns: str, tmp_path: Path) -> None:
    name = next(name for _, name in NEWEST.blobs() if name.startswith("ledgers/"))
    stored_state, other = NEWEST.folder / "blobs/state" / name, tmp_path / "other.parquet"
    with reused_databases.connect() as db:
        db.execute(f"COPY (SELECT {columns} FROM '{stored_state}') TO '{other}' (FORMAT parquet)")
        load_ledger(db, stored_state)
        db.execute("CREATE TABLE before AS FROM ledger")
        load_ledger(db, other)

        without = "* EXCLUDE (tries)" if "EXCLUDE" in columns else "*"
        difference = f"SELECT {without} FROM before EXCEPT SELECT {without} FROM ledger"
        assert db.execute(difference).fetchall() == []
        assert db.execute("SELECT count(*) > 0 FROM ledger").fetchone() == (True,)
        described = db.execute("DESCRIBE ledger").fetchall()
        assert len(described) == len(LEDGER_COLUMNS)


def test_after_a_rollback_new_fields_are_ignored_and_records_with_new_values_wait(
    emulator: Azurite, tmp_path: Path
) -> None:
    """Everything has fields of the newer version; a run and an export have values that only it knows."""
    story = NEWEST.story
    unknown = story["runs"]["successful"]
    skipped = next(
        record["value"]
        for record in NEWEST.tables()["runs"]
        if record["RowKey"] == story["runs"]["skipped"]
    )["export_id"]

    def change(kind: str, value: Any) -> Any:
        if kind == "parquet":
            return wider(value, tmp_path)
        if kind == "runs" and value["id"] == unknown:
            value = {**value, "status": "ofTomorrow"}
        if kind == "exports" and value["id"] == skipped:
            value = {**value, "leavers": "ofTomorrow"}
        return with_future_fields(value)

    with app_on_stored_state(NEWEST, emulator.connection_string, tmp_path, change) as running_app:
        half_sent_run_completes(running_app, NEWEST)
        with pytest.raises(ApiError) as refused:
            running_app.api.get(f"/api/runs/{unknown}")
        assert "newer version" in str(refused.value)
        exports = {one["id"] for one in running_app.api.get("/api/exports")["value"]}
        assert {story["export"], story["refreshing"]} <= exports
        assert skipped not in exports
        assert running_app.api.call("GET", "/").status_code == 200
        searched = running_app.api.post("/api/people/search", {"email": "ada@example.com"})
        assert {one["exportId"] for one in searched["value"]} == exports
        copied = running_app.api.post(f"/api/exports/{story['export']}/duplicate", {})
        assert copied["id"] not in exports
        running_app.api.call("DELETE", f"/api/exports/{copied['id']}")
        everything_else_continues(running_app, NEWEST, unreadable="successful")
