"""Reads JSON bodies strictly, and refuses those that would take long to validate."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import Request

from shared.errors import Fault
from shared.web.problems import HttpProblem

# The largest definition of an export has about 1,500 values; one that comes back from a GET has its
# findings and its last run, too.
_MOST_VALUES = 5_000
_DEEPEST = 20


class JsonRequest(Request):
    """A request whose body must be one JSON object."""

    async def json(self) -> Any:
        """The body. HttpProblem 400 for anything but a JSON object of a sensible size with unique names."""
        # Editors and shells on Windows write a byte order mark into files that are then sent.
        body = (await self.body()).removeprefix(codecs.BOM_UTF8)
        try:
            content = orjson.loads(body)
        except ValueError:
            raise HttpProblem(400, "malformed") from None
        if not isinstance(content, dict):
            raise HttpProblem(400, "notAnObject")
        _refuse_size(content)
        _refuse_repeated_names(body)
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


class _Members(list[tuple[str, object]]):
    """The members of a JSON object, with repeated names."""


def _refuse_repeated_names(body: bytes) -> None:
    """Raise a 400 for names that occur twice in an object: parsers disagree about which value counts (RFC 8259, 4)."""
    repeated = _repeated(json.loads(body, object_pairs_hook=_Members), "")
    faults = [Fault(path, code="input.name_twice") for path in dict.fromkeys(repeated)]
    if faults:
        raise HttpProblem(400, "badRequest", faults=faults)


def _repeated(value: object, path: str) -> Iterator[str]:
    """The paths of repeated names, as faults have them (`mapping.attributes[0].mergeField`)."""
    if isinstance(value, _Members):
        names = set()
        for name, inner in value:
            inner_path = f"{path}.{name}" if path else name
            if name in names:
                yield inner_path
            names.add(name)
            yield from _repeated(inner, inner_path)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _repeated(inner, f"{path}[{index}]")
