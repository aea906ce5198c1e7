"""host.json agrees with the connection limit and with the infrastructure."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from infra.check import hosting
from infra.check.project import ROOT

ARITHMETIC = ROOT / "docs/decisions/0031-concurrency.md"


def with_queues(**numbers: object) -> Callable[[dict[str, Any]], None]:
    return lambda host: host["extensions"]["queues"].update(numbers)


def with_timeout(clock: str) -> Callable[[dict[str, Any]], None]:
    return lambda host: host.update(functionTimeout=clock)


def with_sampled(kinds: str) -> Callable[[dict[str, Any]], None]:
    return lambda host: host["logging"]["applicationInsights"]["samplingSettings"].update(
        excludedTypes=kinds
    )


def test_the_numbers_are_consistent(host: dict[str, Any], template: dict[str, Any]) -> None:
    assert list(hosting.check(host, template)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_queues(batchSize=2, newBatchThreshold=0), "one instance can use every connection"),
        (with_queues(batchSize=32, newBatchThreshold=16), "there is a thread for every message"),
        (with_queues(messageEncoding="none"), "Event Grid writes base64"),
        (with_queues(visibilityTimeout="00:00:00"), "a failed message waits before its next try"),
        (with_queues(maxDequeueCount=1), "a message is tried at least 3 times"),
        (with_timeout("00:02:00"), "two calls that are given up fit into one execution"),
        (with_timeout("02:00:00"), "an execution ends within 30 minutes"),
        (with_sampled("Request"), "sampling never drops exceptions, requests or events"),
    ],
)
def test_a_planted_number_is_found(
    host: dict[str, Any],
    template: dict[str, Any],
    change: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    planted = copy.deepcopy(host)
    change(planted)
    assert message in list(hosting.check(planted, template))


def test_more_connections_than_mailchimp_allows_are_found(
    host: dict[str, Any], template: dict[str, Any]
) -> None:
    planted = copy.deepcopy(template)
    planted["parameters"]["mailchimpConnections"]["maxValue"] = 20
    assert "mailchimpConnections is at most 10" in list(hosting.check(host, planted))


def test_the_documented_arithmetic_uses_the_real_numbers(
    host: dict[str, Any], template: dict[str, Any]
) -> None:
    text = ARITHMETIC.read_text(encoding="utf-8")
    queues = host["extensions"]["queues"]
    instances = template["parameters"]["maximumInstanceCount"]["defaultValue"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    assert f"{queues['batchSize']} + {queues['newBatchThreshold']} = {at_once}" in text
    assert f"{instances} x {at_once} = {instances * at_once}" in text
    patience = hosting.seconds(queues["visibilityTimeout"]) * queues["maxDequeueCount"]
    assert f"= {patience} s" in text
    assert re.search(rf"functionTimeout[^\n]*{host['functionTimeout']}", text)
