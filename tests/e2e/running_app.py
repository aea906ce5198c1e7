"""A running app for end-to-end tests: the app as a process, Azurite, the sandbox Mailchimp and an API client.

Many tests share one app. Each test has its own ExportScenario, with names that no other test uses.
Most tests use an app in their own process instead, with the same interface (app_in_process.py).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from devhost.api_client import ApiClient
from devhost.processes import ROOT, App, running, start_app
from sandbox import samples, wrap
from sandbox.mailchimp.sandbox import AudienceView, MemberView, Sandbox
from sandbox.mailchimp.state import Account
from sandbox.persons import Person
from sandbox.samples import Sample
from sandbox.upload import upload
from shared import app as parts
from tests.e2e.stored_data import app_on, blobs
from tests.held_calls import held_calls
from tests.waiting import until

SEGMENTS = "segments"
DEVELOPER = "Dev <dev@localhost>; Administrator"
_FIRST_REFRESH = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
_numbers = itertools.count(1)
_scenarios: Counter[Path] = Counter()

MAPPING = {
    "email": "EMail",
    "firstName": "FirstName",
    "lastName": "LastName",
    "attributes": [
        {
            "attribute": "RewardPoints",
            "mergeField": "POINTS",
            "create": {"name": "Points", "type": "number"},
        },
        {"attribute": "City", "mergeField": "CITY", "create": {"name": "City", "type": "text"}},
        {"attribute": "Note", "mergeField": "NOTE", "create": {"name": "Note", "type": "text"}},
    ],
}


def fields_of(who: Person) -> dict[str, object]:
    """Return the expected merge fields of a profile under MAPPING, computed without the app."""
    wanted: dict[str, object] = {
        "FNAME": who.first_name,
        "LNAME": who.last_name,
        "POINTS": int(who.reward_points),
        "CITY": who.city,
        "NOTE": who.note,
    }
    return {tag: value for tag, value in wanted.items() if value != ""}


@dataclass(frozen=True)
class ContactState:
    """The status, merge fields and tags of a contact, for comparison."""

    status: str
    fields: tuple[tuple[str, object], ...]
    tags: frozenset[str]


def contact_state(status: str, fields: Mapping[str, object], tags: Iterable[str]) -> ContactState:
    return ContactState(status, tuple(sorted(fields.items())), frozenset(tags))


def actual_audience(audience: AudienceView) -> dict[str, ContactState]:
    """Return all contacts of an audience, by address in lower case."""
    return {
        a: contact_state(m.status, m.merge_fields, m.tags) for a, m in audience.members().items()
    }


def expected_audience(sample: Sample) -> dict[str, ContactState]:
    """Return the contacts that result from a sample, computed without the app.

    Of profiles that share an address, the one with the lowest id is used.
    """
    found = {}
    for expected in samples.truth(sample):
        winner = min(expected.profiles, key=lambda who: who.customer_id)
        found[expected.address] = contact_state("subscribed", fields_of(winner), expected.segments)
    return found


def addresses(sample: Sample) -> list[str]:
    """The addresses of the people of a sample."""
    return [expected.address for expected in samples.truth(sample)]


def codes(run: dict[str, Any]) -> list[str]:
    """The codes of the findings of a run."""
    return [finding["code"] for finding in run["findings"]]


def texts(run: dict[str, Any]) -> dict[str, str]:
    """The messages of the findings of a run, by code."""
    return {finding["code"]: finding["message"] for finding in run["findings"]}


def state_of_member(member: MemberView) -> ContactState:
    return contact_state(member.status, member.merge_fields, member.tags)


class TestedApp(ABC):
    """An app that tests use through its API.

    `storage` is the connection string of the account with the segments and the outcome files,
    `sandbox` is the app's Mailchimp.
    """

    __test__ = False

    def __init__(self, storage: str, sandbox: Sandbox, api: ApiClient) -> None:
        self.storage = storage
        self.sandbox = sandbox
        self.api = api
        self._connections: dict[str, str] = {}

    @property
    @abstractmethod
    def parts(self) -> parts.App:
        """The parts of an app that works on the same state, in this process."""

    @abstractmethod
    def wait(self, run_id: str) -> dict[str, Any]:
        """Return a run as soon as the app does not work on it any more."""

    @abstractmethod
    def state_blobs(self, prefix: str = "") -> dict[str, bytes]:
        """The content of the app's own blobs, by name."""

    def connection(self, account: Account | None = None) -> str:
        """Return the connection to an account; the first call creates it."""
        owner = account or self.sandbox.account
        if owner.id not in self._connections:
            made = self.api.connect(min(owner.keys), owner.name)
            self._connections[owner.id] = made["id"]
        return self._connections[owner.id]


class RunningApp(TestedApp):
    """An app in a separate process on Azurite; `process` is that process."""

    def __init__(self, storage: str, app: App, sandbox: Sandbox) -> None:
        super().__init__(storage, sandbox, ApiClient(app.url))
        self.process = app

    @property
    def parts(self) -> parts.App:
        return app_on(self.storage)

    def wait(self, run_id: str) -> dict[str, Any]:
        *_, last = self.api.watch(run_id, every=0.25)
        return last

    def state_blobs(self, prefix: str = "") -> dict[str, bytes]:
        return blobs(self.storage, "state", prefix)


