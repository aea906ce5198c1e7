"""Bad weather: two processes with clocks of their own on one storage, and all that can befall them.

Everything comes from one seed: messages come in any order and more than once; a process dies at a
write or a call; storage does not answer, with or without having done what it was asked; leases are
lost; and while one process waits for Mailchimp, the other one works.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import workspace as workroom
from shared.errors import ConnectorError
from shared.runtime import Runtime
from tests.fakes import Clock, Killed, Message, Strike, Wire
from tests.faults.simulated_deployment import Mill

_MOST_DELIVERIES = 5
_HIDDEN_SECONDS = 60.0
_DEEPEST = 2


@dataclass(frozen=True)
class Odds:
    """How often something strikes, of 1; `skew` is how far a clock may be off, in seconds."""

    lost: float = 0.0
    killed: float = 0.0
    killed_in_call: float = 0.0
    lease_lost: float = 0.0
    meanwhile: float = 0.0
    again: float = 0.0
    skew: float = 0.0

    @property
    def clocks_agree(self) -> bool:
        """Whether clocks are off by less than what is reckoned with (sending/write.py)."""
        return self.skew <= 200

    @staticmethod
    def drawn(dice: random.Random) -> Odds:
        """Some weather: each thing rarely, often or not at all."""
        return Odds(
            lost=dice.choice((0.0, 0.01, 0.04)),
            killed=dice.choice((0.0, 0.005, 0.02)),
            killed_in_call=dice.choice((0.0, 0.03, 0.1)),
            lease_lost=dice.choice((0.0, 0.05, 0.2)),
            meanwhile=dice.choice((0.0, 0.2, 0.6)),
            again=dice.choice((0.0, 0.1, 0.4)),
            skew=dice.choice((0.0, 2.0, 200.0, 5000.0)),
        )


@dataclass
class Worker:
    """A process: its way to storage, the app in it, and by how many seconds its clock is off."""

    wire: Wire
    house: Any
    skew: float


@dataclass
class RoughMill(Mill):
    """A mill with two processes in bad weather; its own `house` watches and is never struck."""

    dice: random.Random = field(default_factory=random.Random)
    odds: Odds = Odds()
    struck: int = 0
    crew: list[Worker] = field(default_factory=list)
    _depth: int = 0

    def begin(self, dice: random.Random, odds: Odds) -> None:
        """Let the weather begin."""
        self.dice, self.odds = dice, odds
        # Here two processes are in one; each has a room of its own.
        self.monkeypatch.setattr(workroom, "_ONE_AT_A_TIME", threading.BoundedSemaphore(8))
        self.crew = [self._worker(), self._worker()]

    def calm_down(self) -> None:
        """Let it end: from now on nothing goes wrong."""
        self.odds = Odds()
        self.crew = [self._worker()]

    def called(self, wire: Wire, ask: Callable[[], Any]) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return ask()  # where others look on, nobody else can work meanwhile
        if self._strikes(self.odds.killed_in_call):
            wire.dead = True
            if self.dice.random() < 0.5:
                ask().close()
            raise Killed
        if self._strikes(self.odds.lease_lost):
            self.store.leases.clear()
        before = self.dice.random() < 0.5
        if before:
            self._meanwhile()
        answer = ask()
        if not before:
            self._meanwhile()
        return answer

    def _worker(self) -> Worker:
        skew = self.dice.uniform(-self.odds.skew, self.odds.skew)
        wire = Wire(self.store, strike=self._strike)
        ahead = timedelta(seconds=skew)
        ticking = Clock()

        def clock() -> float:
            # A shift ends after a few parcels, so that lanes hand themselves on.
            ticking.forward(self.dice.uniform(1, 60))
            return ticking.seconds()

        runtime = Runtime(
            now=lambda: self.clock.now() + ahead,
            monotonic=clock,
            sleep=self.clock.forward,
            randrange=self.dice.randrange,
        )
        return Worker(wire, self.build(wire, runtime), skew)

    def _strike(self, writes: bool) -> Strike | None:
        if self._strikes(self.odds.lost):
            return self.dice.choice((Strike.LOST_BEFORE, Strike.LOST_AFTER))
        if writes and self._strikes(self.odds.killed):
            return self.dice.choice((Strike.KILLED_BEFORE, Strike.KILLED_AFTER))
        return None

    def _strikes(self, odds: float) -> bool:
        hit = self.dice.random() < odds
        self.struck += hit
        return hit

    def _meanwhile(self) -> None:
        """While one process waits, another handles a message that is due."""
        if self._depth >= _DEEPEST or not self._strikes(self.odds.meanwhile):
            return
        due = self._due()
        if due:
            self._hand_over(self.dice.choice(due))

    def _deliver(self) -> bool:
        if not self.store.messages:
            return False
        due = self._due()
        if not due:
            first = min(message.visible_at for message in self.store.messages)
            self.clock.forward(first - self.clock.seconds())
            due = self._due()
        self._hand_over(self.dice.choice(due))
        return True

    def _hand_over(self, message: Message) -> None:
        """Let a process handle a message, as the platform does."""
        place = self.dice.randrange(len(self.crew))
        worker = self.crew[place]
        message.tries += 1
        if not self._strikes(self.odds.again):  # else another process gets it at the same time
            message.visible_at = self.clock.seconds() + _HIDDEN_SECONDS
        self._depth += 1
        try:
            self._handle(worker.house, message)
        except Killed:
            if worker is self.crew[place]:
                self.crew[place] = self._worker()
                self.lives += 1
            return
        except ConnectorError:
            if not self._is_given_up(worker, message):
                return
        finally:
            self._depth -= 1
        if self._strikes(self.odds.again):
            return  # the host did not get to delete it: it comes again
        if message in self.store.messages:
            self.store.messages.remove(message)

    def _is_given_up(self, worker: Worker, message: Message) -> bool:
        """Whether the queue gives up a message that failed; else it comes again."""
        message.visible_at = self.clock.seconds() + 1
        if message.tries < _MOST_DELIVERIES:
            return False
        try:
            self._poison(worker.house, message)
        except (ConnectorError, Killed):
            return False  # the poison queue has tries of its own
        return True
