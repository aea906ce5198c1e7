"""A queue function on Flex Consumption: its queue, its instances, and how many of them there are.

Kept from the platform: an instance fetches `batchSize` messages whenever it works on no more than
`newBatchThreshold`; a message is hidden while it is worked on; one whose function fails shows again
after `visibilityTimeout` and is given up after `maxDequeueCount`; one whose instance dies shows
again after ten minutes; every function scales alone, towards messages / batchSize instances.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
https://learn.microsoft.com/azure/azure-functions/functions-target-based-scaling
"""

from __future__ import annotations

import json
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.simulation.clock import Clock, Gate, Process, Steps

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Hosting:
    """The platform's numbers: the first seven are the project's own, the rest are assumed."""

    batch: int
    threshold: int
    visibility: float
    most_tries: int
    polling: float
    most_instances: int
    threads: int
    look_every: float = 10.0
    start_seconds: float = 8.0
    idle_seconds: float = 120.0
    lost_seconds: float = 600.0
    lifetime: float = float("inf")

    @classmethod
    def of_project(cls) -> Hosting:
        """As host.json and the Bicep say."""
        host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
        queues = host["extensions"]["queues"]
        main = (ROOT / "infra/main.bicep").read_text(encoding="utf-8")
        app = (ROOT / "infra/modules/app.bicep").read_text(encoding="utf-8")
        return cls(
            batch=queues["batchSize"],
            threshold=queues["newBatchThreshold"],
            visibility=_seconds(queues["visibilityTimeout"]),
            most_tries=queues["maxDequeueCount"],
            polling=_seconds(queues["maxPollingInterval"]),
            most_instances=_number(main, r"param maximumInstanceCount int = (\d+)"),
            threads=_number(app, r"PYTHON_THREADPOOL_THREAD_COUNT: '(\d+)'"),
        )


@dataclass
class Message:
    """A message, and how often it was fetched; `due`: when the queue may first show it."""

    body: Any
    due: float
    tries: int = 0


@dataclass(eq=False)
class Instance:
    """One instance: what it works on, when its processor is free, the room for plans."""

    room: Gate
    busy: int = 0
    processor_free: float = 0.0
    since: float = 0.0
    idle_since: float = 0.0
    alive: bool = True
    calls: list[Call] = field(default_factory=list)


@dataclass(eq=False)
class Call:
    """One message being worked on. Work sets `failed` to have it brought again."""

    function: Function
    message: Message
    instance: Instance
    failed: bool = False
    killed: Callable[[], None] | None = None
    process: Process | None = None


class Function:
    """A function and its queue. `work` does a call, `given_up` gets what failed too often."""

    def __init__(
        self,
        clock: Clock,
        hosting: Hosting,
        work: Callable[[Call], Steps],
        given_up: Callable[[Any], None],
        rng: random.Random,
    ) -> None:
        self._clock = clock
        self._hosting = hosting
        self._work = work
        self._given_up = given_up
        self._rng = rng
        self._shown: deque[Message] = deque()
        self._instances: list[Instance] = []
        self._hungry: list[Instance] = []
        self._starting = 0
        self._looking = False
        self.in_queue = 0
        self.sent = 0
        self.executions = 0
        self.poisoned = 0
        self.most_instances = 0
        self.ages: list[float] = []
        self.active_seconds = 0.0

    def send(self, body: Any, delay: float = 0.0) -> None:
        """Put a message on the queue."""
        self.sent += 1
        self.in_queue += 1
        message = Message(body, self._clock.now + delay)
        self._clock.after(delay, lambda: self._show(message))
        if not self._looking:
            self._looking = True
            self._clock.after(self._rng.uniform(0, self._hosting.look_every), self._scale)

    def _show(self, message: Message) -> None:
        self._shown.append(message)
        if self._hungry:
            index = self._rng.randrange(len(self._hungry))
            instance = self._hungry.pop(index)
            # Polling backs off towards its longest interval while a queue is empty.
            self._clock.after(
                self._rng.uniform(0, self._hosting.polling), lambda: self._fetch(instance)
            )

    def _fetch(self, instance: Instance) -> None:
        if not instance.alive or instance in self._hungry:
            return
        if instance.busy > self._hosting.threshold:
            return  # fetches again when enough of them have ended
        for _ in range(min(self._hosting.batch, len(self._shown))):
            self._begin(instance, self._shown.popleft())
        if instance.busy <= self._hosting.threshold:
            self._hungry.append(instance)

    def _begin(self, instance: Instance, message: Message) -> None:
        if instance.busy == 0:
            instance.since = self._clock.now
        instance.busy += 1
        message.tries += 1
        self.executions += 1
        if message.tries == 1:
            self.ages.append(self._clock.now - message.due)
        call = Call(self, message, instance)
        instance.calls.append(call)
        call.process = Process(self._clock, self._work(call), lambda: self._end(call))
        call.process.go_on()

    def _end(self, call: Call) -> None:
        instance, message = call.instance, call.message
        instance.busy -= 1
        instance.calls.remove(call)
        if instance.busy == 0:
            self.active_seconds += self._clock.now - instance.since
            instance.idle_since = self._clock.now
        if not call.failed:
            self.in_queue -= 1
        elif message.tries >= self._hosting.most_tries:
            self.in_queue -= 1
            self.poisoned += 1
            self._given_up(message.body)
        else:
            self._clock.after(self._hosting.visibility, lambda: self._show(message))
        if self._shown:
            self._clock.after(0.0, lambda: self._fetch(instance))
        elif instance.busy <= self._hosting.threshold and instance not in self._hungry:
            self._hungry.append(instance)

    # --- scaling ---------------------------------------------------------------------------

    def _scale(self) -> None:
        wanted = min(self._hosting.most_instances, -(-self.in_queue // self._hosting.batch))
        for _ in range(wanted - len(self._instances) - self._starting):
            self._starting += 1
            self._clock.after(
                self._hosting.start_seconds * self._rng.uniform(0.75, 1.25), self._started
            )
        for instance in [one for one in self._instances if one.busy == 0]:
            idle = self._clock.now - instance.idle_since
            if len(self._instances) > wanted and idle >= self._hosting.idle_seconds:
                self._forget(instance)
        if self.in_queue or self._starting or self._instances:
            self._clock.after(self._hosting.look_every, self._scale)
        else:
            self._looking = False

    def _started(self) -> None:
        self._starting -= 1
        instance = Instance(Gate(self._clock), idle_since=self._clock.now)
        self._instances.append(instance)
        self.most_instances = max(self.most_instances, len(self._instances))
        if self._hosting.lifetime < float("inf"):
            life = self._rng.expovariate(1 / self._hosting.lifetime)
            self._clock.after(life, lambda: self._die(instance))
        self._fetch(instance)

    def _die(self, instance: Instance) -> None:
        if not instance.alive:
            return
        if instance.busy:
            self.active_seconds += self._clock.now - instance.since
        for call in instance.calls:
            if call.process is not None:
                call.process.killed = True
            if call.killed is not None:
                call.killed()
            self._clock.after(self._hosting.lost_seconds, partial(self._show, call.message))
        self._forget(instance)

    def _forget(self, instance: Instance) -> None:
        instance.alive = False
        self._instances.remove(instance)
        if instance in self._hungry:
            self._hungry.remove(instance)


def _seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _number(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        message = f"the project says nothing about {pattern}"
        raise ValueError(message)
    return int(found[1])
