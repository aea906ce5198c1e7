"""The app in the process of the tests: its real parts and its API, with its own state in memory.

Azurite holds the segments and the outcome files; Mailchimp is the sandbox, over HTTP. A thread
delivers the messages as the Functions host does. What the host and Azurite add to that (triggers,
encoding, leases, table and queue limits) is tested with the app as a process.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import BaseAdapter

from devhost.api_client import ApiClient
from sandbox.mailchimp.sandbox import Sandbox
from shared.app import App, build
from shared.messaging.messages import lane_of, number_of, run_of
from shared.messaging.poison import PoisonQueues
from shared.messaging.stamped_queue import StampedQueue
from shared.model.names import PLAN_RUNS, SEND_LANES
from shared.runtime import Runtime
from shared.settings import load
from tests.e2e.running_app import TestedApp, settings_for
from tests.fakes import (
    Clock,
    MemoryFiles,
    MemoryLeases,
    MemoryRecords,
    MemorySecrets,
    MemoryStore,
    StoreClient,
)
from tests.waiting import until
from tests.web.client import ORIGIN, request

LOG = logging.getLogger(__name__)
# As in host.json, but a failed message waits a second only.
_MOST_DELIVERIES = 5
_PAUSE_AFTER_FAILURE = 1.0


class SystemClock(Clock):
    """The real time. Leases are renewed in real time, so they must expire in real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def seconds(self) -> float:
        return time.time()

    def forward(self, seconds: float) -> None:
        raise NotImplementedError


@dataclass(order=True)
class _Message:
    due: float
    number: int
    queue: str = field(compare=False)
    body: bytes = field(compare=False)
    tries: int = field(compare=False, default=0)


class DeliveredQueue:
    """Implements Queue: delivers each message in a new thread, as soon as it is due.

    A message whose function fails is delivered again; after the last attempt `deliver` is called
    with the name of its poison queue.
    """

    def __init__(self, deliver: Callable[[str, bytes], None]) -> None:
        self._deliver = deliver
        self._waiting: list[_Message] = []
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._is_closed = False
        self._running: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._listen, name="queues", daemon=True)
        self._thread.start()

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        body = json.dumps(dict(message)).encode()
        self._put(_Message(time.monotonic() + delay, next(self._numbers), queue, body))

    def close(self) -> None:
        """Deliver no further message, and wait for those that are being processed."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        self._thread.join()
        for running in list(self._running):
            running.join()

    def _put(self, message: _Message) -> None:
        with self._change:
            heapq.heappush(self._waiting, message)
            self._change.notify_all()

    def _listen(self) -> None:
        while (message := self._next()) is not None:
            thread = threading.Thread(target=self._process, args=[message], daemon=True)
            self._running.add(thread)
            thread.start()

    def _next(self) -> _Message | None:
        with self._change:
            while not self._is_closed:
                pause = self._waiting[0].due - time.monotonic() if self._waiting else None
                if pause is not None and pause <= 0:
                    return heapq.heappop(self._waiting)
                self._change.wait(pause)
        return None

    def _process(self, message: _Message) -> None:
        message.tries += 1
        try:
            self._deliver(message.queue, message.body)
        except Exception as error:
            LOG.warning("a message of %s failed: %s", message.queue, type(error).__name__)
            message.due = time.monotonic() + _PAUSE_AFTER_FAILURE
            if message.tries == _MOST_DELIVERIES:
                message.queue += "-poison"
                message.tries = 0
            self._put(message)
        finally:
            self._running.discard(threading.current_thread())


class _WebAdapter(BaseAdapter):
    """Answers the requests of a session with the app in this process."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def send(self, sent: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override]
        body = sent.body or b""
        data = body.encode() if isinstance(body, str) else body
        assert sent.method is not None
        assert sent.url is not None
        got = request(self._app.web, sent.method, sent.url, sent.headers, data)
        response = requests.Response()
        response.status_code = got.status
        response.headers.update(got.raw_headers)
        response._content = got.body
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.url = sent.url
        response.request = sent
        return response

    def close(self) -> None:
        """Do nothing, because there is no connection."""


class AppInProcess(TestedApp):
    """An app in this process; `close` ends it."""

    def __init__(self, storage: str, sandbox: Sandbox, **settings: str) -> None:
        self.store = MemoryStore(SystemClock())
        client = StoreClient(self.store)
        self._queue = DeliveredQueue(self._deliver)
        runtime = Runtime()
        self._app = build(
            load(settings_for(storage, sandbox, **settings)),
            runtime,
            table=lambda name, _type, *columns: MemoryRecords(client, name, *columns),
            files=MemoryFiles(client),
            queue=StampedQueue(self._queue, runtime.now),
            poison_queues=PoisonQueues(lambda _queue: 0),
            leases=MemoryLeases(client),
            secrets=MemorySecrets(client),
        )
        # The pauses are real here.
        mailchimp = self._app.mailchimp
        mailchimp.retry_policy = replace(mailchimp.retry_policy, wait_after_refusal=0.1)
        session = requests.Session()
        session.mount(ORIGIN, _WebAdapter(self._app))
        super().__init__(storage, sandbox, ApiClient(ORIGIN, session=session))

    @property
    def parts(self) -> App:
        return self._app

    def wait(self, run_id: str) -> dict[str, Any]:
        def is_active() -> bool:
            stored = self._app.runs.read(run_id)
            return stored is not None and stored.value.is_active

        # A request to the API takes milliseconds of the processor that the run needs.
        until(lambda: not is_active())
        run: dict[str, Any] = self.api.get(f"/api/runs/{run_id}")
        return run

    def state_blobs(self, prefix: str = "") -> dict[str, bytes]:
        with self.store.lock:
            return {n: data for n, data in self.store.blobs.items() if n.startswith(prefix)}

    def close(self) -> None:
        """Process no further message."""
        self._queue.close()

    def _deliver(self, queue: str, body: bytes) -> None:
        """Call the part that function_app.py calls for a message of this queue."""
        app, run_id = self._app, run_of(body)
        if queue.endswith("-poison"):
            with app.poison_message(queue, body, None):
                if queue == f"{PLAN_RUNS}-poison":
                    app.planner.give_up(run_id)
                else:
                    app.watchdog.log_lane_given_up(run_id)
            return
        with app.traced_message(queue, body, run_id, None):
            if queue == PLAN_RUNS:
                app.planner.plan(run_id, number_of(body))
            else:
                assert queue == SEND_LANES
                app.lanes.run(*lane_of(body), number_of(body))


@contextmanager
def app_in_process(storage: str, sandbox: Sandbox, **settings: str) -> Iterator[AppInProcess]:
    """Run an app in this process during a `with` block."""
    app = AppInProcess(storage, sandbox, **settings)
    try:
        yield app
    finally:
        app.close()
