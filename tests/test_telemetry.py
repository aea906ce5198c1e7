"""Spans and metrics as an SDK of the host receives them, and none without an SDK."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import function_app
from shared.errors import Unavailable
from shared.messaging.messages import Stamps
from shared.messaging.metrics import Metric
from shared.messaging.trace import Trace, current, trace_of, waited
from shared.model.audience import CallCounts
from shared.model.outcome import Outcome
from shared.sending.lane_metrics import LaneMetrics
from shared.sending.result import Result
from shared.telemetry import LATE, Telemetry
from tests.logged_events import logged_events

NOW = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
RUN = "0" * 20


def digits(count: int) -> str:
    return "ab" * count


class Host:
    """A host with an SDK, which stores what it receives."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.telemetry = Telemetry(digits, lambda: NOW, self.meters, self.tracers)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()

    def metrics(self) -> dict[str, object]:
        """Name -> the newest value (of a histogram: its sum)."""
        data = self._reader.get_metrics_data()
        found: dict[str, object] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    [point] = metric.data.data_points
                    found[metric.name] = getattr(point, "value", getattr(point, "sum", None))
        return found


@pytest.fixture
def host() -> Iterator[Host]:
    opened = Host()
    yield opened
    opened.tracers.shutdown()
    opened.meters.shutdown()


def due(seconds_ago: float) -> int:
    return round((NOW.timestamp() - seconds_ago) * 1000)


def test_a_message_is_processed_in_its_own_trace(host: Host) -> None:
    with host.telemetry.message("send_lane", Stamps(TRACE, due(1.5)), run_id=RUN):
        inside = current()
        assert waited() == 1.5

    [span] = host.spans
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE.trace_id
    assert f"{span.parent.span_id:016x}" == TRACE.span_id
    assert (span.name, span.kind) == ("send_lane", SpanKind.CONSUMER)
    assert span.attributes == {"run": RUN, "waited_seconds": 1.5}
    # What is sent on from here names this span as its parent.
    assert inside == Trace(TRACE.trace_id, f"{span.context.span_id:016x}")


def test_an_unstamped_message_continues_the_first_trace_that_is_given(host: Host) -> None:
    run = Trace("1" * 32, "2" * 16)
    with host.telemetry.message("plan_run", Stamps(), "", run.parent, TRACE.parent):
        assert (found := current()) is not None
        assert found.trace_id == run.trace_id
        assert waited() is None
    assert "queue.age" not in host.metrics()


def test_without_a_trace_a_new_one_is_started(host: Host) -> None:
    with host.telemetry.request("tick", None, ""):
        assert (found := current()) is not None
        assert found.trace_id == "ab" * 16


def test_without_an_sdk_the_trace_is_continued() -> None:
    telemetry = Telemetry(digits, lambda: NOW)
    with telemetry.message("send_lane", Stamps(TRACE, due(0))):
        assert current() == TRACE
    with telemetry.request("http_api", "no trace"):
        assert trace_of(current().parent if (current()) else "") == Trace("ab" * 16, "ab" * 8)
    telemetry.add(Metric.PROFILES, 500, account="1")
    telemetry.record(Metric.SLOTS_ALLOWED, 10, account="1")


def test_queue_age_is_measured_and_a_late_message_is_an_event(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with host.telemetry.message("send_lane", Stamps(TRACE, due(LATE - 1))):
        pass
    assert logged_events(caplog) == []
    with host.telemetry.message("send_lane", Stamps(TRACE, due(LATE))):
        pass
    assert [(e["event"], e["waitedSeconds"], e["traceId"]) for e in logged_events(caplog)] == [
        ("message.late", LATE, TRACE.trace_id)
    ]
    assert host.metrics()["queue.age"] == 2 * LATE - 1


def test_a_clock_that_is_ahead_does_not_give_a_negative_age(host: Host) -> None:
    with host.telemetry.message("plan_run", Stamps(None, due(-3))):
        assert waited() == 0


def test_an_error_is_recorded_by_its_type_only(host: Host) -> None:
    failure = Unavailable("someone@example.com could not be written")
    with pytest.raises(Unavailable), host.telemetry.request("tick", TRACE.parent):
        raise failure

    [span] = host.spans
    assert span.status.description == "Unavailable"
    assert span.events == ()
    assert "example.com" not in span.to_json()


def test_the_work_of_a_lane_is_logged_in_one_event_and_recorded_in_metrics(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    metrics = LaneMetrics(RUN, "e1", "acc", lane=2, allowed=8, meter=host.telemetry)
    with host.telemetry.message("send_lane", Stamps(TRACE, due(1)), run_id=RUN):
        metrics.begin()
        assert host.metrics()["lanes.slots.used"] == 1
        metrics.called(CallCounts(write=2, read=1, throttled=1, retried=1))
        metrics.sent([Result(Outcome.CREATED)] * 3 + [Result(Outcome.REJECTED)], 2.5)
        metrics.end(3.0)

    [event] = logged_events(caplog)
    assert event == {
        "event": "lane.worked",
        "runId": RUN,
        "exportId": "e1",
        "accountId": "acc",
        "lane": 2,
        "slotsAllowed": 8,
        "chunks": 1,
        "profiles": 4,
        "rejected": 1,
        "writeCalls": 2,
        "readCalls": 1,
        "throttled": 1,
        "retried": 1,
        "seconds": 3.0,
        "waitedSeconds": 1.0,
        "traceId": TRACE.trace_id,
    }
    assert host.metrics() == {
        "lanes.slots.used": 0,
        "lanes.slots.allowed": 8,
        "export.profiles": 4,
        "export.rejected": 1,
        "export.chunk.seconds": 2.5,
        "mailchimp.calls.write": 2,
        "mailchimp.calls.read": 1,
        "mailchimp.throttled": 1,
        "mailchimp.retried": 1,
        "queue.age": 1.0,
    }


def test_a_lane_without_work_logs_nothing(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    metrics = LaneMetrics(RUN, "e1", "acc", lane=2, allowed=8, meter=host.telemetry)
    metrics.begin()
    metrics.end(0.1)
    assert logged_events(caplog) == []
    assert host.metrics()["lanes.slots.used"] == 0


@pytest.mark.parametrize("metric", list(Metric))
def test_every_metric_has_its_instrument(host: Host, metric: Metric) -> None:
    levels = {Metric.SLOTS_ALLOWED, Metric.CHUNK_SECONDS, Metric.QUEUE_AGE}
    if metric in levels:
        host.telemetry.record(metric, 3, account="acc")
    else:
        host.telemetry.add(metric, 3, account="acc")
    assert host.metrics() == {metric.value: 3}


@pytest.mark.parametrize(
    ("trace_context", "given"),
    [
        (SimpleNamespace(trace_parent=TRACE.parent), TRACE.parent),  # the library, and Python 3.13
        (SimpleNamespace(Traceparent=TRACE.parent), TRACE.parent),  # the worker of Python 3.12
        (SimpleNamespace(trace_parent="", Traceparent=""), ""),
        (None, None),
    ],
)
def test_the_trace_of_the_platform_is_found_in_any_notation(
    trace_context: object, given: str | None
) -> None:
    context: Any = SimpleNamespace(function_name="tick", trace_context=trace_context)
    assert function_app._platform_trace(context) == given


def test_no_library_is_instrumented() -> None:
    """An instrumented `requests` would record URLs, and those of Mailchimp identify members."""
    locked = (Path(__file__).parents[1] / "requirements.txt").read_text(encoding="utf-8")
    assert "opentelemetry-api" in locked
    assert "opentelemetry-instrumentation" not in locked
