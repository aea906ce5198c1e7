"""Telemetry: the app's metrics and spans, through OpenTelemetry's API.

The API does nothing until the host brings an SDK with exporters, so the app depends on no exporter,
and an exporter sees only what is written here: names of functions, ids of accounts and runs, and
numbers; no URL, no body, no text of an error. No library is instrumented: an instrumented
`requests` would record Mailchimp's member URLs.
https://opentelemetry.io/docs/specs/otel/overview/ ; docs/decisions/0041-telemetry.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from shared.messaging.events import log_event
from shared.messaging.messages import Stamps
from shared.messaging.metrics import Metric
from shared.messaging.trace import Trace, continue_trace, trace_of

NAME = "customer-insights-mailchimp-export"

LATE = 30.0
"""Seconds of waiting after which a message is logged as an event."""

_COUNTERS = {
    Metric.PROFILES: ("{profile}", "People sent to Mailchimp"),
    Metric.REJECTED: ("{profile}", "People refused by Mailchimp"),
    Metric.WRITE_CALLS: ("{call}", "Calls that write, made by lanes"),
    Metric.READ_CALLS: ("{call}", "Calls that read, made by lanes"),
    Metric.THROTTLED: ("{call}", "Calls answered with a request to slow down"),
    Metric.RETRIED: ("{call}", "Calls made again by the client"),
    Metric.WITHOUT_SLOT: ("{message}", "Messages of lanes that found no free slot"),
}
_HISTOGRAMS = {
    Metric.CHUNK_SECONDS: "How long Mailchimp took for a chunk",
    Metric.QUEUE_AGE: "For how long a message had been due when its function began",
}


class Telemetry:
    """The app's `Meter`, and a span around the work of every trigger.

    `hexadecimal(n)` gives n random bytes as text, `now` aware UTC times. Without providers, those
    of the host are used.
    """

    def __init__(
        self,
        hexadecimal: Callable[[int], str],
        now: Callable[[], datetime],
        meters: MeterProvider | None = None,
        tracers: TracerProvider | None = None,
    ) -> None:
        self._hexadecimal = hexadecimal
        self._now = now
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracers)
        meter = metrics.get_meter(NAME, meter_provider=meters)
        self._counters = {
            metric: meter.create_counter(metric.value, unit, text)
            for metric, (unit, text) in _COUNTERS.items()
        }
        self._used = meter.create_up_down_counter(
            Metric.SLOTS_USED, "{slot}", "Slots of an account that lanes hold"
        )
        self._allowed = meter.create_gauge(
            Metric.SLOTS_ALLOWED, "{slot}", "Slots of an account that lanes may hold"
        )
        self._histograms = {
            metric: meter.create_histogram(metric.value, "s", text)
            for metric, text in _HISTOGRAMS.items()
        }

    def add(self, metric: Metric, amount: int, *, account: str) -> None:
        """Add to a counter or to a level, for a Mailchimp account."""
        labels = {"account": account}
        if metric is Metric.SLOTS_USED:
            self._used.add(amount, labels)
        elif amount:
            self._counters[metric].add(amount, labels)

    def record(
        self, metric: Metric, value: float, *, account: str = "", function: str = ""
    ) -> None:
        """Record one measurement, of a Mailchimp account or of a function."""
        labels = {
            name: text for name, text in (("account", account), ("function", function)) if text
        }
        if metric is Metric.SLOTS_ALLOWED:
            self._allowed.set(value, labels)
        else:
            self._histograms[metric].record(value, labels)

    @contextmanager
    def request(self, function: str, *given: str | None) -> Iterator[None]:
        """Work for a request or the timer, in the first valid trace of those given."""
        parent = next((found for text in given if (found := trace_of(text))), None)
        with self._span(function, SpanKind.SERVER, parent or self._new(), None):
            yield

    @contextmanager
    def message(
        self, function: str, stamps: Stamps, *given: str | None, run_id: str = ""
    ) -> Iterator[None]:
        """Work on a message, in its own trace or else in one of those given."""
        waited = None
        if stamps.due is not None:
            # The clocks of two machines may differ: a negative time counts as 0.
            waited = round(max(0.0, self._now().timestamp() - stamps.due / 1000), 3)
            self.record(Metric.QUEUE_AGE, waited, function=function)
        parent = stamps.trace or next((f for text in given if (f := trace_of(text))), None)
        with self._span(function, SpanKind.CONSUMER, parent or self._new(), waited, run_id):
            if waited is not None and waited >= LATE:
                log_event("message.late", function=function, waitedSeconds=round(waited, 1))
            yield

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, parent: Trace, waited: float | None, run_id: str = ""
    ) -> Iterator[None]:
        context = set_span_in_context(NonRecordingSpan(_context_of(parent)))
        attributes: dict[str, str | float] = {"run": run_id} if run_id else {}
        if waited is not None:
            attributes["waited_seconds"] = waited
        span = self._tracer.start_span(name, context, kind, attributes)
        try:
            with (
                # Only the type of an exception is recorded; its text may hold personal data.
                trace.use_span(span, record_exception=False, set_status_on_exception=False),
                continue_trace(_trace_of(span.get_span_context()) or parent, waited),
            ):
                yield
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    def _new(self) -> Trace:
        return Trace(self._hexadecimal(16), self._hexadecimal(8))


def _context_of(given: Trace) -> SpanContext:
    return SpanContext(
        int(given.trace_id, 16),
        int(given.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(given.flags, 16)),
    )


def _trace_of(context: SpanContext) -> Trace | None:
    if not context.is_valid:
        return None
    return Trace(
        format_trace_id(context.trace_id),
        format_span_id(context.span_id),
        f"{context.trace_flags:02x}",
    )
