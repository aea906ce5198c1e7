"""Random fault injection into two processes with different clocks on one storage.

All faults derive from one seed: messages arrive in any order and repeatedly; a process is killed at a
write or a call; a storage request fails before or after it was applied; leases are lost; and while one
process waits for Mailchimp, the other one handles messages.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import memory, workspace
from shared.errors import ConnectorError
from shared.runtime import Runtime
from tests.fakes import Clock, Message, ProcessKilled, StorageFault, StoreClient
from tests.faults.simulated_deployment import SimulatedDeployment

_MOST_DELIVERIES = 5
_HIDDEN_SECONDS = 60.0
_MAX_DEPTH = 2


@dataclass(frozen=True)
class FaultRates:
    """The probability of each fault, from 0 to 1; `skew` is the maximum clock skew in seconds."""

    lost: float = 0.0
    killed: float = 0.0
    killed_in_call: float = 0.0
    lease_lost: float = 0.0
    meanwhile: float = 0.0
    again: float = 0.0
    skew: float = 0.0

    @property
    def clocks_agree(self) -> bool:
        """Whether the clock skew is within the limit that sending/write.py assumes."""
        return self.skew <= 200

    @staticmethod
    def choose(dice: random.Random) -> FaultRates:
        """Choose rates at random: each fault occurs rarely, often or never."""
        return FaultRates(
            lost=dice.choice((0.0, 0.01, 0.04)),
            killed=dice.choice((0.0, 0.005, 0.02)),
            killed_in_call=dice.choice((0.0, 0.03, 0.1)),
            lease_lost=dice.choice((0.0, 0.05, 0.2)),
            meanwhile=dice.choice((0.0, 0.2, 0.6)),
            again=dice.choice((0.0, 0.1, 0.4)),
            skew=dice.choice((0.0, 2.0, 200.0, 5000.0)),
        )


@dataclass
class Instance:
    """A process: its storage client, its app, and its clock skew in seconds."""

    client: StoreClient
    app: Any
    skew: float


@dataclass
class FaultyDeployment(SimulatedDeployment):
    """A deployment with two processes and random faults; its own `app` has no faults."""

    dice: random.Random = field(default_factory=random.Random)
    rates: FaultRates = FaultRates()
    fault_count: int = 0
    instances: list[Instance] = field(default_factory=list)
    _depth: int = 0

    def start_faults(self, dice: random.Random, rates: FaultRates) -> None:
        """Start the injection of faults."""
        self.dice, self.rates = dice, rates
        # Both simulated processes need a workspace at the same time.
        self.monkeypatch.setattr(memory, "_POOL", memory.FullMemoryPool(8))
        self.monkeypatch.setattr(workspace, "_MOST_OPEN", threading.BoundedSemaphore(8))
        self.instances = [self._new_instance(), self._new_instance()]

    def stop_faults(self) -> None:
        """Stop the injection of faults."""
        self.rates = FaultRates()
        self.instances = [self._new_instance()]

    def called(self, client: StoreClient, ask: Callable[[], Any]) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return ask()  # other threads cannot handle messages meanwhile
        if self._occurs(self.rates.killed_in_call):
            client.dead = True
            if self.dice.random() < 0.5:
                ask().close()
            raise ProcessKilled
        if self._occurs(self.rates.lease_lost):
            self.store.leases.clear()
        before = self.dice.random() < 0.5
        if before:
            self._handle_another_message()
        answer = ask()
        if not before:
            self._handle_another_message()
        return answer

    def _new_instance(self) -> Instance:
        skew = self.dice.uniform(-self.rates.skew, self.rates.skew)
        client = StoreClient(self.store, fault=self._next_fault)
        ahead = timedelta(seconds=skew)
        ticking = Clock()

        def clock() -> float:
            # Time passes quickly, so that a lane ends after a few chunks and sends its next message.
            ticking.forward(self.dice.uniform(1, 60))
            return ticking.seconds()

        runtime = Runtime(
            now=lambda: self.clock.now() + ahead,
            monotonic=clock,
            sleep=self.clock.forward,
            randrange=self.dice.randrange,
        )
        return Instance(client, self.build(client, runtime), skew)

    def _next_fault(self, writes: bool) -> StorageFault | None:
        if self._occurs(self.rates.lost):
            return self.dice.choice((StorageFault.LOST_BEFORE, StorageFault.LOST_AFTER))
        if writes and self._occurs(self.rates.killed):
            return self.dice.choice((StorageFault.KILLED_BEFORE, StorageFault.KILLED_AFTER))
        return None

    def _occurs(self, probability: float) -> bool:
        hit = self.dice.random() < probability
        self.fault_count += hit
        return hit

    def _handle_another_message(self) -> None:
        """Let the other process handle a due message while this one waits."""
        if self._depth >= _MAX_DEPTH or not self._occurs(self.rates.meanwhile):
            return
        due = self._due()
        if due:
            self._deliver_to_an_instance(self.dice.choice(due))

    def _deliver(self) -> bool:
        if not self.store.messages:
            return False
        due = self._due()
        if not due:
            first = min(self.store.messages, key=lambda message: message.visible_at)
            self.clock.forward(first.visible_at - self.clock.seconds())
            # The clock adds floating-point numbers, so it may stop a little before the time.
            due = self._due() or [first]
        self._deliver_to_an_instance(self.dice.choice(due))
        return True

    def _deliver_to_an_instance(self, message: Message) -> None:
        """Deliver a message to a random process, as the platform does."""
        index = self.dice.randrange(len(self.instances))
        instance = self.instances[index]
        message.tries += 1
        if not self._occurs(self.rates.again):  # else another process receives it at the same time
            message.visible_at = self.clock.seconds() + _HIDDEN_SECONDS
        self._depth += 1
        try:
            self._handle(instance.app, message)
        except ProcessKilled:
            if instance is self.instances[index]:
                self.instances[index] = self._new_instance()
                self.process_count += 1
            return
        except ConnectorError:
            if not self._is_given_up(instance, message):
                return
        finally:
            self._depth -= 1
        if self._occurs(self.rates.again):
            return  # the host did not delete it: it is delivered again
        if message in self.store.messages:
            self.store.messages.remove(message)

    def _is_given_up(self, instance: Instance, message: Message) -> bool:
        """Whether a failed message has no attempts left; otherwise it is delivered again."""
        message.visible_at = self.clock.seconds() + 1
        if message.tries < _MOST_DELIVERIES:
            return False
        try:
            self._poison(instance.app, message)
        except (ConnectorError, ProcessKilled):
            return False  # the poison queue has its own attempts
        return True
