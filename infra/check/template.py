"""A Bicep file as declarations: parameters, variables, resources, modules, outputs.

Literals are Python values; everything else stays an `Expression` with its text. `reading` makes
these from a file.
https://learn.microsoft.com/azure/azure-resource-manager/bicep/file
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.check.fault import Fault

__all__ = [
    "Expression",
    "ModuleCall",
    "Object",
    "Output",
    "Parameter",
    "Reference",
    "Resource",
    "Template",
    "Value",
    "walk",
]


@dataclass(frozen=True)
class Expression:
    """What is known only when deployed, as written."""

    text: str


@dataclass
class Object:
    """Properties in order, with the line each stands on."""

    values: dict[str, Value] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def get(self, *path: str) -> Value:
        """The value at a path of names, or None where there is none."""
        here: Value = self
        for name in path:
            if not isinstance(here, Object):
                return None
            here = here.values.get(name)
        return here


Value = str | int | bool | None | Expression | Object | list["Value"]


@dataclass(frozen=True)
class Parameter:
    """`required` when it has no default. `decorators` maps a name to its arguments."""

    name: str
    type: str
    required: bool
    default: Value
    decorators: dict[str, list[Value]]
    line: int


@dataclass(frozen=True)
class Resource:
    """`type` is complete (parents included); `version` is '' for a nested one without its own."""

    symbol: str
    type: str
    version: str
    existing: bool
    body: Object
    line: int


@dataclass(frozen=True)
class ModuleCall:
    """A call of another file of ours."""

    symbol: str
    path: str
    body: Object
    line: int


@dataclass(frozen=True)
class Output:
    """A value handed out of the file."""

    name: str
    type: str
    value: Value
    line: int
    decorators: dict[str, list[Value]]


@dataclass(frozen=True)
class Reference:
    """`symbol.a.b` as written somewhere."""

    symbol: str
    path: tuple[str, ...]
    line: int


@dataclass
class Template:
    """One file, read."""

    path: str
    text: str
    syntax: list[Fault] = field(default_factory=list)
    scope: str = "resourceGroup"
    parameters: dict[str, Parameter] = field(default_factory=dict)
    variables: dict[str, Value] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    modules: dict[str, ModuleCall] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    locals: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)


def walk(value: Value, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Every value below a value, with its path; lists do not add to the path."""
    yield path, value
    if isinstance(value, Object):
        for name, inner in value.values.items():
            yield from walk(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)
