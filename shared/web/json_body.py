"""Reads JSON bodies strictly, and refuses those that would take long to validate."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from shared.web.problems import HttpProblem

# The largest definition of an export has about 1,500 values; one that comes back from a GET has its
# findings and its last run, too.
_MOST_VALUES = 5_000
_DEEPEST = 20


class JsonRequest(Request):
    """A request whose body must be one JSON object."""

    async def json(self) -> Any:
        """The body. HttpProblem 400 for anything but a JSON object of a sensible size."""
        try:
            content = orjson.loads(await self.body())
        except ValueError:
            raise HttpProblem(400, "malformed") from None
        if not isinstance(content, dict):
            raise HttpProblem(400, "notAnObject")
        _refuse_size(content)
        return content


def _refuse_size(content: object) -> None:
    """Raise a 400 for a value that nests too deeply or has too many parts."""
    level, parts = [content], 0
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        parts += len(level)
        if parts > _MOST_VALUES:
            raise HttpProblem(400, "tooManyValues", values={"most": f"{_MOST_VALUES:,}"})
        if not level:
            return
    raise HttpProblem(400, "malformed")
