"""Traces and stamps are parsed strictly, added to every message, set and reset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.messaging.messages import LONGEST, Stamps, lane_message, lane_of, run_of, stamps_of
from shared.messaging.stamped_queue import StampedQueue
from shared.messaging.trace import Trace, continue_trace, current, trace_of, waited

RUN = "0" * 20
TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
NOW = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)


class RecordingQueue:
    """Stores sent messages, in the form that the queue shows."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        self.sent.append(json.dumps(dict(message)).encode())


def stamped() -> tuple[RecordingQueue, StampedQueue]:
    recording = RecordingQueue()
    return recording, StampedQueue(recording, lambda: NOW)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
def test_a_trace_is_parsed_and_formatted_unchanged(trace: bytes, span: bytes) -> None:
    written = Trace(trace.hex(), span.hex())
    valid = any(trace) and any(span)
    assert trace_of(written.parent) == (written if valid else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        7,
        TRACE.parent.upper(),
        f"{TRACE.parent}\n",
        f"01{TRACE.parent[2:]}",
        TRACE.parent + "-more",
        f"00-{'0' * 32}-{TRACE.span_id}-01",
        f"00-{TRACE.trace_id}-{'0' * 16}-01",
        "someone@example.com",
    ],
)
def test_a_malformed_trace_is_ignored(text: object) -> None:
    assert trace_of(text) is None


def test_a_trace_is_set_and_reset() -> None:
    assert current() is None
    with continue_trace(TRACE, after=2.5):
        assert (current(), waited()) == (TRACE, 2.5)
        with continue_trace("none at all"):
            assert (current(), waited()) == (TRACE, 2.5)
    assert (current(), waited()) == (None, None)


def test_a_message_contains_its_trace_and_due_time() -> None:
    recording, queue = stamped()
    with continue_trace(TRACE):
        queue.send("send-lanes", lane_message(RUN, 3), delay=4)

    [body] = recording.sent
    assert lane_of(body) == (RUN, 3)
    assert stamps_of(body) == Stamps(TRACE, int(NOW.timestamp() * 1000) + 4000)
    assert len(body) < LONGEST


def test_a_message_without_a_trace_has_a_due_time() -> None:
    recording, queue = stamped()
    queue.send("plan-runs", {"v": 1, "run": RUN})
    assert stamps_of(recording.sent[0]) == Stamps(None, int(NOW.timestamp() * 1000))


def test_a_message_without_stamps_is_accepted() -> None:
    body = json.dumps(lane_message(RUN, 0)).encode()
    assert stamps_of(body) == Stamps()
    assert lane_of(body) == (RUN, 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"id": "an event"}', b"\xff"])
def test_messages_of_other_senders_have_no_stamps(body: bytes) -> None:
    assert stamps_of(body) == Stamps()


@pytest.mark.parametrize(
    "stamps",
    [
        {"traceparent": "someone@example.com"},
        {"traceparent": TRACE.parent.upper()},
        {"traceparent": ""},
        {"traceparent": {}},
        {"due": "1762000000000"},
        {"due": True},
        {"due": -1},
        {"due": 1.5},
        {"due": 1 << 60},
    ],
)
def test_an_invalid_stamp_is_ignored(stamps: dict[str, object]) -> None:
    body = json.dumps({"v": 1, "run": RUN, "lane": 3, **stamps}).encode()
    assert stamps_of(body) == Stamps()
    assert lane_of(body) == (RUN, 3)


def test_a_message_longer_than_needed_for_ids_is_refused() -> None:
    body = json.dumps({"v": 1, "run": RUN, "more": "x" * LONGEST}).encode()
    with pytest.raises(InputError):
        run_of(body)
