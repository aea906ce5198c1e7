"""`make bench`: profiles a second, memory and calls, for 50,000 and 1,000,000 profiles.

The sandbox takes 100 ms a call and 5 ms a member, so that ten connections allow
500 x 10 / 2.6 s = 1,923 profiles a second: the bound. SIZES sets other sizes. The results, in
`bench/results.md`, are of whole runs: planning, checks, comparison, outcomes and report.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.environment import Environment, environment, peak_memory_mb
from bench.official import send_all
from devhost.api_client import ApiClient
from sandbox import samples, upload

CALL_MS, MEMBER_MS, CONNECTIONS, CALL = 100.0, 5.0, 10, 500
MAILCHIMP = ("--call-ms", str(CALL_MS), "--member-ms", str(MEMBER_MS), "--read-ms", "100")
BOUND = CALL * CONNECTIONS / ((CALL_MS + MEMBER_MS * CALL) / 1000)
RESULTS = Path(__file__).parent / "results.md"


@dataclass(frozen=True)
class Row:
    """One measured run."""

    what: str
    people: int
    seconds: float
    sending: float
    writes: int
    reads: int
    peak_mb: float


def main() -> int:
    """Measure and write the results."""
    sizes = [int(size) for size in os.environ.get("SIZES", "50000,1000000").split(",")]
    rows: list[Row] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rows += _measure(size, Path(folder))
        _write(rows)
    print(RESULTS.read_text())
    return 0


def _measure(size: int, folder: Path) -> list[Row]:
    options = (*MAILCHIMP, "--audience", "Export", "--audience", "Official client")
    with environment(folder, options) as here:
        sample = samples.Sample(size, (samples.Segment("Everybody", 1.0),), seed=7)
        _put(sample, folder / "first", here, datetime.now(UTC))
        connection = here.api.connect(here.sandbox["apiKey"])
        export = here.api.define(
            displayName="Bench",
            connectionId=connection["id"],
            audienceId=here.sandbox["audiences"]["Export"],
            mapping={
                "email": "EMail",
                "firstName": "FirstName",
                "lastName": "LastName",
                "attributes": [
                    {
                        "attribute": "RewardPoints",
                        "mergeField": "POINTS",
                        "create": {"name": "Reward points", "type": "number"},
                    }
                ],
            },
            segments=[{"name": "Everybody"}],
        )
        rows = [_run(f"first run, {size:,} people", here, export["id"])]
        rows.append(_run("second run, nothing changed", here, export["id"]))
        changed = sample.later(changed=0.01)
        _put(changed, folder / "later", here, datetime.now(UTC) + timedelta(hours=1))
        rows.append(_run("third run, 1 % changed", here, export["id"]))
        if size <= int(os.environ.get("OFFICIAL", "50000")):
            seconds = send_all(
                here.sandbox["url"],
                here.sandbox["apiKey"],
                here.sandbox["audiences"]["Official client"],
                sample,
            )
            rows.append(
                Row(
                    "Mailchimp's client, 10 threads", size, seconds, seconds, -(-size // CALL), 0, 0
                )
            )
        return rows


def _put(sample: samples.Sample, folder: Path, here: Environment, when: datetime) -> None:
    started = time.monotonic()
    samples.write(sample, folder, when, partitions=4)
    upload.upload(folder, here.azurite.connection_string, "segments")
    _say(f"{sample.people:,} people written in {time.monotonic() - started:.1f} s")


def _run(what: str, here: Environment, export_id: str) -> Row:
    run = _to_the_end(here.api, export_id)
    queued, finished = (datetime.fromisoformat(run[key]) for key in ("queuedAt", "finishedAt"))
    sent = run["progress"]["profilesDone"]
    if run["status"] not in ("successful", "completedWithWarnings"):
        message = f"{what}: {run['status']} {run['reason']}"
        raise RuntimeError(message)
    row = Row(
        what,
        sent,
        (finished - queued).total_seconds(),
        0.0,
        run["calls"]["write"],
        run["calls"]["read"],
        peak_memory_mb(here.app.pid),
    )
    _say(f"{row}")
    return row


def _to_the_end(api: ApiClient, export_id: str) -> dict[str, Any]:
    run: dict[str, Any] = {}
    last = 0.0
    for run in api.watch(api.start(export_id)["id"], every=2.0):
        if time.monotonic() - last > 15:
            last = time.monotonic()
            _say(f"  {run['status']} {run['progress']}")
    return run


def _write(rows: list[Row]) -> None:
    lines = [
        "# Results",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `make bench`: {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, everything (Azurite, "
        "sandbox Mailchimp, app) on one machine.",
        f"The sandbox takes {CALL_MS:.0f} ms a call + {MEMBER_MS:.0f} ms a member, 10 connections: "
        f"the bound is {BOUND:,.0f} profiles/s. Time is from the request to the closed run.",
        "",
        "| run | profiles sent | seconds | profiles/s | of the bound | write calls | read calls "
        "| peak memory of the app |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        rate = row.people / row.seconds
        many = row.people >= 20 * CALL
        lines.append(
            f"| {row.what} | {row.people:,} | {row.seconds:,.1f} | "
            f"{f'{rate:,.0f}' if many else ''} | {f'{rate / BOUND:.1%}' if many else ''} | "
            f"{row.writes:,} | {row.reads:,} | {f'{row.peak_mb:,.0f} MB' if row.peak_mb else ''} |"
        )
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
