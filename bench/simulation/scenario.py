"""One day of so many people and accounts: simulated, counted, and priced as docs/cost.md prices.

Every account has as many exports as it needs, each of at most `MAX_PROFILES` people; all of them
are due at the same moment, which is the worst that a schedule can ask for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from bench.simulation.account import Mailchimp
from bench.simulation.platform import ROOT, Hosting
from bench.simulation.run import Costs, State
from bench.simulation.world import World
from shared.settings import load

DAYS = 30
GB = 2.0
"""Memory of an instance (`instanceMemoryMB`), as docs/cost.md counts it."""

# What is there whatever is exported: ticks and pages, in seconds a day (docs/cost.md).
TICKS = 288
ALWAYS_SECONDS = TICKS + 600
ALWAYS_EXECUTIONS = 15_000
ALWAYS_READS = 2_000_000
LANDING_BYTES_PER_PERSON = 300
STATE_GB_PER_MILLION = 1.0
READS_PER_EXECUTION = 6
READS_PER_CHUNK = 9
# Reading the changed contacts of an audience, with the storage requests of one sweep that finds none. Lists of blobs cost as
# much as writes.
SWEEPS = 96
SECONDS_PER_SWEEP = 5
READS_PER_SWEEP = 21
LISTS_PER_SWEEP = 2
_LONGEST = 60 * 86_400


@dataclass(frozen=True)
class Scenario:
    """How many people in how many accounts, and which share of them is sent."""

    people: int
    accounts: int
    changed: float = 0.02
    hosting: Hosting = field(default_factory=Hosting.of_project)
    mailchimp: Mailchimp = field(default_factory=Mailchimp)
    seed: int = 1

    @property
    def exports(self) -> int:
        """The number of exports: at least one for each account, and none above the limit of people."""
        return self.accounts * max(1, -(-self.people // (self.accounts * most_profiles())))


@dataclass(frozen=True)
class Day:
    """The result of all runs. Times are in seconds; `wait` is the longest time that a message was due."""

    runs: int
    failed: int
    chunks: int
    calls: int
    seconds: float
    planned: float
    executions: int
    instances: int
    active_seconds: float
    wait: float
    given_up: int
    doubled: int
    connections: int


NOTHING = Day(0, 0, 0, 0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0, 0, 0)
"""A day on which nothing runs."""


@dataclass(frozen=True)
class Price:
    """What an item costs: so many are free, then so many dollars for each `per`."""

    free: float
    dollars: float
    per: float


@cache
def most_profiles() -> int:
    """The app's own limit of people in a run."""
    return load({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).max_profiles


def simulate(scenario: Scenario) -> Day:
    """Let every export of a scenario run once. TimeoutError after two simulated months."""
    world = World(scenario.hosting, scenario.mailchimp, Costs(), scenario.seed)
    accounts = [world.account() for _ in range(scenario.accounts)]
    exports = scenario.exports
    for number in range(exports):
        people = scenario.people * (number + 1) // exports - scenario.people * number // exports
        world.add(accounts[number % scenario.accounts], people, round(people * scenario.changed))
    if not world.go(_LONGEST):
        message = f"{world.open} runs are not over after {_LONGEST:,.0f} simulated seconds"
        raise TimeoutError(message)
    both = (world.plans, world.lanes)
    return Day(
        runs=len(world.runs),
        failed=sum(run.state is State.FAILED for run in world.runs),
        chunks=sum(run.done for run in world.runs),
        calls=sum(account.calls for account in world.accounts),
        seconds=world.clock.now,
        planned=max((run.planned for run in world.runs), default=0.0),
        executions=sum(function.executions for function in both),
        instances=sum(function.most_instances for function in both),
        active_seconds=sum(function.active_seconds for function in both),
        wait=max(max(function.ages, default=0.0) for function in both),
        given_up=sum(function.poisoned for function in both),
        doubled=sum(run.doubled for run in world.runs),
        connections=max(account.most_connections for account in world.accounts),
    )


@cache
def prices() -> dict[str, Price]:
    """Item -> price, read from the bill in docs/cost.md."""
    page = (ROOT / "docs/cost.md").read_text(encoding="utf-8")
    section = page.split("## The bill\n", 1)[1].split("\n## ", 1)[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 10 and re.fullmatch(r"[\d.,]+", cells[4]):
            free, dollars, per = (float(cell.replace(",", "")) for cell in cells[4:7])
            found[cells[0]] = Price(free, dollars, per)
    return found


def month(scenario: Scenario, day: Day) -> dict[str, float]:
    """Item -> quantity in a month of such days, by the names of the bill. Each account has one audience."""
    # The audiences are due in the same tick, and Azure starts an instance for each batch of messages.
    sweeping = -(-scenario.accounts // scenario.hosting.batch) * SWEEPS * SECONDS_PER_SWEEP
    sweeps = scenario.accounts * SWEEPS
    return {
        "Compute, GB-seconds": (ALWAYS_SECONDS + sweeping + day.active_seconds) * GB * DAYS,
        "Executions": ALWAYS_EXECUTIONS + (sweeps + day.executions) * DAYS,
        "Landing storage, GB": scenario.people * LANDING_BYTES_PER_PERSON * DAYS / 1e9,
        "State storage, GB": scenario.people * STATE_GB_PER_MILLION / 1e6,
        # Landing files, plans, ledgers and outcomes; a line through the three sizes of the bill.
        "Blob writes and lists": 3_000
        + scenario.people * 0.027
        + ((day.runs - 1) * 15 + sweeps * LISTS_PER_SWEEP) * DAYS,
        # Each tick reads when the contacts of an audience were read last.
        "Queue, table and blob reads": ALWAYS_READS
        + (day.executions * READS_PER_EXECUTION + day.chunks * READS_PER_CHUNK) * DAYS
        + (sweeps * READS_PER_SWEEP + scenario.accounts * TICKS) * DAYS,
        "Logs, GB": 0.5 + day.executions * DAYS * 3e-6,
        "Alert rules": 9,
        # Each sweep and each lane reads the grant.
        "Vault operations": 10_000 + (sweeps + day.executions) * DAYS,
        "Events": 300 + day.runs * DAYS,
    }


def bill(quantities: dict[str, float]) -> float:
    """Dollars for such quantities. KeyError when the bill knows no such item."""
    total = 0.0
    for item, quantity in quantities.items():
        price = prices()[item]
        total += max(0.0, quantity - price.free) * price.dollars / price.per
    return total