class ExportScenario:
    """The data of one test: an audience, segments and an export."""

    def __init__(
        self,
        running_app: TestedApp,
        folder: Path,
        *,
        double_optin: bool = False,
        account: Account | None = None,
    ) -> None:
        self.running_app = running_app
        self.number = next(_numbers)
        # Derived from the test's name, so that a test has the same people in every order of tests.
        test = folder.name.rstrip("0123456789")
        self.seed = zlib.crc32(f"{test}/{_scenarios[folder]}".encode()) % 10_000
        _scenarios[folder] += 1
        self.connection = running_app.connection(account)
        self.audience = running_app.sandbox.audience(
            f"Audience {self.number}", double_optin=double_optin, account=account
        )
        self.export: dict[str, Any] = {}
        self._folder = folder / f"scenario{self.number}"
        self._refresh = _FIRST_REFRESH

    def named(self, name: str) -> str:
        """Return a segment name that is unique to this scenario."""
        return f"{name}{self.number}"

    def sample(self, people: int, *shares: float, **more: Any) -> Sample:
        """Create a sample with one segment per share; without shares, one with all people."""
        segments = tuple(
            samples.Segment(self.named(letter), share)
            for letter, share in zip("ABCDEFGH", shares or (1.0,), strict=False)
        )
        return Sample(people, segments, seed=self.seed, **more)

    def refresh(self, sample: Sample) -> None:
        """Write the sample as Customer Insights does."""
        self._put(lambda root, when: samples.write(sample, root, when))

    def refresh_table(self, tables: dict[str, wrap.Table]) -> None:
        """Write tables as Customer Insights does."""
        self._put(lambda root, when: wrap.write(tables, root, when))

    def _put(self, write: Any) -> None:
        self._refresh += timedelta(days=1)
        write(self._folder, self._refresh)
        upload(
            self._folder, self.running_app.storage, SEGMENTS, f"export{self.number}/SegmentExport"
        )

    def define(
        self, segments: Iterable[str | dict[str, str]] | Sample, **more: Any
    ) -> dict[str, Any]:
        """Create an export of segments (or of a sample) to the audience of this scenario."""
        if isinstance(segments, Sample):
            segments = [segment.name for segment in segments.segments]
        definition = {
            "displayName": f"Export {self.number}",
            "connectionId": self.connection,
            "audienceId": self.audience.id,
            "mapping": MAPPING,
            "segments": [{"name": one} if isinstance(one, str) else one for one in segments],
            "schedule": {"enabled": False},
            **more,
        }
        self.export = self.api.define(**definition)
        return self.export

    def define_sample(self, people: int, *shares: float, **more: Any) -> Sample:
        """Create a sample, write it as Customer Insights does, and create an export of its segments."""
        sample = self.sample(people, *shares)
        self.refresh(sample)
        self.define(sample, **more)
        return sample

    def run(self, mode: str = "export") -> dict[str, Any]:
        """Run the export and wait for its end."""
        return self.wait(self.start(mode))

    def start(self, mode: str = "export") -> dict[str, Any]:
        return self.api.start(self.export["id"], mode)

    def run_awaiting_removals(self, people: int, leaving: int) -> tuple[Sample, dict[str, Any]]:
        """Export a segment, and run again after some people left it, so that the run waits for a confirmation.

        Returns the sample of the first run, and the run that waits.
        """
        sample = self.define_sample(people)
        self.run()
        self.refresh(sample.later(leaving=leaving))
        waiting = self.run()
        assert (waiting["status"], waiting["reason"]["code"]) == (
            "awaitingConfirmation",
            "removalGuard",
        )
        return sample, waiting

    def start_and_cancel(self) -> dict[str, Any]:
        """Start a run, cancel it after the first contact arrived, and wait for its end.

        With more chunks than connections plus two, some chunks are never sent.
        """
        with held_calls(self.running_app.sandbox, skip=2) as held:
            started = self.start()
            until(self.audience.statuses)
            held.until_waiting()
            self.api.post(f"/api/runs/{started['id']}/cancel")
            held.release_all()
            return self.wait(started)

    @property
    def api(self) -> ApiClient:
        """The API of the app, which a test may replace."""
        return self.running_app.api

    def wait(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for the end of a run."""
        return self.running_app.wait(run["id"])

    def delete_in_mailchimp(self, path: str) -> None:
        """Delete a part of the audience, such as a tag or a merge field, as its owner would."""
        sandbox = self.running_app.sandbox
        answer = requests.delete(
            f"{sandbox.api_url}/lists/{self.audience.id}{path}",
            auth=("key", sandbox.api_key),
            timeout=100,
        )
        assert answer.status_code == 204, answer.text

    def outcomes(self, run: Mapping[str, Any], only: str = "") -> list[dict[str, str]]:
        """The rows of outcomes.csv."""
        text = self.api.outcomes(run["id"], only).removeprefix("\ufeff")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    @contextmanager
    def calls(self) -> Iterator[Counter[str]]:
        """Count the calls to Mailchimp inside the block, by method and route."""
        calls = self.running_app.sandbox.calls
        before = Counter(calls.by_route)
        counted: Counter[str] = Counter()
        yield counted
        for (method, route), number in (Counter(calls.by_route) - before).items():
            counted[f"{method} {route}"] = number


SUBSCRIBE = "POST /lists/{list_id}"
CHANGE_TAG = "POST /lists/{list_id}/segments/{segment_id}"


def writes(calls: Mapping[str, int]) -> dict[str, int]:
    """Return the write calls."""
    return {call: number for call, number in calls.items() if not call.startswith("GET ")}


def every_row_has_one_outcome(run: Mapping[str, Any], repeated: int) -> bool:
    """Whether every source row has one outcome. `repeated`: rows of people in several segments."""
    counts = run["counts"]
    named = ("created", "updated", "unchanged", "kept", "rejected", "notSent", "sharedAddress")
    return counts["sourceRows"] == sum(counts[name] for name in named) + repeated


_APP = """import logging
import threading
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location

from shared.model import chunk

chunk.CHUNK_SIZE = {chunk_size}

from devhost import queues
from devhost.queues import QueueListener
from shared.capacity import renewed_lease
from shared.planning import planner
from shared.storage.clients import ClientOptions, StorageClients
from shared.storage.queues import StorageQueue

planner.LONGEST_WAIT = timedelta(seconds=20)
renewed_lease.LEASE_SECONDS = {lease_seconds}
renewed_lease._RENEW_SECONDS = {lease_seconds} / 3
if {storage_seconds}:
    options = ClientOptions(backoff=0.2, read_timeout={storage_seconds})
    StorageClients.__init__.__defaults__ = (options, None)
send = StorageQueue.send
release = QueueListener._release
# This process receives its own messages without waiting for the next poll.
queues.FIRST_PAUSE = 0.3


def wake_after(delay, queue):
    timer = threading.Timer(delay, queues.wake, [queue])
    timer.daemon = True
    timer.start()


def send_and_wake(self, queue, message, delay=0):
    send(self, queue, message, delay)
    wake_after(delay, queue)


def release_and_wake(self, running):
    release(self, running)
    wake_after(self._options.visibility_timeout, self.queue)


StorageQueue.send = send_and_wake
QueueListener._release = release_and_wake
if {twice}:
    StorageQueue.send = lambda *given, **more: (
        send_and_wake(*given, **more), send_and_wake(*given, **more)
    )[0]
if {debug}:
    logging.getLogger().setLevel(logging.DEBUG)
    for name in list(logging.Logger.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
spec = spec_from_file_location("the_app", {path!r})
module = module_from_spec(spec)
spec.loader.exec_module(module)
app = module.app
"""


def fast_polling_app(
    folder: Path,
    *,
    chunk_size: int = 500,
    lease_seconds: int = 30,
    storage_seconds: float = 0,
    twice: bool = False,
    debug: bool = False,
    longest_pause: int = 1,
    program: Path = ROOT / "function_app.py",
) -> Path:
    """Write an app folder that receives its own messages at once and retries sooner.

    `chunk_size` is the number of people of a call, `lease_seconds` is the duration of leases (Azure's minimum is 15), `storage_seconds` the read
    timeout of storage (0 is the default). `twice` sends every message twice. `debug` logs
    everything. Queues are polled every `longest_pause` seconds, for messages of other processes.
    `program` is the app's function_app.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    host["extensions"]["queues"] |= {
        "maxPollingInterval": f"00:00:{longest_pause:02}",
        "visibilityTimeout": "00:00:01",
    }
    (folder / "host.json").write_text(json.dumps(host), "utf-8")
    path = str(program)
    content = _APP.format(
        chunk_size=chunk_size,
        lease_seconds=lease_seconds,
        storage_seconds=storage_seconds,
        twice=twice,
        debug=debug,
        path=path,
    )
    (folder / "function_app.py").write_text(content, "utf-8")
    return folder


def settings_for(storage: str, sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Return the settings of an app on this storage and Mailchimp."""
    return {
        "AzureWebJobsStorage": storage,
        "MAILCHIMP_API_URL": sandbox.api_url,
        "DEVELOPER_IDENTITY": DEVELOPER,
        # Never during a test: tests call the timer function themselves.
        "TICK_SCHEDULE": "0 0 0 1 1 *",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        **more,
    }


@contextmanager
def run_app(
    storage: str,
    sandbox: Sandbox,
    folder: Path,
    *,
    debug: bool = False,
    chunk_size: int = 500,
    **settings: str,
) -> Iterator[RunningApp]:
    """Run the app as a process during a `with` block."""
    app = start_app(
        settings_for(storage, sandbox, **settings),
        app_dir=fast_polling_app(
            folder / "app", debug=debug, chunk_size=chunk_size, longest_pause=2
        ),
        log=folder / "app.log",
    )
    with running(app):
        yield RunningApp(storage, app, sandbox)
