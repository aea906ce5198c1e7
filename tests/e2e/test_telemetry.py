"""One run with all functions in this process, and everything that it logs and records.

With the level DEBUG and a recording SDK: everything is one trace without personal data.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import inspect
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func
import pytest
from azure.storage.queue import QueueServiceClient
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from devhost.api_client import ApiClient, ApiError
from devhost.processes import ROOT, Azurite
from sandbox import samples
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.upload import upload
from shared.app import App, build
from shared.messaging.messages import LONGEST
from shared.settings import load
from shared.telemetry import Telemetry
from tests.e2e.running_app import MAPPING, settings_for
from tests.logged_events import logged_events
from tests.web.client import run_async

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
WHEN = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
QUEUES = {"plan-runs": "plan_run", "send-lanes": "send_lane"}


class _Answer:
    def __init__(self, response: func.HttpResponse) -> None:
        self.status_code = response.status_code
        self.text = response.get_body().decode()

    def json(self) -> Any:
        return json.loads(self.text)


class Inside(ApiClient):
    """The functions of the app, called as the platform calls them."""

    def __init__(self, app: App, storage: str) -> None:
        super().__init__("http://localhost")
        spec = importlib.util.spec_from_file_location(
            "function_app_inside", ROOT / "function_app.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.connector = lambda: app  # type: ignore[attr-defined]
        self._functions: dict[str, Callable[..., Any]] = {
            one.get_function_name(): one.get_user_function() for one in module.app.get_functions()
        }
        self._queues = QueueServiceClient.from_connection_string(storage)
        self.messages: list[bytes] = []
        self.trace = {"traceparent": CALLER}

    def _invoke(self, name: str, trigger: object) -> Any:
        context = SimpleNamespace(
            function_name=name, trace_context=SimpleNamespace(trace_parent="")
        )
        result = self._functions[name](trigger, context)
        return run_async(result) if inspect.iscoroutine(result) else result

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        request = func.HttpRequest(
            method,
            f"http://localhost{path}",
            headers={"Content-Type": "application/json", **self.trace},
            params={},
            route_params={"path": urlsplit(path).path},
            body=json.dumps(body).encode() if body is not None else b"",
        )
        answer = _Answer(self._invoke("http_api", request))
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, answer.json())
        return answer

    def work(self) -> None:
        """Handle every message that the queues show now."""
        for queue, function in QUEUES.items():
            client = self._queues.get_queue_client(queue)
            for message in client.receive_messages(visibility_timeout=60):
                body = base64.b64decode(message.content)
                self.messages.append(body)
                self._invoke(function, func.QueueMessage(body=body))
                client.delete_message(message)


@pytest.fixture
def own_azurite(separate_storage: Callable[[], Azurite]) -> Azurite:
    """Separate storage, so that no other app receives the messages."""
    return separate_storage()


def test_a_run_is_one_trace_without_personal_data(
    own_azurite: Azurite,
    mailchimp: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="shared")
    storage = own_azurite.connection_string
    flaws = samples.Flaws(missing=0.02, malformed=0.02)
    sample = samples.Sample(1200, (samples.Segment("Traced", 1.0),), seed=77, flaws=flaws)
    samples.write(sample, tmp_path / "segments", WHEN)
    upload(tmp_path / "segments", storage, "segments", "SegmentExport")
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = (
        TracerProvider(shutdown_on_exit=False),
        MeterProvider([reader], shutdown_on_exit=False),
    )
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(lambda n: "ab" * n, lambda: datetime.now(UTC), meters, tracers)
    app = build(load(settings_for(storage, mailchimp)), telemetry=telemetry)
    inside = Inside(app, storage)
    audience = mailchimp.audience("Traced")
    connection = inside.connect(min(mailchimp.account.keys), "Mailchimp")
    export = inside.define(
        displayName="Traced",
        connectionId=connection["id"],
        audienceId=audience.id,
        mapping=MAPPING,
        segments=[{"name": "Traced"}],
        schedule={"enabled": False},
    )
    spans.clear()
    caplog.clear()

    started = inside.start(export["id"])
    inside.trace = {}  # requests that read the run are not part of its trace
    run = started
    for seen in inside.watch(started["id"], every=0.1):
        inside.work()
        run = seen

    assert run["status"] == "completedWithWarnings"
    assert run["counts"]["created"] > 1000
    assert len(audience.members()) == run["counts"]["created"]
    # One trace, in every message, in what the run remembers, in the spans and in the events.
    assert inside.messages
    assert {json.loads(body)["traceparent"].split("-")[1] for body in inside.messages} == {TRACE}
    assert max(map(len, inside.messages)) < LONGEST
    working = [s for s in spans.get_finished_spans() if s.name in ("plan_run", "send_lane")]
    assert {s.name for s in working} == {"plan_run", "send_lane"}
    assert {f"{s.context.trace_id:032x}" for s in working if s.context} == {TRACE}
    events = logged_events(caplog)
    assert {"lane.worked", "run.finished"} <= {event["event"] for event in events}
    assert {event["traceId"] for event in events} == {TRACE}
    assert sum(e["profiles"] for e in events if e["event"] == "lane.worked") == sum(
        run["counts"][name] for name in ("created", "updated", "kept")
    )
    data = reader.get_metrics_data()
    assert data is not None
    measured = data.to_json()
    assert '"export.profiles"' in measured
    # No personal data: no address, name, hash or key.
    recorded = "\n".join(
        [caplog.text, measured, *(span.to_json() for span in spans.get_finished_spans())]
    )
    recorded += b"\n".join(inside.messages).decode()
    for secret in _secrets(sample, mailchimp):
        assert secret.casefold() not in recorded.casefold()
    tracers.shutdown()
    meters.shutdown()


def _secrets(sample: samples.Sample, mailchimp: Sandbox) -> set[str]:
    found = set(mailchimp.account.keys)
    for one in samples.truth(sample):
        found |= {one.address, hashlib.md5(one.address.lower().encode()).hexdigest()}
        found |= {profile.customer_id for profile in one.profiles}
        found |= {profile.full_name for profile in one.profiles if len(profile.full_name) > 6}
    return found
