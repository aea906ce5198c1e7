"""Find all people who must not be sent, by the consent rules in sql/consent.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def find_do_not_send(db: DuckDBPyConnection, new_status: str, *, add_archived: bool) -> None:
    """Fill `do_not_send` from `source_rows`, `ledger`, `not_subscribed` and `changed_addresses`.

    `new_status` is the status of new contacts. `add_archived`: a person has agreed to add contacts
    again that an undo archived.
    """
    define_decisions(db)
    _SQL.run(db, "do_not_send", new_status=new_status, add_archived=add_archived)


def define_decisions(db: DuckDBPyConnection) -> None:
    """Define `address_decisions(new_status)`, which reads `not_subscribed` and `ledger`."""
    _SQL.run(db, "decisions")
