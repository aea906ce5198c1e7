"""Bodies that are read as far as possible, so that an answer names all faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from shared.errors import Fault
from shared.web.models.base import Body, faults_of

# Placeholders may bring other faults to light, such as those of a part that was not looked at before.
_TRIES = 3


class PartialBody(Body):
    """A body with faults is read as far as possible.

    A value that cannot be read must not hide the faults that other rules find in the rest. It is replaced by the
    placeholder of its name, or left out if its name has none. `name[]` is the placeholder of an entry of a list.
    """

    placeholders: ClassVar[Mapping[str, Any]] = {}

    _faults: tuple[Fault, ...] = PrivateAttr(default=())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the values that could not be read."""
        return self._faults

    @property
    def unread(self) -> frozenset[str]:
        """The paths of the values that could not be read and are placeholders."""
        return frozenset(fault.field for fault in self._faults)

    @model_validator(mode="wrap")
    @classmethod
    def _as_far_as_possible(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as invalid:
            if not isinstance(data, dict):
                raise
            readable, found, first = deepcopy(data), invalid, invalid
        for _ in range(_TRIES):
            for detail in found.errors():
                _replace(readable, detail["loc"], cls.placeholders)
            try:
                body = handler(readable)
            except ValidationError as again:
                found = again
                continue
            body._faults = tuple(faults_of(first))
            return body
        raise first


def _replace(data: Any, path: tuple[int | str, ...], placeholders: Mapping[str, Any]) -> None:
    """Replace the value at a path by its placeholder, or delete it."""
    *outer, last = path or ("",)
    names = [part for part in path if isinstance(part, str)]
    try:
        for part in outer:
            data = data[part]
        if isinstance(last, int):
            data[last] = deepcopy(placeholders[f"{names[-1]}[]"])
        elif last in placeholders:
            data[last] = deepcopy(placeholders[last])
        else:
            data.pop(last, None)
    except (AttributeError, IndexError, KeyError, TypeError):
        # A value around it was replaced before.
        return
