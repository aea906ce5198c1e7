"""Queue triggers and queue outputs, with the rules of the WebJobs queue listener.

A message is leased for ten minutes (`lease`), and the lease is renewed while its function runs. A
function that succeeds has its message deleted. After a failure the message is visible again when
`visibilityTimeout` is over; after `maxDequeueCount` failures it moves to `<queue>-poison`. A message
that cannot be decoded fails in the same way without running the function. A poison queue has no
poison queue of its own: there a failed message waits until its lease ends, and after
`maxDequeueCount` failures it stays, without running again, until it expires.
At most batchSize + newBatchThreshold messages run at the same time. The messages of a killed host
stay hidden until their leases end: a shorter lease makes that quick to try.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import LinearRetry, QueueClient, QueueMessage

from devhost.configuration import QueueOptions
from devhost.functions import InvocationFailed

LOG = logging.getLogger("devhost.queues")
LEASE_SECONDS = 600
FIRST_PAUSE = 0.1
_LISTENERS: weakref.WeakSet[QueueListener] = weakref.WeakSet()
# Runs a function with a message and its fields; a message that cannot be decoded is None.
Invoke = Callable[[Datum | None, dict[str, Datum]], None]


@dataclass(eq=False)
class _Running:
    """A leased message; each renewal changes its pop receipt, so both are used under the lock."""

    message: QueueMessage
    renew_at: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False


class QueueListener:
    """Feeds the messages of one queue to one function until `stop`."""

    def __init__(
        self,
        connection: str,
        queue: str,
        options: QueueOptions,
        invoke: Invoke,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self.queue = queue
        self._is_poison = queue.endswith("-poison")
        self._connection = connection
        # The listener polls again anyway, so the long pauses of the SDK's retries are not needed.
        self._client = QueueClient.from_connection_string(
            connection, queue, retry_policy=LinearRetry(backoff=1, retry_total=2), read_timeout=30
        )
        self._options = options
        self._invoke = invoke
        self._lease = lease
        self._running: set[_Running] = set()
        self._change = threading.Condition()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(
            options.batch_size + options.new_batch_threshold, thread_name_prefix=queue
        )
        self._threads = [
            threading.Thread(target=target, name=f"{queue} {name}", daemon=True)
            for target, name in ((self._listen, "listen"), (self._renew, "renew"))
        ]
        _LISTENERS.add(self)

    def start(self) -> None:
        """Begin to listen."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Receive no further message; running functions continue."""
        self._stopping.set()
        self.wake()

    def busy(self) -> int:
        """How many messages run now."""
        return len(self._running)

    def wake(self) -> None:
        """Receive now: a message has just been sent."""
        with self._change:
            self._change.notify_all()

    def _listen(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            with self._change:
                self._change.wait_for(
                    lambda: (
                        self._stopping.is_set()
                        or len(self._running) <= self._options.new_batch_threshold
                    )
                )
            if self._stopping.is_set():
                return
            if self._take_batch():
                pause = FIRST_PAUSE
                continue
            with self._change:
                if self._change.wait(pause):
                    pause = FIRST_PAUSE
                    continue
            pause = min(pause * 2, max(self._options.max_polling_interval, FIRST_PAUSE))

    def _take_batch(self) -> bool:
        try:
            batch = list(
                self._client.receive_messages(
                    max_messages=self._options.batch_size,
                    visibility_timeout=max(1, round(self._lease)),
                )
            )
        except ResourceNotFoundError:  # no such queue yet: an empty one
            return False
        except AzureError as error:
            LOG.warning("queue %s cannot be read: %s", self.queue, type(error).__name__)
            return False
        for message in batch:
            running = _Running(message, time.monotonic() + self._lease / 2)
            with self._change:
                self._running.add(running)
            self._pool.submit(self._run, running)
        return bool(batch)

    def _run(self, running: _Running) -> None:
        try:
            self._process(running)
        except AzureError as error:  # its lease expires, and it is delivered again
            LOG.warning("a message of queue %s stays leased: %s", self.queue, type(error).__name__)
        except Exception:
            LOG.exception("a fault of the local host with queue %s", self.queue)
        finally:
            with self._change:
                self._running.discard(running)
                self._change.notify_all()

    def _process(self, running: _Running) -> None:
        message = running.message
        attempt = message.dequeue_count or 1
        if attempt > self._options.max_dequeue_count:
            self._give_up(running)
            return
        try:
            self._invoke(self._datum(message), _metadata(message))
        except InvocationFailed:
            if attempt >= self._options.max_dequeue_count:
                LOG.warning("a message of queue %s failed %d times", self.queue, attempt)
                self._give_up(running)
            elif self._is_poison:
                self._abandon(running)
            else:
                self._release(running)
            return
        self._delete(running)

    def _datum(self, message: QueueMessage) -> Datum | None:
        """Return what the function receives; None for a message that is not base64 of UTF-8."""
        if not self._options.base64:
            return Datum(message.content, "string")
        try:
            return Datum(base64.b64decode(message.content, validate=True).decode(), "string")
        except (binascii.Error, ValueError):
            LOG.warning("a message of queue %s is not base64 of UTF-8", self.queue)
            return None

    def _give_up(self, running: _Running) -> None:
        """Move a message to the poison queue; in a poison queue it stays until it expires."""
        if self._is_poison:
            self._abandon(running)
            return
        put(self._connection, f"{self.queue}-poison", [running.message.content], encode=False)
        self._delete(running)

    def _abandon(self, running: _Running) -> None:
        """Leave a message as it is: it becomes visible when its lease ends."""
        with running.lock:
            running.over = True

    def _delete(self, running: _Running) -> None:
        with running.lock:
            running.over = True
            try:
                self._client.delete_message(running.message)
            except ResourceNotFoundError:
                LOG.warning("a message of queue %s no longer exists", self.queue)

    def _release(self, running: _Running) -> None:
        with running.lock:
            running.over = True
            self._client.update_message(
                running.message, visibility_timeout=round(self._options.visibility_timeout)
            )

    def _renew(self) -> None:
        while self._running or not self._stopping.is_set():
            time.sleep(min(1.0, self._lease / 8))
            with self._change:
                due = [one for one in self._running if one.renew_at <= time.monotonic()]
            for running in due:
                self._renew_one(running)

    def _renew_one(self, running: _Running) -> None:
        with running.lock:
            if running.over:
                return
            try:
                renewed = self._client.update_message(
                    running.message, visibility_timeout=max(1, round(self._lease))
                )
                running.message.pop_receipt = renewed.pop_receipt
                running.renew_at = time.monotonic() + self._lease / 2
            except AzureError as error:
                LOG.warning(
                    "a lease of queue %s was not renewed: %s", self.queue, type(error).__name__
                )
                running.renew_at = time.monotonic() + self._lease / 8


def wake(queue: str) -> None:
    """Let the listeners of a queue receive now, because this process has just sent a message."""
    for listener in list(_LISTENERS):
        if listener.queue == queue:
            listener.wake()


def put(connection: str, queue: str, texts: list[str], *, encode: bool) -> None:
    """Put messages on a queue, which is created if it is missing, and wake its listeners; raises AzureError."""
    with QueueClient.from_connection_string(connection, queue) as client:
        for text in texts:
            content = base64.b64encode(text.encode()).decode() if encode else text
            try:
                client.send_message(content)
            except ResourceNotFoundError:
                try:
                    client.create_queue()
                except ResourceExistsError:  # Azurite gives it status 204
                    LOG.debug("queue %s was created meanwhile", queue)
                client.send_message(content)
    wake(queue)


def output_texts(datum: Datum) -> list[str]:
    """The messages that a queue output carries: one, or one per item of a list."""
    if datum.type == "bytes":
        return [datum.value.decode()]
    if datum.type != "json":
        return [str(datum.value)]
    value = json.loads(datum.value)
    return [_text(one) for one in value] if isinstance(value, list) else [_text(value)]


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    return str(item["body"]) if isinstance(item, dict) and "body" in item else json.dumps(item)


def _metadata(message: QueueMessage) -> dict[str, Datum]:
    return {
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "ExpirationTime": _time(message.expires_on),
        "InsertionTime": _time(message.inserted_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }


def _time(moment: datetime | None) -> Datum:
    return Datum(json.dumps(moment.isoformat() if moment else None), "json")
