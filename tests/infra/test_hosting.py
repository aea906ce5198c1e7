"""host.json agrees with the connection limit and with the infrastructure."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.check import hosting, project

ROOT = Path(__file__).parents[2]
FILES = project.read_files(ROOT)
TEMPLATES = project.templates_of(FILES)
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
ARITHMETIC = ROOT / "docs/decisions/0031-how-much-at-once.md"


def with_queues(**numbers: object) -> dict[str, Any]:
    host = copy.deepcopy(HOST)
    host["extensions"]["queues"].update(numbers)
    return host


def test_the_numbers_agree() -> None:
    assert hosting.check(HOST, TEMPLATES) == []


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (with_queues(batchSize=2, newBatchThreshold=0), "one instance can use every connection"),
        (with_queues(batchSize=32, newBatchThreshold=16), "there is a thread for every message"),
        (with_queues(messageEncoding="none"), "Event Grid writes base64"),
        (with_queues(visibilityTimeout="00:00:00"), "a failed message waits before its next try"),
        (with_queues(maxDequeueCount=1), "a message is tried at least 3 times"),
        ({**HOST, "functionTimeout": "00:02:00"}, "a given-up call fits twice into a turn"),
        ({**HOST, "functionTimeout": "02:00:00"}, "a turn ends within 30 minutes"),
    ],
)
def test_a_planted_number_is_found(host: dict[str, Any], said: str) -> None:
    assert said in [fault.message for fault in hosting.check(host, TEMPLATES)]


def test_more_connections_than_mailchimp_allows_are_found() -> None:
    text = FILES[project.MAIN].replace(
        "mailchimpConnections int = 10", "mailchimpConnections int = 20"
    )
    planted = project.templates_of(FILES | {project.MAIN: text})
    said = [fault.message for fault in hosting.check(HOST, planted)]
    assert "mailchimpConnections is at most 10" in said


def test_sampled_events_are_found() -> None:
    host = copy.deepcopy(HOST)
    host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"] = "Request"
    assert hosting.check(host, TEMPLATES)


def test_the_arithmetic_written_down_uses_the_real_numbers() -> None:
    text = ARITHMETIC.read_text(encoding="utf-8")
    queues = HOST["extensions"]["queues"]
    instances = TEMPLATES[project.MAIN].parameters["maximumInstanceCount"].default
    assert isinstance(instances, int)
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    assert f"{queues['batchSize']} + {queues['newBatchThreshold']} = {at_once}" in text
    assert f"{instances} x {at_once} = {instances * at_once}" in text
    patience = hosting.seconds(queues["visibilityTimeout"]) * queues["maxDequeueCount"]
    assert f"= {patience} s" in text
    assert re.search(rf"functionTimeout[^\n]*{HOST['functionTimeout']}", text)
