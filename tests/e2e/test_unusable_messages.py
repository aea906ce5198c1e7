"""Unusable messages in the app's queues are logged and dropped, and block nothing."""

import base64
import json
from contextlib import suppress

import pytest
import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueServiceClient

from tests.e2e.running_app import ExportScenario, actual_audience, expected_audience
from tests.waiting import until

NAMED = "zq-4711@example.org"
UNUSABLE = [
    "not JSON at all, but about " + NAMED,
    json.dumps([1, 2, 3]),
    json.dumps({"v": 1, "run": NAMED}),
    json.dumps({"v": 1, "run": "../../secrets", "lane": -1}),
    json.dumps({"v": 99, "run": "0" * 20, "lane": 0}),
    json.dumps({"v": 1, "run": "0" * 20, "lane": True, "traceparent": NAMED}),
    "[" * 5000,
    json.dumps({"v": 1, "run": "0" * 20, "lane": 0, "more": "x" * 3000}),
]
QUEUES = ("plan-runs", "send-lanes", "blob-events", "consent-sweeps")


def waiting(queues: QueueServiceClient, name: str) -> int:
    """The number of messages in a queue, with hidden ones."""
    try:
        found = queues.get_queue_client(name).get_queue_properties().approximate_message_count
    except ResourceNotFoundError:
        return 0
    return found or 0


@pytest.mark.hosted
def test_unusable_messages_in_all_queues_are_logged_without_their_content_and_dropped(
    scenario: ExportScenario,
) -> None:
    log = scenario.running_app.process.log
    assert log is not None
    before = log.read_text("utf-8", errors="replace")
    with QueueServiceClient.from_connection_string(scenario.running_app.storage) as queues:
        for queue in QUEUES:
            with suppress(ResourceExistsError):
                queues.create_queue(queue)
            for text in UNUSABLE:
                body = base64.b64encode(text.encode()).decode()
                queues.get_queue_client(queue).send_message(body)
        sample = scenario.define_sample(30)
        assert scenario.run()["status"] == "successful"  # no run waits for them
        for queue in QUEUES:
            until(
                lambda queue=queue: (
                    not waiting(queues, queue) and not waiting(queues, f"{queue}-poison")
                ),
                every=0.2,
            )
            assert waiting(queues, f"{queue}-poison-poison") == 0

    logged = log.read_text("utf-8", errors="replace")[len(before) :]
    assert NAMED not in logged
    lines = [line for line in logged.splitlines() if '"message.unusable"' in line]
    # The function of blob-events-poison reads no message, so it logs none as unusable.
    for function in ("plan_run_poison", "send_lane_poison", "consent_sweep_poison"):
        assert any(f'"{function}"' in line for line in lines), function
    assert actual_audience(scenario.audience) == expected_audience(sample)


@pytest.mark.hosted
def test_every_tick_reports_an_undecodable_message_while_it_exists(
    scenario: ExportScenario,
) -> None:
    log = scenario.running_app.process.log
    assert log is not None
    before = len(log.read_text("utf-8", errors="replace"))

    def events() -> list[dict[str, object]]:
        text = log.read_text("utf-8", errors="replace")[before:]
        lines = [line[line.index("{") :] for line in text.splitlines() if '"message.stuck"' in line]
        return [json.loads(line) for line in lines]

    def tick() -> None:
        answer = requests.post(
            f"{scenario.running_app.api.url}/admin/functions/tick", json={}, timeout=100
        )
        assert answer.status_code == 202

    with QueueServiceClient.from_connection_string(scenario.running_app.storage) as queues:
        poison = queues.get_queue_client("send-lanes-poison")
        with suppress(ResourceExistsError):
            poison.create_queue()
        poison.send_message(f"no base64, and about {NAMED}")
        try:
            tick()
            until(lambda: len(events()) == 1, every=0.2)
            tick()
            until(lambda: len(events()) == 2, every=0.2)
        finally:
            poison.clear_messages()
    for event in events():
        assert event["queue"] == "send-lanes-poison"
        assert event["messages"] == 1
    assert NAMED not in log.read_text("utf-8", errors="replace")[before:]
