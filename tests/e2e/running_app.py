"""An app to test in: Azurite, the app as a process, a Mailchimp, and a portal that uses the app.

One app serves many tests: each has a *place* of its own in it, with names nobody else uses.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devhost.api_client import ApiClient
from devhost.processes import ROOT, App, running, start_app
from sandbox import samples, wrap
from sandbox.mailchimp.box import AudienceView, MemberView, Sandbox
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.state import Account
from sandbox.persons import Person
from sandbox.samples import Sample
from sandbox.upload import upload

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
    """What Mailchimp must hold of a profile under MAPPING, worked out apart from the app."""
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
    """A person of an audience, as a test compares them."""

    status: str
    fields: tuple[tuple[str, object], ...]
    tags: frozenset[str]


def contact_state(status: str, fields: Mapping[str, object], tags: Iterable[str]) -> ContactState:
    return ContactState(status, tuple(sorted(fields.items())), frozenset(tags))


def actual_audience(audience: AudienceView) -> dict[str, ContactState]:
    """Everybody an audience holds, by address in lower case."""
    return {
        a: contact_state(m.status, m.merge_fields, m.tags) for a, m in audience.members().items()
    }


def expected_audience(sample: Sample, status: str = "subscribed") -> dict[str, ContactState]:
    """Everybody the rows of a sample say, computed from the sample's own truth.

    Of profiles that share an address the one with the lowest id stands for it.
    """
    found = {}
    for expected in samples.truth(sample):
        winner = min(expected.profiles, key=lambda who: who.customer_id)
        found[expected.address] = contact_state(status, fields_of(winner), expected.segments)
    return found


def state_of_member(member: MemberView) -> ContactState:
    return contact_state(member.status, member.merge_fields, member.tags)


class RunningApp:
    """An app at work. `box` is Mailchimp; the app and the tests see the same storage."""

    def __init__(self, storage: str, app: App, box: Sandbox) -> None:
        self.storage = storage
        self.app = app
        self.box = box
        self.api = ApiClient(app.url)
        self._connections: dict[str, str] = {}

    def connection(self, account: Account | None = None) -> str:
        """The connection of an account, made when it is first asked for."""
        owner = account or self.box.account
        if owner.id not in self._connections:
            made = self.api.connect(min(owner.keys), owner.name)
            self._connections[owner.id] = made["id"]
        return self._connections[owner.id]

    def write_calls(self) -> int:
        """How many calls that write Mailchimp has had so far."""
        calls = self.box.calls
        return sum(n for (method, _), n in calls.by_route.items() if method != "GET")


class ExportScenario:
    """One test's corner of an app: an audience, segments and an export of its own."""

    def __init__(
        self,
        running_app: RunningApp,
        folder: Path,
        *,
        double_optin: bool = False,
        account: Account | None = None,
    ) -> None:
        self.running_app = running_app
        self.api = running_app.api
        self.number = next(_numbers)
        # The same people whatever ran before: of the test's name, and of its places in turn.
        test = folder.name.rstrip("0123456789")
        self.seed = zlib.crc32(f"{test}/{_scenarios[folder]}".encode()) % 10_000
        _scenarios[folder] += 1
        self.connection = running_app.connection(account)
        self.audience = running_app.box.audience(
            f"Audience {self.number}", double_optin=double_optin, account=account
        )
        self.export: dict[str, Any] = {}
        self._folder = folder / f"place{self.number}"
        self._refresh = _FIRST_REFRESH

    def named(self, name: str) -> str:
        """A segment name that only this place uses."""
        return f"{name}{self.number}"

    def sample(self, people: int, *shares: float, **more: Any) -> Sample:
        """A sample with a segment a share; one that everybody is in without shares."""
        segments = tuple(
            samples.Segment(self.named(letter), share)
            for letter, share in zip("ABCDEFGH", shares or (1.0,), strict=False)
        )
        return Sample(people, segments, seed=self.seed, **more)

    def refresh(self, sample: Sample) -> None:
        """Customer Insights writes the sample."""
        self._put(lambda root, when: samples.write(sample, root, when))

    def refresh_table(self, tables: dict[str, wrap.Table]) -> None:
        """Customer Insights writes these tables."""
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
        """An export of segments (or all of a sample) to this place's audience."""
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

    def run(self, mode: str = "export") -> dict[str, Any]:
        """Run the export to its end."""
        return self.api.run(self.export["id"], mode)

    def start(self, mode: str = "export") -> dict[str, Any]:
        return self.api.start(self.export["id"], mode)

    def start_and_cancel(self) -> dict[str, Any]:
        """A run that is canceled as soon as somebody is there.

        Of more chunks than connections and two more, some are still to be sent then.
        """
        slow = Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=2)
        self.running_app.box.arm(slow)
        started = self.start()
        while not self.audience.statuses():
            time.sleep(0.01)
        self.api.post(f"/api/runs/{started['id']}/cancel")
        run = self.wait(started)
        self.running_app.box.disarm()
        return run

    def wait(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """A run's end."""
        *_, last = self.api.watch(run["id"], every=0.05)
        return last

    def outcomes(self, run: Mapping[str, Any], only: str = "") -> list[dict[str, str]]:
        """The rows of outcomes.csv."""
        text = self.api.outcomes(run["id"], only).removeprefix("\ufeff")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    @contextmanager
    def calls(self) -> Iterator[Counter[str]]:
        """What Mailchimp is asked inside the block, by method and route."""
        calls = self.running_app.box.calls
        before = Counter(calls.by_route)
        counted: Counter[str] = Counter()
        yield counted
        for (method, route), number in (Counter(calls.by_route) - before).items():
            counted[f"{method} {route}"] = number


SUBSCRIBE = "POST /lists/{list_id}"
CHANGE_TAG = "POST /lists/{list_id}/segments/{segment_id}"


def writes(calls: Mapping[str, int]) -> dict[str, int]:
    """The calls that write."""
    return {call: number for call, number in calls.items() if not call.startswith("GET ")}


def every_row_has_one_outcome(run: Mapping[str, Any], repeated: int) -> bool:
    """Whether every source row has one outcome. `repeated`: rows of people in several segments."""
    counts = run["counts"]
    named = ("created", "updated", "unchanged", "kept", "rejected", "notSent", "sharedAddress")
    return counts["sourceRows"] == sum(counts[name] for name in named) + repeated


_APP = """import logging
from importlib.util import module_from_spec, spec_from_file_location

from shared.capacity import renewed_lease
from shared.storage.clients import ClientOptions, StorageClients
from shared.storage.queues import StorageQueue

renewed_lease.LEASE_SECONDS = {lease_seconds}
renewed_lease._RENEW_SECONDS = {lease_seconds} / 3
if {storage_seconds}:
    calling = ClientOptions(backoff=0.2, read_timeout={storage_seconds})
    StorageClients.__init__.__defaults__ = (calling, None)
if {twice}:
    send = StorageQueue.send
    StorageQueue.send = lambda *given, **more: (send(*given, **more), send(*given, **more))[0]
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
    lease_seconds: int = 30,
    storage_seconds: float = 0,
    twice: bool = False,
    debug: bool = False,
) -> Path:
    """The app with a host.json that looks into its queues more often and retries sooner.

    `lease_seconds`: how long the leases of a killed process live on (15 is Azure's least).
    `storage_seconds`: how long it waits for storage (0: as long as ever).
    `twice`: every message is put twice, and so delivered twice.
    `debug`: everything that can be logged is logged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    host["extensions"]["queues"] |= {
        "maxPollingInterval": "00:00:00.2",
        "visibilityTimeout": "00:00:01",
    }
    (folder / "host.json").write_text(json.dumps(host), "utf-8")
    path = str(ROOT / "function_app.py")
    program = _APP.format(
        lease_seconds=lease_seconds,
        storage_seconds=storage_seconds,
        twice=twice,
        debug=debug,
        path=path,
    )
    (folder / "function_app.py").write_text(program, "utf-8")
    return folder


def settings_for(storage: str, box: Sandbox, **more: str) -> dict[str, str]:
    """The app's settings in an app."""
    return {
        "AzureWebJobsStorage": storage,
        "MAILCHIMP_API_URL": box.api_url,
        "DEVELOPER_IDENTITY": DEVELOPER,
        # Far away: a test that needs the timer runs it by hand.
        "TICK_SCHEDULE": "0 0 0 1 1 *",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        **more,
    }


@contextmanager
def run_app(
    storage: str, box: Sandbox, folder: Path, *, debug: bool = False, **settings: str
) -> Iterator[RunningApp]:
    """The app as a process, for the length of a `with` block."""
    app = start_app(
        settings_for(storage, box, **settings),
        app_dir=fast_polling_app(folder / "app", debug=debug),
        log=folder / "app.log",
    )
    with running(app):
        yield RunningApp(storage, app, box)
