"""`make bench`: time, processor time and memory of whole runs, beside a bare script.

`BENCH_N` sets the number of people (50,000 by default; 1000000 is the large measurement). The sandbox
takes 100 ms a call and 5 ms a member from the arrival of the call on, so that ten connections allow
500 x 10 / 2.6 s = 1,923 profiles a second: the bound. The results are of whole runs: planning, checks,
comparison, outcomes and report.
Processor time and memory are those of the app's process alone, with the local Functions host in it, and
those of the script's process.
The run "1 % changed, 1 % gone" begins with the event of the refresh's last file, as Event Grid sends it. How long it
takes from that event to the last person in Mailchimp is printed as well.
`bench/results.md` keeps the newest results of each number of people.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.environment import (
    Environment,
    cpu_seconds,
    environment,
    forget_peak,
    peak_memory_mb,
)
from bench.official import run_script
from devhost.api_client import ApiClient
from devhost.events import BlobEvents, Watch
from sandbox import samples, upload

CALL_MS, MEMBER_MS, CONNECTIONS, CALL = 100.0, 5.0, 10, 500
MAILCHIMP = ("--call-ms", str(CALL_MS), "--member-ms", str(MEMBER_MS), "--read-ms", "100")
BOUND = CALL * CONNECTIONS / ((CALL_MS + MEMBER_MS * CALL) / 1000)
FEW = 1_000
# The audiences of the runs beside the large one: how long such a run waits for a connection depends on chance.
BESIDE = ("Few beside 1", "Few beside 2", "Few beside 3")
SCRIPT = "bare script, Mailchimp's client, 10 threads"
RESULTS = Path(__file__).parent / "results.md"
CONTAINER = "segments"
# Seconds until the event of a refresh must have started a run.
_LONGEST_REFRESH = 300.0
_IDLE_SECONDS = 15.0
# The routes of calls that change contacts.
WRITES = ("POST /lists/{list_id}", "POST /lists/{list_id}/segments/{segment_id}")


@dataclass(frozen=True)
class Row:
    """One measured run. `cpu` and `peak_mb` are of the app, or of the script."""

    what: str
    people: int
    seconds: float
    writes: int
    reads: int
    cpu: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Refresh:
    """Seconds from the event of the last file: to the start of the run, to the answer of the last call that changed
    contacts, by the clock of the sandbox, and to the closed run."""

    started: float
    last_write: float
    closed: float


def main() -> int:
    """Measure and write the results."""
    size = int(os.environ.get("BENCH_N", "50000"))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        section = _section(size, *_measure(size, Path(folder)))
    before = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(page_with(section, before), encoding="utf-8")
    print(RESULTS.read_text())
    return 0


def _measure(size: int, folder: Path) -> tuple[list[Row], Refresh, float]:
    """The measured runs, the refresh, and the processor time that the idle app takes in a second."""
    names = ("Export", "Official client", "Few alone", *BESIDE)
    options = (*MAILCHIMP, *(part for name in names for part in ("--audience", name)))
    with environment(folder, options) as here:
        segments = (samples.Segment("All", 1.0), samples.Segment("Few", min(1.0, FEW / size)))
        sample = samples.Sample(size, segments, seed=7)
        _put(sample, folder / "first", here, datetime.now(UTC))
        # Before the app has an audience: after a run it reads the statuses of its contacts, and a call of the
        # script over an eleventh connection would be refused.
        script = run_script(
            here.sandbox["url"],
            here.sandbox["apiKey"],
            here.sandbox["audiences"]["Official client"],
            sample,
        )
        calls = -(-size // CALL)
        rows = [Row(SCRIPT, size, script.seconds, calls, 0, script.cpu, script.peak_mb)]
        _say(f"{rows[0]}")
        connection = here.api.connect(here.sandbox["apiKey"])["id"]
        export = _define(
            here, connection, "Export", "All", {"enabled": True, "repeat": "everyRefresh"}
        )
        idle = _idle_cpu(here)
        rows.append(_run(f"first run, {size:,} people", here, export))
        rows.append(_run("unchanged", here, export))
        later = sample.later(changed=0.01, leaving=size // 100)
        _put(later, folder / "later", here, datetime.now(UTC) + timedelta(hours=1))
        row, refresh = _refreshed("1 % changed, 1 % gone", here, export)
        rows.append(row)
        rows.append(
            _run("a few people, alone", here, _define(here, connection, "Few alone", "Few"))
        )
        rows.append(_beside(here, connection, export, size))
        # The large run is given up with the environment.
        return rows, refresh, idle


def _beside(here: Environment, connection: str, large_export: str, size: int) -> Row:
    """The run of a few people that has the median time of those that run beside a large one, one after the other."""
    few = [_define(here, connection, name, "Few") for name in BESIDE]
    large = here.api.start(large_export, mode="full")["id"]
    for run in here.api.watch(large, every=1.0):
        if run["status"] == "sending":
            break
    rows = []
    for export in few:
        run_id = here.api.start(export)["id"]
        what = f"a few people, beside a run of {size:,}"
        rows.append(_ended(what, here, run_id, None))
    if here.api.get(f"/api/runs/{large}")["status"] != "sending":
        # With few people the large run may end before the others.
        rows = rows[:1]
    median = sorted(rows, key=lambda row: row.seconds)[len(rows) // 2]
    return replace(median, what=f"{median.what} (median of {len(rows)})")


def _idle_cpu(here: Environment) -> float:
    """Processor seconds that the app takes in a second in which nothing runs."""
    before = cpu_seconds(here.app.pid)
    time.sleep(_IDLE_SECONDS)
    return (cpu_seconds(here.app.pid) - before) / _IDLE_SECONDS


def _define(
    here: Environment,
    connection: str,
    audience: str,
    segment: str,
    schedule: dict[str, Any] | None = None,
) -> str:
    """Create an export of a segment to an audience; returns its id."""
    points = {
        "attribute": "RewardPoints",
        "mergeField": "POINTS",
        "create": {"name": "Reward points", "type": "number"},
    }
    made = here.api.define(
        displayName=audience,
        connectionId=connection,
        audienceId=here.sandbox["audiences"][audience],
        mapping={
            "email": "EMail",
            "firstName": "FirstName",
            "lastName": "LastName",
            "attributes": [points],
        },
        segments=[{"name": segment}],
        schedule=schedule or {"enabled": False},
    )
    return str(made["id"])


def _put(sample: samples.Sample, folder: Path, here: Environment, when: datetime) -> None:
    started = time.monotonic()
    samples.write(sample, folder, when, partitions=10)
    upload.upload(folder, here.azurite.connection_string, CONTAINER)
    _say(f"{sample.people:,} people written in {time.monotonic() - started:.1f} s")


def _run(what: str, here: Environment, export_id: str) -> Row:
    before = cpu_seconds(here.app.pid)
    forget_peak(here.app.pid)
    return _ended(what, here, here.api.start(export_id)["id"], before)


def _refreshed(what: str, here: Environment, export_id: str) -> tuple[Row, Refresh]:
    """Announce the `model.json` that was written last, and wait for the end of the run that this starts."""
    before = cpu_seconds(here.app.pid)
    forget_peak(here.app.pid)
    known = _newest_run(here, export_id)
    storage = here.azurite.connection_string
    announced_at = time.time()
    BlobEvents(Watch(storage, CONTAINER, "", storage)).look()
    while (run_id := _newest_run(here, export_id)) == known:
        if time.time() - announced_at > _LONGEST_REFRESH:
            message = "the event started no run"
            raise RuntimeError(message)
        time.sleep(1.0)
    row = _ended(what, here, run_id, before)
    run = here.api.get(f"/api/runs/{run_id}")
    queued, closed = (
        datetime.fromisoformat(run[key]).timestamp() - announced_at
        for key in ("queuedAt", "finishedAt")
    )
    last_end = here.calls()["lastEnd"]
    last_write = max(last_end.get(route, 0.0) for route in WRITES) - announced_at
    refresh = Refresh(queued, last_write, closed)
    _say(f"{refresh}")
    return row, refresh


def _newest_run(here: Environment, export_id: str) -> str:
    newest = here.api.get(f"/api/runs?exportId={export_id}&top=1")["value"]
    return str(newest[0]["id"])


def _ended(what: str, here: Environment, run_id: str, cpu_before: float | None) -> Row:
    run = _to_the_end(here.api, run_id)
    queued, finished = (datetime.fromisoformat(run[key]) for key in ("queuedAt", "finishedAt"))
    if run["status"] not in ("successful", "completedWithWarnings"):
        message = f"{what}: {run['status']} {run['reason']}"
        raise RuntimeError(message)
    row = Row(
        what,
        run["progress"]["profilesDone"],
        (finished - queued).total_seconds(),
        run["calls"]["write"],
        run["calls"]["read"],
        # While two runs share the app, its time cannot be divided.
        cpu_seconds(here.app.pid) - cpu_before if cpu_before is not None else 0.0,
        peak_memory_mb(here.app.pid),
    )
    _say(f"{row}")
    return row


def _to_the_end(api: ApiClient, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = {}
    last = 0.0
    for run in api.watch(run_id, every=2.0):
        if time.monotonic() - last > 15:
            last = time.monotonic()
            _say(f"  {run['status']} {run['progress']}")
    return run


_INTRODUCTION = f"""# Results

