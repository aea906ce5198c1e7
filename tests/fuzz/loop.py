"""The fuzzing loop of one target: known inputs first, then mutated ones until the time has passed.

Coverage is which steps from line to line of shared/ were taken (what DuckDB does inside shows in
what a target reports).
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import CORPUS, TARGETS, Target

_SLOW = 20
_SHARED = str(Path(__file__).parents[2] / "shared")


class Sight:
    """The steps from line to line of shared/ that were taken so far."""

    def __init__(self) -> None:
        self.steps: set[tuple[int, int, int]] = set()
        self._last = 0

    def __enter__(self) -> Sight:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_SHARED):
            return None
        self._last = 0
        return self._step

    def _step(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            self.steps.add((id(frame.f_code), self._last, frame.f_lineno))
            self._last = frame.f_lineno
        return self._step


class TooSlowError(Exception):
    """An input took so long that it could block the app."""


def _alarm(_signal: int, _frame: object) -> None:
    raise TooSlowError


def fuzz(target: Target, seconds: float, keep: bool, seed: int, now: Path) -> tuple[int, int, int]:
    """Fuzz a target. Returns the numbers of inputs, of new interesting inputs, and of faults."""
    dice = random.Random(seed)
    signal.signal(signal.SIGALRM, _alarm)
    sight, shown = Sight(), set[object]()
    pool: list[bytes] = []
    runs = fresh = 0
    faults: set[str] = set()
    waiting = [path.read_bytes() for path in target.corpus()] or [b""]
    known = len(waiting)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = waiting.pop() if waiting else mutated(dice.choice(pool), pool, target.tokens, dice)
        now.write_bytes(data)
        before = len(sight.steps)
        runs += 1
        signal.alarm(_SLOW)
        try:
            with sight:
                seen = target.run(data)
        except BaseException as error:
            signal.alarm(0)
            if isinstance(error, KeyboardInterrupt):
                raise
            where = _place(error)
            if where not in faults:
                faults.add(where)
                write(target, "fault", data)
                traceback.print_exc(limit=-4)
            if not pool:
                pool.append(b"")
            continue
        signal.alarm(0)
        if len(sight.steps) > before or seen not in shown or not pool:
            shown.add(seen)
            pool.append(data)
            if runs > known:
                fresh += 1
                if keep:
                    write(target, "found", data)
    return runs, fresh, len(faults)


def _place(error: BaseException) -> str:
    """The line that raised an error; errors of the same line are one fault."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(_SHARED)]
    frame = ours[-1] if ours else last
    return f"{type(error).__name__} {frame.filename} {frame.lineno}"


def write(target: Target, kind: str, data: bytes) -> None:
    """Store an input in the corpus."""
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def work(name: str, seconds: float, keep: bool, seed: int, now: str) -> None:
    """Fuzz in a separate process, which ends with 1 if a rule was broken."""
    target = TARGETS[name]
    began = time.monotonic()
    runs, fresh, faults = fuzz(target, seconds, keep, seed, Path(now))
    spent = time.monotonic() - began
    print(f"{name}: {runs} inputs in {spent:.0f} s, {fresh} showed something new, {faults} faults")
    sys.stdout.flush()
    os._exit(1 if faults else 0)
