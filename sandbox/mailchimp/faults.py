"""Injected faults: which call fails, and how.

A fault matches calls by method and path. It affects the next `times` of them, or each one with a probability drawn
from its own seed, so that a repeated run fails at the same calls.
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "429": "429 as problem+json, nothing applied; with `seconds`, it has a Retry-After header",
    "429-bare": "429 with an empty text body, nothing applied",
    "400-empty": "400 without a body, nothing applied",
    "403-html": "403 HTML of the edge, which means throttling",
    "403-disabled": "403 as problem+json, because the account is disabled",
    "500": "500 as problem+json, nothing applied",
    "503-html": "503 HTML 'Request Blocked' of the edge",
    "504": "504 HTML, nothing applied",
    "504-applied": "504 HTML after the call was applied",
    "reset": "connection reset before anything was applied",
    "reset-applied": "connection reset after the call was applied",
    "truncated": "applied, but the response is truncated",
    "not-json": "applied, 200, but the answer is HTML",
    "200-html": "200 HTML of a proxy, nothing applied",
    "hang": "waits `seconds`, then answers as usual",
}
# The others end a run: no retry helps when the account is disabled.
TEMPORARY = tuple(kind for kind in KINDS if kind != "403-disabled")


@dataclass(slots=True)
class Fault:
    """A fault. `path` is a regular expression searched in the path below /3.0; the first `skip` calls are not affected."""

    kind: str
    method: str | None = None
    path: str = ""
    times: int | None = 1
    probability: float = 1.0
    seed: int = 1
    seconds: float = 0.0
    skip: int = 0
    affected: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the kind and the pattern, or ValueError."""
        if self.kind not in KINDS:
            message = f"unknown kind of fault {self.kind}"
            raise ValueError(message)
        try:
            re.compile(self.path)
        except re.error as error:
            message = "path is not a regular expression"
            raise ValueError(message) from error
        self._random = random.Random(self.seed)

    def affects(self, method: str, path: str) -> bool:
        """Whether this call is affected; counts it if so."""
        if self.times is not None and self.affected >= self.times:
            return False
        if self.method not in (None, method) or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        self.affected += 1
        return True


class Faults:
    """All armed faults; the first that matches is used."""

    def __init__(self) -> None:
        """Nothing armed."""
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> Fault:
        """Add a fault."""
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._armed.clear()

    def find(self, method: str, path: str) -> Fault | None:
        """The fault that affects this call, if any."""
        with self._lock:
            return next((fault for fault in self._armed if fault.affects(method, path)), None)

    def listing(self) -> list[dict[str, Any]]:
        """What is armed, as JSON."""
        names = ("kind", "method", "path", "times", "probability", "seconds", "skip", "affected")
        with self._lock:
            return [{name: getattr(fault, name) for name in names} for fault in self._armed]
