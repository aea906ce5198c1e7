"""`python -m bench.consent [people] [unsubscribes]`: figures of the way back from Mailchimp to Customer Insights.

The app runs in this process on Azurite and a sandbox Mailchimp. Measured are the first sweep of an audience, a sweep
without changes, and unsubscribes whose webhooks are lost, doubled, reordered and forged. The sandbox sorts the whole
audience for each page of a first sweep, so above 100,000 people its result is stored instead. Results go to
`bench/consent_<people>.md`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench.environment import peak_memory_mb
from devhost.processes import start_azurite
from sandbox.mailchimp import AudienceView, Sandbox
from shared.app import App, build
from shared.messaging.messages import audience_of
from shared.model.connection import Connection, ConnectionStatus, Consent, Grant, GrantKind
from shared.model.consent import ConsentSweep
from shared.model.export import Export, SegmentChoice
from shared.model.export import Mapping as AttributeMap
from shared.model.ledger import LedgerPointer
from shared.model.names import contacts_folder
from shared.runtime import Runtime
from shared.settings import load
from shared.web.asgi import answer

SITE = "http://127.0.0.1:7071"
LOST, DOUBLED = 0.3, 0.3
MOST_TO_SWEEP = 100_000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class ShiftedClock:
    """The clock of the app and of Mailchimp, which can be moved forward."""

    def __init__(self) -> None:
        self._shift = 0.0

    def forward(self, seconds: float) -> None:
        """Move the clock forward."""
        self._shift += seconds

    def seconds(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._shift

    def now(self) -> datetime:
        """The same as a time in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)


class ListQueue:
    """A queue whose messages the benchmark processes itself. `delay` is that of the newest message."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.delay = 0.0

    def send(self, _queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Append a message."""
        self.delay = delay
        self.bodies.append(json.dumps(dict(message)).encode())


