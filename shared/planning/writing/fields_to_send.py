"""Define which values an update contains. The rule is a macro in sql/fields_to_send.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.fields.address import BLANKS
from shared.fields.contact import CONTROL
from shared.fields.merge_fields import chosen_fields
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.export import Mapping


_SQL = SqlFile.of(__file__)


def define_fields_to_send(db: DuckDBPyConnection) -> None:
    """Create the macro `fields_to_send` in a database."""
    # A value that consists of control characters is sent as an empty value.
    _SQL.run(db, "create", blanks=BLANKS + CONTROL)


def merge_tags(mapping: Mapping) -> list[str]:
    """Return the merge fields of the values of a row, in their order; `ADDRESS.city` for a part."""
    return [
        ".".join(filter(None, (choice.tag.upper(), choice.part)))
        for choice in chosen_fields(mapping)
    ]


def field_of(merge_tag: str) -> str:
    """Return the merge field of an element of `merge_tags`: `ADDRESS` for `ADDRESS.city`."""
    return merge_tag.partition(".")[0]
