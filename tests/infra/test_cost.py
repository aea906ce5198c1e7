"""The cost page multiplies and adds correctly, from the assumptions that it states."""

from __future__ import annotations

import re
from typing import Any

from infra.check import code
from infra.check.deployment import Deployment
from infra.check.project import ROOT

PAGE = (ROOT / "docs/cost.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    section = PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def number(cell: str) -> float:
    return float(cell.replace(",", "").strip("*"))


def test_every_product_and_the_sums_are_right() -> None:
    sums = [0.0, 0.0, 0.0]
    *items, total = rows("The bill")
    assert len(items) == 10
    for _, *cells in items:
        *quantities, free, price, per, _, _, _ = map(number, cells)
        for place, quantity in enumerate(quantities):
            dollars = round(max(0.0, quantity - free) * price / per, 2)
            assert dollars == number(cells[6 + place]), cells
            sums[place] += dollars
    assert [round(one, 2) for one in sums] == [number(cell) for cell in total[-3:]]


def test_the_compute_time_follows_from_the_seconds() -> None:
    seconds = [row for row in rows("What is assumed") if "seconds per day" in row[0]]
    assert len(seconds) == 6
    for place in range(3):
        per_day = sum(number(row[1 + place]) for row in seconds)
        assert per_day * 2 * 30 == number(rows("The bill")[0][1 + place])


def test_the_duration_of_sending_follows_from_the_calls() -> None:
    assumed = {row[0]: row for row in rows("What is assumed")}
    for place, people in enumerate((10_000, 100_000, 1_000_000), start=1):
        changed = number(assumed["people who changed, per day"][place])
        calls = number(assumed["calls to Mailchimp, per day"][place])
        assert changed == people * 0.02
        assert calls == -(-changed // 500)
        assert number(assumed["sending, seconds per day"][place]) == -(-calls // 10) * 5


def test_the_options_and_limits_are_correct() -> None:
    assert [number(row[1]) for row in rows("Options")] == [
        5 * 7.30 + 4 * 0.50,
        round(2 * 2_628_000 * 0.000004, 2),
        round(20 * 2 * 2_628_000 * 0.000004 + 16 * 2 * 2_628_000 * 0.004 / 10_000, 2),
    ]
    assert f"{40 * 2 * 86_400 * 0.000026:.2f} dollars" in PAGE
    assert f"{(30 - 5) * 2.30:.2f} dollars" in PAGE


def test_zone_redundancy_costs_two_warm_instances_of_each_function() -> None:
    """Azure scales all functions with an HTTP trigger together, and each other one separately."""
    triggers = [
        next(one["type"] for one in bindings if one["type"].endswith("Trigger"))
        for bindings in code.read().functions.values()
    ]
    others = [one for one in triggers if one != "httpTrigger"]
    reads = 2 * triggers.count("queueTrigger") * 2 * 2_628_000
    assert f"{2 * (1 + len(others))} warm instances x 21.02 + {reads:,} reads" in PAGE
    assert "each of\nthe other nine functions" in PAGE
    assert len(others) == 9


def test_counted_files_match_the_deployed_package(
    deployments: dict[str, Deployment], template: dict[str, Any]
) -> None:
    private = deployments["private"]
    endpoints = private.of("Microsoft.Network/privateEndpoints")
    zones = private.of("Microsoft.Network/privateDnsZones")
    assert f"{len(endpoints)} endpoints x 7.30 + {len(zones)} zones x 0.50" in PAGE
    alerts = private.of("Microsoft.Insights/scheduledQueryRules")
    assert {number(cell) for cell in rows("The bill")[7][1:4]} == {len(alerts)}
    parameters = template["parameters"]
    assert parameters["instanceMemoryMB"]["defaultValue"] == 2048
    assert parameters["alwaysReadyHttpInstances"]["defaultValue"] == 0
    assert re.search(r"one in five minutes", PAGE)
    assert parameters["tickSchedule"]["defaultValue"] == "0 */5 * * * *"
