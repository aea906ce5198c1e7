"""The function app as the host sees it: functions with their bindings, and an engine that runs them.

Two engines give this view of the same `function_app.py`: `runtime_engine` (Microsoft's own worker
library) and `sdk_engine` (the SDK's converters). The host above them is the same.
Bindings keep the field names of function.json, because triggers and outputs are configured by them.
https://learn.microsoft.com/azure/azure-functions/functions-reference-python
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from azure.functions.meta import Datum


class StartError(Exception):
    """The app cannot start; the message is one sentence for the person at the terminal."""


class InvocationFailed(Exception):
    """The function raised, or returned something that its binding cannot carry."""


@dataclass(frozen=True)
class Binding:
    """One binding of a function, with its settings as function.json names them."""

    name: str
    type: str
    is_output: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """One function: its name, the engine's id for it, and its bindings."""

    name: str
    id: str
    bindings: tuple[Binding, ...]

    @property
    def trigger(self) -> Binding:
        """The one binding that starts it.

        Raises:
            StartError: it has no trigger, or more than one.
        """
        triggers = [one for one in self.bindings if one.type.lower().endswith("trigger")]
        if len(triggers) != 1:
            msg = f"Function {self.name} has {len(triggers)} triggers instead of one."
            raise StartError(msg)
        return triggers[0]

    @property
    def outputs(self) -> tuple[Binding, ...]:
        """Its output bindings."""
        return tuple(one for one in self.bindings if one.is_output)


@dataclass(frozen=True)
class Answer:
    """The result of one invocation: the returned value, and the values of the `Out` parameters."""

    returned: Datum | None
    outputs: Mapping[str, Datum]


class Engine(Protocol):
    """Loads an app and runs its functions; `invoke` blocks and may be called from many threads."""

    @property
    def label(self) -> str:
        """Which engine this is, for the first line of the log."""
        ...

    @property
    def functions(self) -> tuple[Function, ...]:
        """Every function of the app."""
        ...

    def invoke(
        self, function: Function, invocation_id: str, data: Datum, metadata: Mapping[str, Datum]
    ) -> Answer:
        """Run one function.

        Args:
            function: one of `functions`.
            invocation_id: the id of this run in the function's Context and in the log.
            data: what the trigger delivers.
            metadata: the trigger's fields (of a queue message: Id, DequeueCount, ...).

        Raises:
            InvocationFailed: after the traceback has been logged.
        """
        ...


def function_from_raw(name: str, function_id: str, raw_bindings: Iterable[str]) -> Function:
    """A Function from the JSON texts in which both engines describe bindings."""
    bindings = []
    for raw in raw_bindings:
        settings = json.loads(raw)
        bindings.append(
            Binding(
                name=settings["name"],
                type=settings["type"],
                is_output=str(settings.get("direction", "IN")).upper() == "OUT",
                settings=settings,
            )
        )
    return Function(name, function_id, tuple(bindings))
