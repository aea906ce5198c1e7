"""Every HTTP request is answered before Azure ends it, whatever does not answer, and says what is not done."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat
from typing import Any, cast

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from shared.app import App
from shared.capacity import parallel_calls, renewed_lease
from shared.capacity.renewed_lease import RenewedLease
from shared.errors import Unavailable
from shared.people import all_audiences
from shared.request_time import LANDING, OWN_STORAGE, request_time, time_for_call
from shared.runs.outcome_file import OutcomeFile
from shared.shared_reads import SharedReads
from shared.web.audit_entry import AuditEntry
from tests.fakes import MemoryFiles, MemoryRecords
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person
from tests.web.browser import Browser
from tests.web.client import Response, call, get, new_connection, new_export
from tests.web.world import World

__all__ = ["clock", "mailchimp", "new_deployment"]

# Azure ends a request after so many seconds.
LONGEST_REQUEST = 230


class Deployment:
    """A deployment with one export, and how long its last request took in simulated seconds."""

    def __init__(self, simulated: SimulatedDeployment) -> None:
        self.simulated = simulated
        simulated.read_timeout = 125.0  # as in the app
        simulated.start_process()
        self.rows = RowDeployment(simulated)
        self.rows.define()
        self.seconds = 0.0

    @property
    def app(self) -> App:
        return cast("App", self.simulated.app)

    def add_account(self, name: str) -> None:
        """Another Mailchimp account, with an export to it."""
        stored = self.app.connections.read(CONNECTION)
        export = self.app.exports.read(EXPORT)
        assert stored is not None
        assert stored.value.grant is not None
        assert export is not None
        grant = replace(stored.value.grant, account_id=name)
        self.app.connections.create(name, replace(stored.value, id=name, grant=grant))
        self.app.exports.create(
            name, replace(export.value, id=name, connection_id=name, audience_id=name)
        )

    def call(self, method: str, path: str, body: object = None) -> Response:
        began = self.simulated.clock.seconds()
        answer = call(self.app, method, path, body)
        self.seconds = self.simulated.clock.seconds() - began
        return answer


@pytest.fixture
def deployment(new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    simulated = new_deployment()
    # The SDK of Azure waits before it repeats a call.
    monkeypatch.setattr(
        RequestsTransport, "sleep", lambda _, seconds: simulated.clock.forward(seconds)
    )
    return Deployment(simulated)


@pytest.fixture
def with_run(deployment: Deployment) -> None:
    """The export has sent three people."""
    deployment.rows.run(*(person(n) for n in range(3)))


@pytest.fixture
def silent(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service answers: each call takes as long as the app waits for it."""

    def send(self: object, request: object, timeout: tuple[float, float], **_: Any) -> None:
        deployment.simulated.clock.forward(timeout[1])
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)


ERASE = {"email": "p1@example.com", "deleteInMailchimp": True}


