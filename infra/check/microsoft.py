"""What Microsoft's published models say about a resource: names, kinds, choices, what is read only.

The models are those of the azure-mgmt-* packages on PyPI, generated from the same descriptions as
the REST interface. They come in two generations; both end up as one `Shape`. A package carries one
API version, close to the one the Bicep names but not always the same: a property newer than the
Bicep's version would pass here and be refused by `az bicep build`.
https://learn.microsoft.com/python/api/overview/azure/
"""

from __future__ import annotations

import enum
import importlib
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Field", "Shape", "discriminator", "field_of", "load", "shape"]


@dataclass(frozen=True)
class Field:
    """One property. `kind`: text, number, flag, map, any, or a class; `many` for a list of it."""

    kind: object
    many: bool = False
    choices: frozenset[str] = frozenset()
    read_only: bool = False


Shape = dict[str, Field]


def load(name: str) -> type:
    """The class named `module:Class`."""
    module, _, cls = name.partition(":")
    return typing.cast("type", getattr(importlib.import_module(module), cls))


@cache
def shape(cls: type, discriminator: str = "") -> Shape:
    """The properties of a model by REST name; `discriminator` picks one of several kinds."""
    chosen = _subtype(cls, discriminator)
    if hasattr(chosen, "_attribute_map"):
        return _older(chosen)
    return _newer(chosen)


def field_of(cls: type, path: tuple[str, ...]) -> Field | None:
    """The property at a path of REST names, or None where Microsoft knows none."""
    here: Field | None = Field(cls)
    for name in path:
        if here is None or here.many:
            return None
        if here.kind in ("map", "any"):
            return Field("any")
        if isinstance(here.kind, dict):
            here = here.kind.get(name)
        elif isinstance(here.kind, type):
            here = shape(here.kind).get(name)
        else:
            return None
    return here


def discriminator(cls: Any) -> str:
    """The REST name of the property that picks a kind, or ''."""
    if hasattr(cls, "_subtype_map"):
        attribute = next(iter(cls._subtype_map), "")
        return str(cls._attribute_map[attribute]["key"]) if attribute else ""
    for item in getattr(cls, "__dict__", {}).values():
        if getattr(item, "_is_discriminator", False):
            return str(item._rest_name)
    return ""


def _subtype(cls: Any, value: str) -> type:
    if not value:
        return typing.cast("type", cls)
    if hasattr(cls, "_subtype_map"):
        module = importlib.import_module(cls.__module__.rsplit(".", 1)[0])
        for kinds in cls._subtype_map.values():
            if value in kinds:
                return typing.cast("type", getattr(module, kinds[value]))
        return typing.cast("type", cls)
    mapping: dict[str, type] = getattr(cls, "__mapping__", {})
    return mapping.get(value, typing.cast("type", cls))


def _older(cls: Any) -> Shape:
    """msrest models: `_attribute_map` with dotted keys and type names."""
    module = importlib.import_module(cls.__module__.rsplit(".", 1)[0])
    validation = getattr(cls, "_validation", {})
    found: dict[str, Any] = {}
    for attribute, described in cls._attribute_map.items():
        *outer, last = (part.replace("\\", "") for part in described["key"].split("."))
        here = found
        for name in outer:
            here = here.setdefault(name, {})
        leaf = _older_field(described["type"], module)
        read_only = bool(validation.get(attribute, {}).get("readonly"))
        here[last] = Field(leaf.kind, leaf.many, leaf.choices, read_only)
    return _close(found)


def _close(found: dict[str, Any]) -> Shape:
    return {
        name: Field(_close(inner)) if isinstance(inner, dict) else inner
        for name, inner in found.items()
    }


def _older_field(described: str, module: types.ModuleType) -> Field:
    if described.startswith("["):
        inner = _older_field(described[1:-1], module)
        return Field(inner.kind, many=True, choices=inner.choices)
    if described.startswith("{"):
        return Field("map")
    simple = {"str": "text", "int": "number", "float": "number", "bool": "flag"}
    if described in simple:
        return Field(simple[described])
    cls = getattr(module, described, None)
    return _field_from(cls) if cls is not None else Field("any")


def _newer(cls: Any) -> Shape:
    """Newer models: annotations, and `_rest_name` on each field."""
    package = importlib.import_module(cls.__module__.rsplit(".", 1)[0])
    fields = cls({})._attr_to_rest_field
    found: Shape = {}
    for base in reversed(cls.__mro__):
        names = {
            "_models": package,
            "datetime": importlib.import_module("datetime"),
            "JSON": dict,
        }
        outer = vars(importlib.import_module(base.__module__))
        for attribute, annotation in getattr(base, "__annotations__", {}).items():
            if attribute not in fields:
                continue
            evaluated = (
                eval(annotation, outer, names)  # noqa: S307 - Microsoft's own source text
                if isinstance(annotation, str)
                else annotation
            )
            about = fields[attribute]
            leaf = _newer_field(evaluated, outer, names)
            read_only = list(about._visibility or []) == ["read"]
            found[about._rest_name] = Field(leaf.kind, leaf.many, leaf.choices, read_only)
    return found


def _newer_field(annotation: Any, outer: dict[str, Any], names: dict[str, Any]) -> Field:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = eval(annotation, outer, names)  # noqa: S307 - Microsoft's own source text
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        inner = [
            _newer_field(argument, outer, names)
            for argument in arguments
            if argument is not type(None)
        ]
        choices = frozenset[str]().union(*(one.choices for one in inner))
        first = next((one for one in inner if isinstance(one.kind, type) or one.many), inner[0])
        return Field(first.kind, first.many, choices)
    if origin is list:
        element = _newer_field(arguments[0], outer, names)
        return Field(element.kind, many=True, choices=element.choices)
    if origin is dict:
        return Field("map")
    if origin is typing.Literal:
        return Field("text", choices=frozenset(_plain(one) for one in arguments))
    return _field_from(annotation)


def _plain(value: object) -> str:
    return str(value.value) if isinstance(value, enum.Enum) else str(value)


def _field_from(cls: Any) -> Field:
    if isinstance(cls, type) and issubclass(cls, enum.Enum):
        return Field("text", choices=frozenset(str(member.value) for member in cls))
    simple: dict[Any, str] = {str: "text", int: "number", float: "number", bool: "flag"}
    if cls in simple:
        return Field(simple[cls])
    if isinstance(cls, type) and (hasattr(cls, "_attribute_map") or hasattr(cls, "__mapping__")):
        return Field(cls)
    if isinstance(cls, type) and hasattr(cls, "_is_model"):
        return Field(cls)
    return Field("any")
