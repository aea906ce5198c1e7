"""`python -m bench.processor`: the processor time of a run, step by step, and its storage requests.

The steps run one after the other in this process, with one lane, against Azurite and a sandbox Mailchimp without
delays. So the figures are of the app's own code, and other programs on the machine change them less than they change
the times of `make bench`. `--profile STEP` prints where a step spends its time, `--statements` the SQL statements that use most of it.

For each step, the peak memory of this process and the peak of its temporary disk are printed as well. With `--without-sending`,
no contact is sent, so that runs of ten million people can be planned and finished on one machine (bench/without_sending.py).
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import pstats
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from bench.peaks import Peaks, peaks
from bench.statements import timed_statements
from bench.without_sending import send_no_contacts
from devhost.mailchimp import start_mailchimp
from devhost.processes import start_azurite
from sandbox import samples, upload
from shared.allocator import use_one_arena
from shared.app import App, build
from shared.model.connection import Connection, ConnectionStatus, Consent, Grant, GrantKind
from shared.model.export import (
    AttributeMapping,
    Export,
    FieldToCreate,
    Mapping,
    Schedule,
    SegmentChoice,
)
from shared.model.run import RunStatus
from shared.runtime import Runtime
from shared.settings import load

STEPS = ("plan", "send", "finish")
RUNS = ("first", "unchanged", "changed")
_EXPORT, _CONNECTION = "measured", "sandbox"
_MAPPING = Mapping(
    "EMail",
    "FirstName",
    "LastName",
    (AttributeMapping("RewardPoints", "POINTS", FieldToCreate("Reward points", "number")),),
)


@dataclass(frozen=True)
class Step:
    """What a step of a run used: processor seconds of this process, and requests to storage."""

    name: str
    seconds: float
    requests: Counter[str]
    peaks: Peaks


def main(arguments: list[str] | None = None) -> int:
    """Measure a first and an unchanged run, and print a table; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.processor", description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--profile", choices=STEPS, help="print where this step spends its time")
    parser.add_argument("--statements", type=int, default=0, help="print so many of each step")
    parser.add_argument("--requests", action="store_true", help="print the requests of each step")
    parser.add_argument("--without-sending", action="store_true", help="send no contacts")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS, help="all of them")
    options = parser.parse_args(arguments)
    use_one_arena()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        _temporary_files(Path(name) / "temporary"),
        _app(Path(name), options) as app,
    ):
        sample = samples.Sample(options.people, (samples.Segment("All", 1.0),), seed=7)
        _put(app, sample, Path(name) / "first", datetime.now(UTC))
        _report("first run", _run(app, options), options)
        if "unchanged" in options.runs:
            _report("unchanged", _run(app, options), options)
        if "changed" in options.runs:
            later = sample.later(changed=0.01, leaving=options.people // 100)
            _put(app, later, Path(name) / "later", datetime.now(UTC) + timedelta(hours=1))
            _report("1 % changed, 1 % gone", _run(app, options), options)
    return 0


@contextlib.contextmanager
def _temporary_files(folder: Path) -> Iterator[None]:
    """Let this process have its temporary files in a folder, which is measured."""
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _report(what: str, steps: list[Step], options: argparse.Namespace) -> None:
    total = sum(step.seconds for step in steps)
    print(f"{what}: {total:.2f} s CPU, {total / options.people * 1e6:.0f} us a person")
    for step in steps:
        disk = step.peaks.disk
        print(
            f"  {step.name}: {step.seconds:.2f} s CPU, {step.requests.total()} requests; peaks: "
            f"memory {step.peaks.memory:.0f} MB, disk {disk:,.0f} MB ({disk / options.people * 1e6:.0f} bytes a person)"
        )
        if options.requests:
            print(f"    {dict(step.requests.most_common(12))}")
    sys.stdout.flush()


@contextlib.contextmanager
def _app(folder: Path, options: argparse.Namespace) -> Iterator[App]:
    """An app in this process with an export; Azurite and the sandbox are processes of their own."""
    with contextlib.ExitStack() as stack:
        azurite = start_azurite(folder / "azurite")
        stack.callback(azurite.stop)
        process, sandbox = start_mailchimp(folder, ("--audience", "Measured"))
        stack.callback(process.stop)
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "MAILCHIMP_API_URL": f"{sandbox['url']}/3.0",
            "DEVELOPER_IDENTITY": "Dev <dev@localhost>; Administrator",
            "LOCAL_SECRETS_FILE": str(folder / "secrets"),
            "MAX_PROFILES": str(max(1_000_000, options.people)),
        }
        app = build(load(settings), Runtime(), secrets=_Secrets(sandbox["apiKey"]))
        if options.without_sending:
            send_no_contacts(app.mailchimp)
        now = datetime.now(UTC)
        grant = Grant(GrantKind.API_KEY, "us1", "account", "Sandbox", now, "Dev")
        app.connections.create(
            _CONNECTION,
            Connection(
                _CONNECTION,
                "Mailchimp",
                Consent("Dev", now, "en", "1"),
                status=ConnectionStatus.CONNECTED,
                grant=grant,
            ),
        )
        app.exports.create(
            _EXPORT,
            Export(
                id=_EXPORT,
                display_name="Measured",
                connection_id=_CONNECTION,
                audience_id=sandbox["audiences"]["Measured"],
                mapping=_MAPPING,
                segments=(SegmentChoice("All"),),
                schedule=Schedule(enabled=False),
                max_removal_share=1.0,
            ),
        )
        yield app