def test_an_erasure_in_accounts_that_do_not_answer_is_answered(
    deployment: Deployment, with_run: None, silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The simulated clock adds up what happens at the same time.
    monkeypatch.setattr(all_audiences, "_ACCOUNTS_AT_ONCE", 1)
    for name in ("second", "third", "fourth"):
        deployment.add_account(name)

    answer = deployment.call("POST", "/api/people/erase", ERASE)

    assert answer.status == 503
    assert answer.json()["code"] in ("noAnswer", "requestTimeUp")
    assert 120 < deployment.seconds < LONGEST_REQUEST
    pointer = deployment.app.ledgers.read(EXPORT)
    assert pointer is not None
    assert pointer.value.people == 2


def test_an_erasure_while_mailchimp_is_silent_purges_files_in_the_landing_account(
    deployment: Deployment, with_run: None, silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_profiles = OutcomeFile.remove_profiles
    purged = []

    def remove_in_time(self: OutcomeFile, *given: Any) -> int:
        time_for_call(LANDING)
        purged.append(given)
        return remove_profiles(self, *given)

    monkeypatch.setattr(OutcomeFile, "remove_profiles", remove_in_time)

    answer = deployment.call("POST", "/api/people/erase", ERASE)

    assert (answer.status, answer.json()["code"]) == (503, "noAnswer")
    assert LANDING < deployment.seconds < LONGEST_REQUEST
    assert len(purged) == 1
    [erasure] = deployment.app.eraser.erasures.records.all()
    assert erasure.value.waits_for == ()


def test_an_erasure_calls_all_accounts_at_the_same_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.add_account("second")
    both = threading.Barrier(2, timeout=60)
    send = requests.adapters.HTTPAdapter.send
    accounts: list[object] = []

    def wait_for_the_other(self: object, request: Any, **more: Any) -> object:
        if self not in accounts:  # the adapter of a session that makes its first call
            accounts.append(self)
            both.wait()
        return send(self, request, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", wait_for_the_other)

    def look_up(session: Any, key: str) -> None:
        session.contact_of(deployment.simulated.audience.id, "p1@example.com")
        reached.append(key)

    reached: list[str] = []
    exports = [stored.value for stored in deployment.app.exports.all()]
    deployment.app.eraser.audiences.each(exports, look_up, 5.0)

    assert len(reached) == 2


def slow_down(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each download takes 150 seconds, and records are read and created only while a request has time for it."""
    download, read, create = MemoryFiles.download, MemoryRecords.read, MemoryRecords.create

    def download_slowly(self: MemoryFiles, *given: Any, **more: Any) -> Any:
        deployment.simulated.clock.forward(min(150, time_for_call(OWN_STORAGE)))
        return download(self, *given, **more)

    def read_in_time(self: MemoryRecords[Any], key: str) -> Any:
        time_for_call(OWN_STORAGE)
        return read(self, key)

    def create_in_time(self: MemoryRecords[Any], *given: Any) -> Any:
        time_for_call(OWN_STORAGE)
        return create(self, *given)

    monkeypatch.setattr(MemoryFiles, "download", download_slowly)
    monkeypatch.setattr(MemoryRecords, "read", read_in_time)
    monkeypatch.setattr(MemoryRecords, "create", create_in_time)


@pytest.mark.parametrize(("in_mailchimp", "deleted"), [(False, 0), (True, 1)])
def test_an_erasure_that_takes_too_long_is_continued_by_the_timer(
    deployment: Deployment,
    with_run: None,
    in_mailchimp: bool,
    deleted: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_down(deployment, monkeypatch)
    erase = {**ERASE, "deleteInMailchimp": in_mailchimp}
    answer = deployment.call("POST", "/api/people/erase", erase)
    assert (answer.status, answer.json()["code"]) == (503, "erasureContinues")
    [entry] = [one.value for one in deployment.app.table("audit", AuditEntry).all()]
    assert entry.action == "person.erase"
    assert [one.after for one in entry.changes] == ['"erasureContinues"']

    assert deployment.app.eraser.complete() == 1

    pointer = deployment.app.ledgers.read(EXPORT)
    assert pointer is not None
    assert pointer.value.people == 2
    [erasure] = [one.value for one in deployment.app.eraser.erasures.records.all()]
    assert (erasure.waits_for, erasure.contacts) == ((), ())
    assert erasure.deleted_in_mailchimp == deleted


def test_the_page_of_an_erasure_that_takes_too_long_says_that_the_app_continues(
    deployment: Deployment, with_run: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Browser(deployment.app).open("/people")
    page.send("/people", {"person": ERASE["email"]})
    slow_down(deployment, monkeypatch)

    page.send("/people/erase", {"sure": "on"})

    assert page.answer.status == 503
    assert "The app continues within minutes." in page.text


@pytest.mark.parametrize(("seconds", "status"), [(1.0, 200), (40.0, 503)])
def test_counts_that_arrive_slowly_end_in_time_and_say_how_many_arrived(
    deployment: Deployment, seconds: float, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The simulated clock adds up what happens at the same time.
    monkeypatch.setattr(parallel_calls, "MOST_AT_A_TIME", 1)
    send = requests.adapters.HTTPAdapter.send

    def answer_slowly(
        self: Any, request: Any, timeout: tuple[float, float], **more: Any
    ) -> requests.Response:
        deployment.simulated.clock.forward(min(seconds, timeout[1]))
        if seconds > timeout[1]:
            raise requests.ReadTimeout
        return send(self, request, timeout=timeout, **more)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer_slowly)
    path = f"/api/connections/{CONNECTION}/audiences/{deployment.simulated.audience.id}/hygiene"

    answer = deployment.call("GET", path)

    assert deployment.seconds < LONGEST_REQUEST
    assert answer.status == status
    assert status == 200 or "only 3 of 8 numbers arrived in time" in answer.json()["detail"]


def test_an_export_is_saved_although_the_landing_account_does_not_answer(
    deployment: Deployment, silent: None
) -> None:
    path = f"/api/exports/{EXPORT}"
    body = deployment.call("GET", path).json()
    changed = {**body, "connectionId": None, "displayName": "Renamed"}
    for name in ("id", "lastRun", "createdAt", "createdBy", "updatedAt", "updatedBy", "findings"):
        changed.pop(name, None)

    answer = deployment.call("PUT", path, changed)

    assert (answer.status, answer.json()["displayName"]) == (200, "Renamed")
    assert 50 < deployment.seconds < LONGEST_REQUEST / 2


def test_a_connection_of_many_exports_is_disconnected_in_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = deployment.app.exports.read(EXPORT)
    assert export is not None
    for number in range(60):
        other = replace(export.value, id=f"other{number}")
        deployment.app.exports.create(other.id, other)
    query = MemoryRecords.all

    def query_slowly(*given: Any, **more: Any) -> Any:
        deployment.simulated.clock.forward(5)
        return query(*given, **more)

    monkeypatch.setattr(MemoryRecords, "all", query_slowly)

    answer = deployment.call("DELETE", f"/api/connections/{CONNECTION}/mailchimp")

    assert (answer.status, answer.json()["status"]) == (200, "notConnected")
    assert deployment.seconds < LONGEST_REQUEST


SCHEDULE = {"scheduleOn": "on", "repeat": "daily", "time-0": "05:30", "timeZone": "Asia/Seoul"}


def slow_world(seconds: int) -> tuple[World, list[str]]:
    """Five exports, of which each change takes so long."""
    world = World()
    connection = new_connection(world)
    names = [f"Export {number}" for number in range(5)]
    ids = [new_export(world, connection, displayName=n, audienceId=f"a{n[-1]}") for n in names]

    def pass_time(_: str) -> None:
        world.now += timedelta(seconds=seconds)

    world.exports.before_write = pass_time
    return world, ids


def test_schedules_of_more_exports_than_a_request_can_change_are_set_in_steps() -> None:
    world, ids = slow_world(70)
    page = Browser(world).open("/exports-schedule?" + "&".join(f"export={one}" for one in ids))

    page.send("/exports-schedule", SCHEDULE)

    assert "Schedule of 2 exports" in page.text
    assert "Export 4: The time of the request was not enough" in page.text
    page.send("/exports-schedule", SCHEDULE)
    assert "The schedule of the selected exports is saved." in page.text
    times = [get(world, f"/api/exports/{one}")["schedule"]["times"] for one in ids]
    assert times == [["05:30"]] * 5


def test_a_connection_of_many_exports_is_removed_in_steps_and_each_one_is_recorded() -> None:
    world, ids = slow_world(70)
    path = f"/api/connections/{next(iter(world.connections.kept))}?detachExports=true"

    answer = call(world, "DELETE", path)
    assert (answer.status, answer.json()["code"]) == (503, "requestTimeUp")
    assert call(world, "DELETE", path).status == 204

    recorded = [one.value for one in world.audit.kept.values()]
    detached = [one.subject_id for one in recorded if one.action == "export.detach"]
    assert sorted(detached) == sorted(ids)


def world_with_slow_starts() -> World:
    """Five exports, of which each takes 70 seconds to start."""
    world, _ = slow_world(0)
    start = world.runs.start

    def start_slowly(*given: Any) -> Any:
        world.now += timedelta(seconds=70)
        return start(*given)

    world.runs.start = start_slowly  # type: ignore[method-assign]
    return world


def test_run_all_names_the_exports_that_it_had_no_time_to_start() -> None:
    world = world_with_slow_starts()
    page = Browser(world).open("/run-all")

    page.send("/run-all")

    assert "3 exports were started." in page.text
    assert "Export 4 There was no time left to start it. Run all again." in page.text
    answer = call(world, "POST", "/api/runs")
    assert answer.status == 202
    assert len(world.runs.kept) == 5


def test_run_all_over_http_asks_to_be_called_again() -> None:
    world = world_with_slow_starts()
    answer = call(world, "POST", "/api/runs")
    assert (answer.status, answer.json()["code"]) == (503, "requestTimeUp")
    assert call(world, "POST", "/api/runs").status == 202
    assert len(world.runs.kept) == 5


def test_a_change_of_a_schedule_does_not_read_all_exports() -> None:
    world, ids = slow_world(0)
    before = world.exports.all
    reads = []

    def all_records(*given: Any, **more: Any) -> Any:
        reads.append(given)
        return before(*given, **more)

    page = Browser(world).open("/exports-schedule?" + "&".join(f"export={one}" for one in ids))
    world.exports.all = all_records  # type: ignore[method-assign]

    page.send("/exports-schedule", SCHEDULE)

    assert "is saved" in page.text
    assert len(reads) < len(ids)


def test_a_request_does_not_wait_longer_than_its_time_for_a_read_of_others() -> None:
    released = threading.Event()
    began = threading.Event()

    def read(_: str) -> int:
        began.set()
        assert released.wait(60)
        return 1

    shared = SharedReads(read)
    reader = threading.Thread(target=shared, args=("a",))
    reader.start()
    assert began.wait(60)
    times = iter([0.0, OWN_STORAGE])
    with request_time(lambda: next(times)), pytest.raises(Exception, match="too slowly"):
        shared("a")
    released.set()
    reader.join()


class LeaseInTime:
    """A lease that is renewed only while a request has time for it."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.asked_late = threading.Event()

    def renew(self) -> None:
        try:
            time_for_call(OWN_STORAGE)
        except Unavailable as error:
            self.answers.append(error.code)
            self.asked_late.set()
            raise
        self.answers.append("renewed")

    def release(self) -> None:
        self.answers.append("released")


def test_a_request_does_not_wait_longer_than_its_time_for_the_renewal_of_a_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renewed_lease, "_RENEW_SECONDS", 0.001)
    lease = LeaseInTime()
    times = chain([0.0, 0.0], repeat(OWN_STORAGE))

    with request_time(lambda: next(times)), RenewedLease(lease):
        assert lease.asked_late.wait(60)

    assert lease.answers[:2] == ["renewed", "requestTimeUp"]
    assert lease.answers[-1] == "released"
