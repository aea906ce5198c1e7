"""Define which values an update contains. The rule is a macro in sql/fields_to_send.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.fields.address import BLANKS
from shared.fields.merge_fields import chosen_fields
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.export import Mapping


_SQL = SqlFile.of(__file__)
# A value that consists of control characters is sent as an empty value (fields/contact.py).
_CONTROL = "".join(map(chr, [*range(0x09), 0x0E, *range(0x0F, 0x20), 0x7F]))


def define_fields_to_send(db: DuckDBPyConnection) -> None:
    """Create the macro `fields_to_send` in a database."""
    _SQL.run(db, "create", blanks=BLANKS + _CONTROL)


def merge_tags(mapping: Mapping) -> list[str]:
    """Return the merge fields of the values of a row, in their order; `ADDRESS.city` for a part."""
    return [
        ".".join(filter(None, (choice.tag.upper(), choice.part)))
        for choice in chosen_fields(mapping)
    ]
