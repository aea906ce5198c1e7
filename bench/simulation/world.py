"""Runs in simulated time: planners, lanes, finishers and the tick, with the app's own numbers.

Modeled step by step after planning/planner.py, sending/lane.py, finishing/finish.py and runs/watchdog.py: slots, waiting
times and repeated sends. Not modeled: the content of chunks, failing storage, the pages. A step that uses storage costs `processor` seconds of its instance.
"""

from __future__ import annotations

import random
from collections.abc import Generator

from bench.simulation.account import Account, Mailchimp, Slot
from bench.simulation.clock import Clock, Gate, Steps
from bench.simulation.platform import Call, Function, Hosting
from bench.simulation.run import Costs, Run, State
from shared.capacity import on_demand
from shared.model.chunk import CHUNK_SIZE
from shared.runs.watchdog import STALLED_AFTER
from shared.sending import lane, worker

# As planning/planner.py and finishing/finish.py have them in their code.
_SEEN_BEING_PLANNED = 10.0
_PATIENCE_FOR_A_SLOT = 60.0
_FINISH_SEEN = 5.0
_TICK = 300.0


class World:
    """All accounts, runs and functions; `add` queues a run."""

    def __init__(self, hosting: Hosting, mailchimp: Mailchimp, costs: Costs, seed: int = 1) -> None:
        self.clock = Clock()
        self.rng = random.Random(seed)
        self.costs = costs
        self.accounts: list[Account] = []
        self.runs: list[Run] = []
        self.open = 0
        self._mailchimp = mailchimp
        self.plans = Function(self.clock, hosting, self._plan, self._plan_given_up, self.rng)
        self.lanes = Function(self.clock, hosting, self._lane, lambda _: None, self.rng)

    def account(self) -> Account:
        """A new account."""
        made = Account(str(len(self.accounts)), self.clock, self._mailchimp, self.rng)
        self.accounts.append(made)
        return made

    def add(self, account: Account, people: int, changed: int) -> Run:
        """Queue a run of `people`, `changed` of which must be sent."""
        run = Run(len(self.runs), account, people, changed, moved=self.clock.now)
        self.runs.append(run)
        self.open += 1
        self.plans.send(run)
        return run

    def go(self, longest: float) -> bool:
        """Simulate until every run is over; False if that takes more than `longest` seconds."""
        self.clock.after(_TICK, self._tick)
        return self.clock.run(lambda: self.open == 0, longest)

    # --- planning --------------------------------------------------------------------------

    def _plan(self, call: Call) -> Steps:
        run: Run = call.message.body
        if run.is_over:
            return
        if run.state is not State.PLANNING:
            self._start_lanes(run, run.account.mailchimp.connections)
            return
        if run.planner is not None:
            self.plans.send(run, _SEEN_BEING_PLANNED)
            return
        run.planner = call
        call.killed = lambda: self._lose(run, None)
        yield call.instance.room
        slot = yield from self._on_demand_slot(call, run, _PATIENCE_FOR_A_SLOT)
        if slot is None:
            run.planner, call.failed = None, True
            call.instance.room.leave()
            return
        call.killed = lambda: self._lose(run, slot)
        looking = run.account.call(self.costs.read_call)
        yield looking
        run.account.release(slot)
        call.killed = lambda: self._lose(run, None)
        share = self.costs.plan_per_million * run.people / 1_000_000
        yield max(0.0, self.costs.plan + share - looking)
        call.instance.room.leave()
        self._planned(run)
        if run.waiting > 1:
            self._start_lanes(run, min(run.account.mailchimp.connections, run.waiting))
        elif call.instance.room.is_taken:
            self._start_lanes(run, 1)
        else:
            call.killed = None
            yield from self._run_lane(call, run, 0)

    def _planned(self, run: Run) -> None:
        run.planner = None
        run.moved = run.planned = self.clock.now
        run.waiting = -(-run.changed // CHUNK_SIZE)
        run.state = State.SENDING
        if run.waiting:
            run.account.pace.join(
                run.account.name, str(run.number), lambda other: not self.runs[int(other)].is_over
            )

    def _start_lanes(self, run: Run, count: int) -> None:
        for number in range(count):
            self.lanes.send((run, number))

    def _plan_given_up(self, body: Run) -> None:
        self._over(body, State.FAILED)

    # --- sending ---------------------------------------------------------------------------

    def _lane(self, call: Call) -> Steps:
        run, number = call.message.body
        if run.is_over or run.state is State.PLANNING:
            return
        yield from self._run_lane(call, run, number)

    def _run_lane(self, call: Call, run: Run, number: int) -> Steps:
        if run.state is State.FINISHING:
            yield from self._finish(call, run)
            return
        account: Account = run.account
        allowed = account.pace.allowance(account.name)
        slot = account.take(allowed.slots, number) if number < allowed.lanes else None
        if slot is None:
            if number == 0 and self.clock.now - run.moved >= lane.MARK_WAITING.total_seconds():
                run.moved = self.clock.now
            self.lanes.send((run, number), lane.pause_without_slot(allowed))
            return
        call.killed = lambda: account.abandon(slot)
        again, finish = yield from self._work(call, run, number, slot)
        account.release(slot)
        call.killed = None
        if finish:
            yield from self._finish(call, run)
        elif again is not None:
            self.lanes.send((run, number), again)

    def _work(
        self, call: Call, run: Run, number: int, slot: Slot
    ) -> Generator[float | Gate, None, tuple[float | None, bool]]:
        """Send chunk after chunk; returns the seconds until the next message, and whether to finish."""
        account = run.account
        until = self.clock.now + worker.SLICE_SECONDS
        while True:
            if run.is_over:
                return None, False
            if run.state is not State.SENDING:
                return None, True
            if self.clock.now >= until:
                return 0.0, False
            allowed = account.pace.allowance(account.name)
            if slot.index >= allowed.slots or number >= allowed.lanes:
                return worker.WAIT_FOR_SLOT, False
            if not self._claim(run, slot):
                return (worker.WAIT_FOR_OTHERS, False) if run.under_way else (None, True)
            yield self._processor(call)
            yield account.call(account.mailchimp.write_seconds)
            if account.is_throttled():
                account.pace.throttled(account.name)
                run.under_way.remove(slot)
                run.waiting += 1
                return 2.0, False
            if slot in run.under_way:
                run.under_way.remove(slot)
                run.done_at.append(self.clock.now)
            run.moved = self.clock.now

    def _claim(self, run: Run, slot: Slot) -> bool:
        self._free_dead(run)
        if not run.waiting:
            return False
        run.waiting -= 1
        run.under_way.append(slot)
        return True

    def _free_dead(self, run: Run) -> None:
        dead = [slot for slot in run.under_way if slot.ends <= self.clock.now]
        for slot in dead:
            run.under_way.remove(slot)
            run.waiting += 1
            run.doubled += 1

    def _processor(self, call: Call) -> float:
        """The seconds until the one processor of the instance has done this work and the work before it."""
        instance = call.instance
        begins = max(self.clock.now, instance.processor_free)
        instance.processor_free = begins + self.costs.processor
        return instance.processor_free - self.clock.now

    # --- finishing -------------------------------------------------------------------------

    def _finish(self, call: Call, run: Run) -> Steps:
        if run.is_over:
            return
        run.state = State.FINISHING
        self._free_dead(run)
        if run.under_way or run.waiting:
            run.state = State.SENDING
            self.lanes.send((run, 0), 1.0 if run.under_way else 0.0)
            return
        if run.finisher is not None:
            self.lanes.send((run, 0), _FINISH_SEEN)
            return
        run.finisher = call
        call.killed = lambda: self._lose(run, None)
        yield call.instance.room
        yield self.costs.finish / 2
        slot = run.account.take()
        if slot is None:
            run.finisher = None
            call.instance.room.leave()
            run.account.pace.reserve_slot(run.account.name)
            self.lanes.send((run, 0), _FINISH_SEEN)
            return
        call.killed = lambda: self._lose(run, slot)
        yield run.account.call(self.costs.read_call)
        run.account.release(slot)
        call.killed = lambda: self._lose(run, None)
        yield self.costs.finish / 2
        call.instance.room.leave()
        run.account.pace.leave(run.account.name, str(run.number))
        self._over(run, State.CLOSED)

    def _over(self, run: Run, state: State) -> None:
        if not run.is_over:
            run.state, run.ended = state, self.clock.now
            self.open -= 1

    # --- all of them -------------------------------------------------------------------------

    def _on_demand_slot(
        self, call: Call, run: Run, patience: float
    ) -> Generator[float | Gate, None, Slot | None]:
        until = self.clock.now + patience
        while (slot := run.account.take()) is None:
            if self.clock.now >= until:
                return None
            run.account.pace.reserve_slot(run.account.name)
            yield on_demand._LOOK_EVERY
        return slot

    def _lose(self, run: Run, slot: Slot | None) -> None:
        """Free what a killed planner or finisher held, as soon as its lease ends."""
        if slot is not None:
            run.account.abandon(slot)

        def free() -> None:
            run.planner = run.finisher = None

        self.clock.after(30.0, free)

    def _tick(self) -> None:
        for run in self.runs:
            if run.is_over or self.clock.now - run.moved < STALLED_AFTER.total_seconds():
                continue
            if run.state is State.PLANNING:
                self.plans.send(run)
            else:
                self._start_lanes(run, run.account.mailchimp.connections)
        if self.open:
            self.clock.after(_TICK, self._tick)