class Measurement:
    """An app with one export that has sent everyone in an audience."""

    def __init__(
        self, app: App, sandbox: Sandbox, clock: ShiftedClock, people: int, folder: Path
    ) -> None:
        self.app = app
        self.clock = clock
        self.sandbox = sandbox
        self.audience: AudienceView = sandbox.audience("Benchmark")
        self.key = f"{sandbox.account.id}/{self.audience.id}"
        self.status: Counter[int] = Counter()
        sandbox.world.webhooks.fetch = self.fetch
        now = clock.now()
        grant = Grant(GrantKind.API_KEY, "us1", sandbox.account.id, "Sandbox", now, "Bench")
        consent = Consent("Bench", now, "en", "1")
        app.secrets.put("mailchimp-c1", sandbox.api_key)
        app.connections.create(
            "c1",
            Connection("c1", "Main", consent, status=ConnectionStatus.CONNECTED, grant=grant),
        )
        segments = (SegmentChoice("All"),)
        export = Export("e1", "All", "c1", self.audience.id, AttributeMap("EMail"), segments)
        app.exports.create("e1", export)
        local = folder / "ledger.parquet"
        with duckdb.connect() as db:
            db.execute(
                "CREATE TABLE ledger AS SELECT format('p{}@example.com', n) AS address, "
                "format('0b7c2f6e-9a51-4d38-8c1d-{:012d}', n) AS customer_id, "
                "NULL::VARCHAR AS refused_code FROM range(?) r(n)",
                [people],
            )
            db.table("ledger").write_parquet(str(local), compression="zstd")
        app.files.upload(local, "ledgers/e1/r1.parquet")
        app.ledgers.create("e1", LedgerPointer("ledgers/e1/r1.parquet", "r1", audience=self.key))
        for number in range(people):
            self.audience.add(f"p{number}@example.com")

    def store_first_sweep(self, people: int, folder: Path) -> None:
        """Store what a sweep of everyone would have stored."""
        local = folder / "statuses.parquet"
        with duckdb.connect() as db:
            db.execute(
                "CREATE TABLE statuses AS SELECT format('p{}@example.com', n) AS address, "
                "'subscribed' AS status, '2026-11-01T08:00:00+00:00' AS since, '' AS reason, '' AS campaign, "
                "0::INTEGER AS generation FROM range(?) r(n)",
                [people],
            )
            db.table("statuses").write_parquet(str(local), compression="zstd")
        blob = f"{contacts_folder(self.key)}first.parquet"
        self.app.files.upload(local, blob)
        self.clock.forward(3600)
        now = self.clock.now()
        since = now.isoformat(timespec="seconds")
        sweep = ConsentSweep(blob, since, since, now, complete=True, stored=people)
        self.app.consent_sweeps.create(self.key, sweep)

    def fetch(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Call the app as Mailchimp does."""
        status = asyncio.run(answer(self.app.web, method, url, headers, body)).status
        self.status[status] += 1
        return status

    def sweep(self) -> tuple[float, int]:
        """Sweep an hour later until everything is read. Returns seconds and calls."""
        self.clock.forward(3600)
        before, began = self.calls(), time.monotonic()
        self.app.consent_updates.request(self.key)
        self.drain()
        return time.monotonic() - began, self.calls() - before

    def drain(self) -> None:
        """Process all messages."""
        queue: Any = self.app.queue
        while queue.bodies:
            self.app.consent_updates.update(audience_of(queue.bodies.pop(0)))

    def calls(self) -> int:
        """The calls to Mailchimp so far."""
        return self.sandbox.calls.by_status.total()

    def table(self) -> dict[str, str]:
        """The published status of each number."""
        (entity,) = json.loads(self.app.outcome_files.read("consent/model.json"))["entities"]
        found = {}
        for partition in entity["partitions"]:
            name = partition["location"].partition("/outcomes/")[2]
            text = self.app.outcome_files.read(name).decode()
            for row in csv.DictReader(io.StringIO(text, newline="")):
                found[str(int(row["CustomerId"][-12:]))] = row["status"]
        return found

    def differences(self) -> int:
        """The number of people whose published status is not Mailchimp's."""
        published = self.table()
        truth = {
            one.email_address.partition("@")[0][1:]: one.status for one in self.audience.each()
        }
        keys = published.keys() | truth.keys()
        return sum(published.get(key) != truth.get(key) for key in keys)


def main() -> int:
    """Measure and write the results."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    unsubscribes = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    results = Path(__file__).parent / f"consent_{people}.md"
    clock = ShiftedClock()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        Sandbox(now=clock.seconds) as sandbox,
    ):
        folder = Path(name)
        azurite = start_azurite(folder / "azurite")
        try:
            queue = ListQueue()
            settings = load(
                {
                    "AzureWebJobsStorage": azurite.connection_string,
                    "MAILCHIMP_API_URL": sandbox.api_url,
                    "DEVELOPER_IDENTITY": "Dev <dev@localhost>; Administrator",
                }
            )
            app = build(settings, Runtime(now=clock.now), queue=queue)
            sandbox.set(hold_webhooks=True)
            measured = Measurement(app, sandbox, clock, people, folder)
            if people > MOST_TO_SWEEP:
                measured.store_first_sweep(people, folder)
            results.write_text(_page(measured, people, unsubscribes), encoding="utf-8")
        finally:
            azurite.stop()
    print(results.read_text(encoding="utf-8"))
    return 0


def _page(measured: Measurement, people: int, unsubscribes: int) -> str:
    first, first_calls = measured.sweep()
    unchanged = [measured.sweep() for _ in range(2)]
    what = "first publication" if people > MOST_TO_SWEEP else "first sweep"
    lines = [
        f"| {what} of {people:,} contacts | {first:.1f} s, {first_calls:,} calls |",
        f"| sweep of the unchanged audience | {unchanged[-1][0]:.1f} s, {unchanged[-1][1]} calls |",
        *_webhooks(measured, people, unsubscribes),
        f"| peak memory, with the sandbox | {peak_memory_mb(os.getpid()):.0f} MB |",
    ]
    return (
        "# The way back to Customer Insights\n\n"
        "Written by `python -m bench.consent`, the sandbox in the same process.\n\n"
        "| | |\n| --- | --- |\n" + "\n".join(lines) + "\n"
    )


def _webhooks(measured: Measurement, people: int, unsubscribes: int) -> list[str]:
    dice = random.Random(1)
    sandbox = measured.sandbox
    sandbox.set(webhook_loss=LOST, webhook_doubled=DOUBLED, webhook_disorder=True)
    for number in dice.sample(range(people), unsubscribes):
        measured.audience.unsubscribe(f"p{number}@example.com")
    before = measured.calls()
    measured.status.clear()
    forged = unsubscribes // 10
    for number in range(forged):
        body = f"type=subscribe&data%5Bemail%5D=p{number}%40example.com".encode()
        token = f"{dice.getrandbits(256):064x}"
        measured.fetch("POST", f"{SITE}/api/mailchimp/webhooks/{token}", body, FORM)
    began = time.monotonic()
    sandbox.deliver_webhooks()
    delivered = time.monotonic() - began
    queue: Any = measured.app.queue
    requested, delay = len(queue.bodies), queue.delay
    began = time.monotonic()
    measured.drain()
    published = time.monotonic() - began
    calls = measured.calls() - before
    wrong = measured.differences()
    swept, _ = measured.sweep()
    counts = sandbox.world.webhooks.counts
    return [
        f"| {unsubscribes:,} unsubscribes: webhooks lost, doubled, forged | {counts['lost']:,}, "
        f"{counts['doubled']:,}, {forged:,} |",
        f"| calls of the app, refused among them | {measured.status.total():,} in {delivered:.1f} s, "
        f"{measured.status[404]:,} |",
        f"| sweeps that they requested | {requested} |",
        f"| in the table after the first call | {delay + published:.1f} s, with a delay of "
        f"{delay:.0f} s; {calls} calls to Mailchimp |",
        f"| people whose status differs from Mailchimp's | {wrong} |",
        f"| after the next sweep ({swept:.1f} s) | {measured.differences()} |",
    ]


if __name__ == "__main__":
    sys.exit(main())
