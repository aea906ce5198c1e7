"""Remembers responses of the Customer Insights API, so that pages do not wait for it each time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from shared.errors import ConnectorError, TimeUp

T = TypeVar("T")

_SECONDS = 60.0


class Remembered(Generic[T]):
    """Calls a function at most once in a number of seconds, and returns or raises the same in between.

    A failure is remembered too, because the timeout of the API is too long for a page. Only the failure of a request
    whose time was up is not. `clock` returns seconds.
    """

    def __init__(
        self, ask: Callable[[], T], clock: Callable[[], float], seconds: float = _SECONDS
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._seconds = seconds
        self._answer: T | ConnectorError | None = None
        self._until: float | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Return the remembered or a new response. Raises the errors of the function."""
        with self._lock:
            if self._until is None or self._clock() >= self._until:
                try:
                    self._answer = self._ask()
                except TimeUp:
                    raise  # it says nothing about the API
                except ConnectorError as error:
                    self._answer = error
                self._until = self._clock() + self._seconds
            answer = self._answer
        if isinstance(answer, ConnectorError):
            raise answer
        return cast("T", answer)
