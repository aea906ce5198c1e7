"""Caches responses of the Customer Insights API, so that pages do not wait for it each time.

A response is cached for a minute. A failure is cached, too, because the timeout of the API is too long for a
page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.errors import ConnectorError
from shared.model.source import Attribute
from shared.segments.described import Descriptions
from shared.segments.rest import ApiSegment

__all__ = ["Remembered"]

_SECONDS = 60.0


@dataclass(frozen=True)
class _Answer:
    until: float
    found: Any = None
    error: ConnectorError | None = None


class Remembered:
    """Keeps Descriptions. `clock` returns seconds; equal calls are made one at a time."""

    def __init__(
        self, api: Descriptions, clock: Callable[[], float], seconds: float = _SECONDS
    ) -> None:
        self._api = api
        self._clock = clock
        self._seconds = seconds
        self._answers: dict[str, _Answer] = {}
        self._lock = threading.Lock()

    def segments(self) -> list[ApiSegment]:
        """Every segment of the environment."""
        found: list[ApiSegment] = self._asked("segments", self._api.segments)
        return found

    def attributes(self, entity: str = "Customer") -> list[Attribute]:
        """The attributes of an entity."""
        found: list[Attribute] = self._asked(
            f"attributes {entity}", lambda: self._api.attributes(entity)
        )
        return found

    def _asked(self, question: str, ask: Callable[[], Any]) -> Any:
        with self._lock:
            answer = self._answers.get(question)
            if answer is None or self._clock() >= answer.until:
                try:
                    answer = _Answer(self._clock() + self._seconds, ask())
                except ConnectorError as error:
                    answer = _Answer(self._clock() + self._seconds, error=error)
                self._answers[question] = answer
        if answer.error is not None:
            raise answer.error
        return answer.found
