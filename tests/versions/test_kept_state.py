"""What every released version left behind is read, understood, and brought to its end by the app at hand."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import TypeAdapter

from devhost.processes import Azurite, running, start_app, start_azurite
from sandbox.mailchimp.box import Sandbox
from shared.exports.ledger import LEDGER_COLUMNS
from shared.exports.plan.plan import plan_from_json, plan_to_json
from shared.exports.send.outcome_lines import OUTCOME_COLUMNS
from shared.exports.signals.messages import lane_of, look_of, run_of, stamps_of
from shared.storage.record_entity import EntityForm
from tests.e2e.house import Held, House, audience_as_is, held
from tests.e2e.state import house_of
from tests.versions.kept import KeptState, entity_of
from tests.versions.kinds import kinds
from tests.versions.make import settings, small_app, until

VERSIONS = [KeptState(folder) for folder in sorted(Path(__file__).parent.glob("[0-9]*.*.*"))]
TABLES = [(kept, table) for kept in VERSIONS for table in kept.tables()]
WHAT_TO_DO = (
    "Version {version} wrote {what} in a form that this code does not read as it was meant. Storage "
    "holds such records for years: keep reading the old form (give the new field a default, or take "
    "the old name as another name of it), and say in docs/decisions/0047 what changed."
)


def told(kept: KeptState, what: str) -> str:
    return WHAT_TO_DO.format(version=kept.version, what=what)


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """What of a JSON value is missing or different in another one; more in it is fine."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            one
            for name, value in before.items()
            for one in (
                lost(value, after[name], f"{where}.{name}")
                if name in after
                else [f"{where}.{name}"]
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [one for at, (b, a) in pairs for one in lost(b, a, f"{where}[{at}]")]
    return [] if before == after else [where]


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
    looks = [look_of(json.dumps(message).encode()) for message in queues["blob-events"]]
    assert kept.story["refreshing"] in [look[0] for look in looks if look]
    assert len(queues["send-lanes"]) >= 2


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_kept_ledgers_and_outcomes_have_the_columns_that_are_read(kept: KeptState) -> None:
    expected = {pair.split()[0]: pair.split()[1] for pair in LEDGER_COLUMNS.split(", ")}
    ledgers = [name for _, name in kept.blobs() if name.startswith("ledgers/")]
    assert ledgers
    with duckdb.connect() as db:
        for name in ledgers:
            file = str(kept.folder / "blobs/state" / name)
            described = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall()
            assert {row[0]: row[1] for row in described}.items() <= expected.items(), told(
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


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Azurite]:
    """An empty one for every version."""
    with running(start_azurite(tmp_path / "azurite")) as found:
        yield found


@pytest.mark.parametrize("kept", VERSIONS, ids=lambda kept: kept.version)
def test_a_run_that_a_version_half_sent_comes_to_its_right_end(
    kept: KeptState, emulator: Azurite, tmp_path: Path
) -> None:
    storage, story = emulator.connection_string, kept.story
    people = {
        address: held(status, fields, tags)
        for address, (status, fields, tags) in story["people"].items()
    }
    with Sandbox() as box:
        kept.put(storage, house_of(storage), box)
        audience = next(one for one in box.audiences() if one.state.id == story["audience"])
        half = audience_as_is(audience)
        assert half != people
        assert len(half) == story["halfSent"]
        app = start_app(
            settings(storage, box), app_dir=small_app(tmp_path / "app"), log=tmp_path / "app.log"
        )
        with running(app):
            house = House(storage, app, box)
            run = _ended(house, story["run"])

            assert run["status"] == "successful"
            assert audience_as_is(audience) == people
            _accounted_for(house, run, people)
            assert run["consentProof"]["statusesChanged"] == 0
            again = house.portal.run(story["export"])
            assert again["calls"]["write"] == 0
            assert again["counts"]["distinct"] == run["counts"]["distinct"]
            _everything_else_goes_on(house, kept)
    assert box.calls.statuses_contradicted == 0
    assert not box.calls.statuses_changed
    assert box.calls.peak_in_flight <= 10


def _ended(house: House, run_id: str) -> dict[str, Any]:
    *_, last = house.portal.watch(run_id, every=0.05)
    return last


def _accounted_for(house: House, run: dict[str, Any], people: dict[str, Held]) -> None:
    """Every row has its outcome, and the counts are those of the plan."""
    counts = run["counts"]
    assert counts["created"] == counts["new"] > 0
    assert counts["updated"] == counts["changed"] > 0
    assert counts["removed"] == counts["left"] > 0
    assert counts["notSent"] == counts["rejected"] == 0
    rows = house.portal.outcomes(run["id"]).splitlines()[1:]
    outcomes = {row.split(",")[1]: row for row in rows}
    assert outcomes.keys() == people.keys()


def _everything_else_goes_on(house: House, kept: KeptState) -> None:
    """Runs that are over show themselves, one that waited goes on, a refresh that was awaited starts."""
    portal, story = house.portal, kept.story
    runs = {run["id"]: run for run in portal.get("/api/runs?top=100")["value"]}
    assert set(story["runs"].values()) <= runs.keys()
    for status in ("successful", "completedWithWarnings", "skipped", "failed", "canceled"):
        assert runs[story["runs"][status]]["status"] == status
    confirmed = portal.post(f"/api/runs/{story['runs']['awaitingConfirmation']}/confirm")
    assert _ended(house, confirmed["id"])["status"] == "successful"
    found = portal.post("/api/people/search", {"email": story["erased"]})["value"]
    assert {one["code"] for one in found} == {"erased"}
    assert portal.get("/api/schedule")["times"] == ["05:30"]
    assert portal.get("/api/connections")["value"][0]["status"] == "connected"

    def refreshed() -> list[dict[str, Any]]:
        listed = portal.get(f"/api/runs?exportId={story['refreshing']}")["value"]
        return [run for run in listed if run["finishedAt"]]

    (run,) = until(refreshed)
    assert (run["trigger"], run["status"]) == ("refresh", "successful")
    portal.call("POST", "/admin/functions/tick", {"input": ""})
    log = Path(house.app.log or "")
    until(lambda: "'tick' (" in log.read_text("utf-8", "replace"))
    assert "'tick' (Succeeded" in log.read_text("utf-8", "replace")