The results of `BENCH_N=<people> make bench`. The sandbox takes {CALL_MS:.0f} ms a call + {MEMBER_MS:.0f} ms a member, \
from the arrival of the call on, over {CONNECTIONS} connections: the bound is {BOUND:,.0f} profiles/s. Everything \
(Azurite, sandbox Mailchimp, app) runs on one machine. If its load is above its number of cores, other programs share it, and all times are too long. Time is from \
the request to the closed run; a line below the table has the time from the event of a refresh. Processor time and peak memory are those of the app's process, which includes the local \
Functions host, and of the script's process while it sends. The script has all people in memory when it begins.
"""


def page_with(section: str, page: str) -> str:
    """The page with a new section, which replaces the one with the same heading; smaller runs first."""
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    heading = section.partition("\n")[0]
    sections[heading] = section
    in_order = sorted(sections, key=lambda name: int(name.split(" ")[0].replace(",", "")))
    return "\n## ".join([_INTRODUCTION, *(sections[name].rstrip("\n") + "\n" for name in in_order)])


def _section(size: int, rows: list[Row], refresh: Refresh, idle: float) -> str:
    script = next(row.seconds for row in rows if row.what == SCRIPT)
    lines = [
        f"{size:,} people",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}; the load at the end was "
        f"{os.getloadavg()[1]:.1f}.",
        "",
        "| run | sent | seconds | of the bound | x the script | CPU s | CPU us a person "
        "| writes | reads | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        many = row.people >= size // 2
        share = f"{row.people / row.seconds / BOUND:.1%}" if many else ""
        ratio = f"{script / row.seconds:.2f}" if many else ""
        cpu = f"{row.cpu:,.1f}" if row.cpu else ""
        each = f"{row.cpu / row.people * 1e6:,.0f}" if row.cpu and many else ""
        memory = f"{row.peak_mb:,.0f} MB" if row.peak_mb else ""
        lines.append(
            f"| {row.what} | {row.people:,} | {row.seconds:,.1f} | {share} | {ratio} | {cpu} | {each} "
            f"| {row.writes:,} | {row.reads:,} | {memory} |"
        )
    first = next(row for row in rows if row.what.startswith("first run"))
    lines += ["", _about_host(first, idle), "", _about(refresh)]
    return "\n".join(lines) + "\n"


def _about_host(first: Row, idle: float) -> str:
    polling = idle * first.seconds
    return (
        f"The local host polls its eight queues twice a second, which takes {1000 * idle:.0f} ms of processor time a "
        f"second even when nothing runs: {polling:.1f} s of the first run. In Azure, the host is another process. "
        f"Without it, the first run took {(first.cpu - polling) / first.people * 1e6:,.0f} us a person."
    )


def _about(refresh: Refresh) -> str:
    return (
        f"1 % changed, 1 % gone: {refresh.last_write:.1f} s from the event of the last file to the last person in "
        f"Mailchimp, {refresh.closed:.1f} s to the closed run. The run starts {refresh.started:.1f} s after the event, "
        "and sends nothing until the files have not changed for 10 seconds "
        "([record 94](../docs/decisions/0094-planning-while-files-settle.md))."
    )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
