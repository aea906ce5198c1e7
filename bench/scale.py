"""`python -m bench.scale`: from 10,000 people to 100 million, from one Mailchimp account to 1,000.

A simulation, not a measurement: the app's steps with their measured times, and the platform's rules for queues and
instances, in simulated time. Without options it prints the tables of docs/scale.md (one to four
minutes), with `--write` it writes them there; with `--people` and `--accounts` it simulates one case.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bench.simulation.account import Mailchimp
from bench.simulation.platform import ROOT, Hosting
from bench.simulation.scenario import NOTHING, Day, Scenario, bill, month, simulate

PAGE = ROOT / "docs/scale.md"
PEOPLE = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
ACCOUNTS = (1, 10, 100, 1_000)

_HEAD = (
    "people", "accounts", "runs", "calls", "until all are over", "instances", "executions",
    "longest wait", "failed",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print, and write with --write; returns 0."""
    options = _options(arguments)
    if options.people:
        _say(_table(_HEAD, [_row(case, simulate(case)) for case in [_case(options)]]))
        return 0
    tables = {
        "daily": _grid(0.02, options.seed),
        "first": _grid(1.0, options.seed),
        "storage": storage(),
        "variants": _variants(options.seed),
    }
    for name, table in tables.items():
        _say(f"\n{name}\n{table}")
    if options.write:
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    return 0


def put(page: str, tables: dict[str, str]) -> str:
    """The page with the tables between their markers. ValueError when a marker is missing."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            message = f"the page has no markers for the table {name}"
            raise ValueError(message)
        page = f"{before}{begin}\n{table}\n\n{end}{after}"
    return page


def daily(case: Scenario) -> list[str]:
    """A row of the first table."""
    day = simulate(case)
    return [*_row(case, day), f"{bill(month(case, day)):,.2f}"]


def storage() -> str:
    """The storage for numbers of people, and its cost for a month."""
    rows = []
    for people in PEOPLE:
        items = {k: v for k, v in month(Scenario(people, 1), NOTHING).items() if "storage" in k}
        rows.append([f"{people:,}", *(f"{v:,.2f}" for v in items.values()), f"{bill(items):,.2f}"])
    return _table(("people", "landing, GB", "state, GB", "$ a month"), rows)


def _grid(changed: float, seed: int) -> str:
    cases = [
        Scenario(people, accounts, changed, seed=seed) for people in PEOPLE for accounts in ACCOUNTS
    ]
    if changed < 1:
        return _table((*_HEAD, "$ a month"), map(daily, cases))
    return _table(_HEAD, (_row(case, simulate(case)) for case in cases))


def _variants(seed: int) -> str:
    usual = Scenario(10_000_000, 100, 1.0, seed=seed)
    hosting, mailchimp = usual.hosting, usual.mailchimp
    crowded = Scenario(30_000_000, 1, 0.02, seed=seed)
    many = Scenario(100_000_000, 1_000, 1.0, seed=seed)
    cases = [
        ("10 million in 100 accounts, all people", usual),
        ("calls of 2.6 s instead of 5", replace(usual, mailchimp=Mailchimp(write_seconds=2.6))),
        ("calls of 20 s", replace(usual, mailchimp=Mailchimp(write_seconds=20.0))),
        ("4 connections instead of 10", replace(usual, mailchimp=Mailchimp(connections=4))),
        ("1 call in 50 throttled", replace(usual, mailchimp=Mailchimp(throttled=0.02))),
        (
            "every instance dies after 10 minutes on average",
            replace(usual, hosting=replace(hosting, lifetime=600.0)),
        ),
        (
            "the same, and calls of 60 s",
            replace(
                usual,
                hosting=replace(hosting, lifetime=600.0),
                mailchimp=Mailchimp(write_seconds=60.0),
            ),
        ),
        ("1 instance a function", replace(usual, hosting=replace(hosting, most_instances=1))),
        ("100 million in 1,000 accounts, all people", many),
        (
            "with 120 instances a function",
            replace(many, hosting=replace(many.hosting, most_instances=120)),
        ),
        ("30 million in one account, 2 in a hundred", crowded),
        (
            "throttled once in 50 calls",
            replace(crowded, mailchimp=replace(mailchimp, throttled=0.02)),
        ),
    ]
    head = (
        "case", "until all are over", "instances", "longest wait", "messages given up",
        "chunks sent twice", "most connections", "failed",
    )  # fmt: skip
    rows = []
    for name, case in cases:
        day = simulate(case)
        rows.append(
            [
                name,
                _time(day.seconds),
                f"{day.instances}",
                _time(day.wait),
                f"{day.given_up}",
                f"{day.doubled}",
                f"{day.connections}",
                f"{day.failed}",
            ]
        )
    return _table(head, rows)


def _row(case: Scenario, day: Day) -> list[str]:
    return [
        f"{case.people:,}",
        f"{case.accounts:,}",
        f"{day.runs:,}",
        f"{day.calls:,}",
        _time(day.seconds),
        f"{day.instances}",
        f"{day.executions:,}",
        _time(day.wait),
        f"{day.failed}",
    ]


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield f"| {' | '.join(head)} |"
        yield f"| {' | '.join('---:' if index else '---' for index in range(len(head)))} |"
        for row in rows:
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())


def _case(options: argparse.Namespace) -> Scenario:
    hosting = Hosting.of_project()
    if options.instances:
        hosting = replace(hosting, most_instances=options.instances)
    if options.lifetime:
        hosting = replace(hosting, lifetime=options.lifetime)
    mailchimp = Mailchimp(
        write_seconds=options.call_seconds,
        throttled=options.throttled,
        connections=options.connections,
    )
    return Scenario(
        options.people, options.accounts, options.changed, hosting, mailchimp, seed=options.seed
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--people", type=int, help="people over all accounts: one case only")
    parser.add_argument("--accounts", type=int, default=1, help="Mailchimp accounts (1)")
    parser.add_argument("--changed", type=float, default=0.02, help="share that is sent (0.02)")
    parser.add_argument("--call-seconds", type=float, default=5.0, help="a call of 500 (5)")
    parser.add_argument("--connections", type=int, default=10, help="of one account (10)")
    parser.add_argument("--throttled", type=float, default=0.0, help="share of calls (0)")
    parser.add_argument("--instances", type=int, help="most instances of a function")
    parser.add_argument("--lifetime", type=float, help="seconds until an instance dies (never)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another day (1)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