class _Secrets:
    """One secret, which is that of the connection."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def get(self, _name: str) -> str | None:
        return self._secret

    def set(self, _name: str, secret: str) -> None:
        self._secret = secret

    def delete(self, _name: str) -> None:
        self._secret = ""


def _put(app: App, sample: samples.Sample, folder: Path, when: datetime) -> None:
    samples.write(sample, folder, when, partitions=10)
    connection = app.settings.storage.connection_string
    upload.upload(folder, connection, app.settings.segments.container)
    shutil.rmtree(folder)


def _run(app: App, options: argparse.Namespace) -> list[Step]:
    """Run the export to its end in this thread."""
    run_id = app.starter.start(_EXPORT).id
    sending: list[Step] = []
    finishing: list[Step] = []
    asked: list[str] = []
    # A lane finishes a run that has nothing left to send; here that is a step of its own.
    object.__setattr__(app.lanes, "finish", asked.append)
    plan = _measured("plan", lambda: app.planner.plan(run_id, None), options)
    run = app.runs.read(run_id)
    while run is not None and run.value.is_active:
        if asked or run.value.status is RunStatus.FINISHING:
            asked.clear()
            finishing.append(_measured("finish", lambda: app.finisher.finish(run_id), options))
        else:
            # A lane ends after some minutes, and another message continues it.
            sending.append(_measured("send", lambda: app.lanes.run(run_id, 0), options))
        run = app.runs.read(run_id)
    if run is not None and not run.value.status.is_completed:
        print(f"  the run ended as {run.value.status}: {run.value.reason}")
    return [plan, _sum("send", sending), _sum("finish", finishing)]


def _sum(name: str, steps: list[Step]) -> Step:
    requests_made = sum((step.requests for step in steps), Counter[str]())
    highest = Peaks(
        max((step.peaks.memory for step in steps), default=0.0),
        max((step.peaks.disk for step in steps), default=0.0),
    )
    return Step(name, sum(step.seconds for step in steps), requests_made, highest)


def _measured(name: str, work: Callable[[], Any], options: argparse.Namespace) -> Step:
    with (
        _counted() as counted,
        peaks(Path(tempfile.gettempdir())) as highest,
        timed_statements() if options.statements else contextlib.nullcontext() as times,
    ):
        began = time.process_time()
        if options.profile == name:
            with cProfile.Profile(time.thread_time) as profiler:
                work()
            seconds = time.process_time() - began
            pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
        else:
            work()
            seconds = time.process_time() - began
    if times is not None and name != "send":
        print(f"  statements of the {name}:")
        times.print(options.statements)
    return Step(name, seconds, counted, highest)


@contextlib.contextmanager
def _counted() -> Iterator[Counter[str]]:
    """Count the requests to storage, by method and the first parts of the path."""
    counted: Counter[str] = Counter()
    send = requests.Session.send

    def sent(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> Any:
        path = urlsplit(request.url or "").path
        if "devstoreaccount1" in path:
            counted[f"{request.method} {'/'.join(path.split('/')[2:4]).partition('(')[0]}"] += 1
        return send(self, request, **more)

    requests.Session.send = sent  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
