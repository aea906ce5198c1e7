"""The mapping between a record and an entity of Table Storage: JSON text split over properties.

    PartitionKey, RowKey   the key `partition/row`; a key of one part has the partition `~`
    version                of this layout and of the value's shape
    write                  the id of the last write
    json0, json1 ...       the value as JSON, in pieces
    by_<column>            strings that queries compare

Errors name an unreadable record by kind and key and never contain its content. Unknown fields are dropped
when the record is written again. A record with an unknown enum value was written by a newer version of the app
(docs/decisions/0047-versions-side-by-side.md).
Limits: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from azure.data.tables import TableEntity
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from shared.errors import ConnectorError, InputError

T = TypeVar("T")

COLUMN = "by_"
WRITE = "write"
VERSION = 1

ALONE = "~"
_PART = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PIECE = 15_000
"""Characters per property. With two UTF-16 units each, they stay below the limit of 32,768."""
_ENTITY_BYTES = 1_000_000
"""An entity has at most 1 MiB, with text in UTF-16; the rest is for keys and columns."""


def split_key(key: str) -> tuple[str, str] | None:
    """Split a key into partition and row; None when it is not a valid key."""
    parts = key.split("/")
    if len(parts) > 2 or not all(_PART.fullmatch(part) for part in parts):
        return None
    return (parts[0], parts[1]) if len(parts) == 2 else (ALONE, parts[0])


def join_key(partition: str, row: str) -> str:
    """Return the key of an entity."""
    return row if partition == ALONE else f"{partition}/{row}"


class EntityForm(Generic[T]):
    """Converts values of one type to entities and back."""

    def __init__(
        self, kind: str, value_type: type[T], columns: Callable[[T], Mapping[str, str]]
    ) -> None:
        self._kind = kind
        self._json: TypeAdapter[T] = TypeAdapter(value_type)
        self._columns = columns

    def entity(self, key: str, value: T, write: str) -> TableEntity:
        """Convert a value. InputError when the key is invalid or the value does not fit."""
        parts = split_key(key)
        if parts is None:
            raise InputError("recordKeyInvalid", kind=self._kind)
        columns = {f"{COLUMN}{name}": column for name, column in self._columns(value).items()}
        try:
            text = self._json.dump_json(value, by_alias=True).decode()
            size = sum(_utf16(part) for part in (text, *columns.values()))
        except (PydanticSerializationError, UnicodeEncodeError):
            raise InputError("recordNotStorable", record=f"{self._kind} {key}") from None
        if size > _ENTITY_BYTES:
            raise InputError("recordTooLarge", record=f"{self._kind} {key}")
        pieces = range(0, len(text), _PIECE)
        return TableEntity(
            PartitionKey=parts[0],
            RowKey=parts[1],
            version=VERSION,
            write=write,
            **{f"json{number}": text[at : at + _PIECE] for number, at in enumerate(pieces)},
            **columns,
        )

    def value(self, key: str, entity: Mapping[str, Any]) -> T:
        """Convert an entity. ConnectorError when a newer version wrote it, or it is damaged."""
        version = entity.get("version")
        if isinstance(version, int) and version > VERSION:
            raise self._newer(key)
        pieces = [entity[name] for name in _piece_names(entity)]
        try:
            return self._json.validate_json("".join(pieces))
        except (ValidationError, TypeError) as error:
            if _has_unknown_enum_values_only(error):
                raise self._newer(key) from None
            raise ConnectorError("recordDamaged", record=f"{self._kind} {key}") from None

    def _newer(self, key: str) -> ConnectorError:
        return ConnectorError("recordNewer", record=f"{self._kind} {key}")


def _has_unknown_enum_values_only(error: ValidationError | TypeError) -> bool:
    """Whether unknown enum values are the only errors of a record."""
    return isinstance(error, ValidationError) and all(
        one["type"] == "enum" for one in error.errors(include_input=False, include_url=False)
    )


def _piece_names(entity: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    while (name := f"json{len(names)}") in entity:
        names.append(name)
    return names


def _utf16(text: str) -> int:
    """The size of a string in bytes, as Table Storage counts it."""
    return len(text.encode("utf-16-le"))
