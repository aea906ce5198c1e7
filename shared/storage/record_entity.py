"""How a record lies in an entity of Table storage: JSON text, cut over properties.

    PartitionKey, RowKey   the key `partition/row`; a key of one part has the partition `~`
    version                of this layout and of the value's shape
    write                  the id of the write that left it so
    json0, json1 ...       the value as JSON, in pieces
    by_<column>            texts that queries compare

Rules: a record that this program cannot read is named by kind and key, never by content. Fields that
it does not know are left out when it writes the record again; a value of an enum that it does not know
is a newer program's (docs/decisions/0047-versions-side-by-side.md).
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

__all__ = ["COLUMN", "WRITE", "EntityForm", "join_key", "split_key"]

T = TypeVar("T")

COLUMN = "by_"
WRITE = "write"
VERSION = 1

_ALONE = "~"
_PART = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PIECE = 15_000
"""Characters per property: even if each takes two UTF-16 units, they stay below the 32,768."""
_ENTITY_BYTES = 1_000_000
"""An entity may have 1 MiB, text counted as UTF-16; the rest is for keys and columns."""


def split_key(key: str) -> tuple[str, str] | None:
    """Partition and row of a key, or None when no record can have such a key."""
    parts = key.split("/")
    if len(parts) > 2 or not all(_PART.fullmatch(part) for part in parts):
        return None
    return (parts[0], parts[1]) if len(parts) == 2 else (_ALONE, parts[0])


def join_key(partition: str, row: str) -> str:
    """The key of an entity."""
    return row if partition == _ALONE else f"{partition}/{row}"


class EntityForm(Generic[T]):
    """Values of one type as entities, and back."""

    def __init__(
        self, kind: str, value_type: type[T], columns: Callable[[T], Mapping[str, str]]
    ) -> None:
        self._kind = kind
        self._json: TypeAdapter[T] = TypeAdapter(value_type)
        self._columns = columns

    def entity(self, key: str, value: T, write: str) -> TableEntity:
        """InputError when the key is no key or the value does not fit into an entity."""
        parts = split_key(key)
        if parts is None:
            raise InputError("recordKeyInvalid", kind=self._kind)
        columns = {f"{COLUMN}{name}": column for name, column in self._columns(value).items()}
        try:
            text = self._json.dump_json(value).decode()
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
            **{f"json{place}": text[at : at + _PIECE] for place, at in enumerate(pieces)},
            **columns,
        )

    def value(self, key: str, entity: Mapping[str, Any]) -> T:
        """ConnectorError when a newer program wrote the record, or it is damaged."""
        version = entity.get("version")
        if isinstance(version, int) and version > VERSION:
            raise self._newer(key)
        pieces = [entity[name] for name in _piece_names(entity)]
        try:
            return self._json.validate_json("".join(pieces))
        except (ValidationError, TypeError) as error:
            if _says_something_new(error):
                raise self._newer(key) from None
            raise ConnectorError("recordDamaged", record=f"{self._kind} {key}") from None

    def _newer(self, key: str) -> ConnectorError:
        return ConnectorError("recordNewer", record=f"{self._kind} {key}")


def _says_something_new(error: ValidationError | TypeError) -> bool:
    """Whether all is well with a record but for values that an enum does not have."""
    return isinstance(error, ValidationError) and all(
        one["type"] == "enum" for one in error.errors(include_input=False, include_url=False)
    )


def _piece_names(entity: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    while (name := f"json{len(names)}") in entity:
        names.append(name)
    return names


def _utf16(text: str) -> int:
    """Bytes of a text as Table storage counts them."""
    return len(text.encode("utf-16-le"))
