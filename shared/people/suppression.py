"""Remove erased people from a plan, and from the results of a run that was already active.

Their rows keep an outcome (`kept`, code `erased`), so that every source row has one, but have no
address and no profile id: an erased person is not stored again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.fields.contact import BLANKS
from shared.people.erasures import MarkErased, normal
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["suppress_erased", "suppress_erased_in_outcomes", "suppress_erased_in_results"]

_SQL = SqlFile.of(__file__)


def suppress_erased(db: DuckDBPyConnection, mark: MarkErased | None) -> None:
    """Remove erased people from `people`, `shared` and `ledger`; their rows go to `rejects`."""
    if mark is None:
        return
    mark(
        db,
        "(SELECT address FROM people UNION ALL SELECT address FROM ledger "
        f"UNION ALL SELECT {normal('email')} FROM rejects)",
        "address",
    )
    _SQL.run(db, "rejects", blanks=BLANKS)


def suppress_erased_in_results(db: DuckDBPyConnection, mark: MarkErased | None) -> None:
    """Remove people who were erased during their run from `next` and `outcomes`."""
    if mark is None:
        return
    mark(db, "(SELECT address FROM next UNION ALL SELECT email FROM outcomes)", "address")
    _SQL.run(db, "next")
    _SQL.run(db, "outcomes")


def suppress_erased_in_outcomes(db: DuckDBPyConnection, mark: MarkErased | None) -> None:
    """Remove people who were erased during their preview from `outcomes`."""
    if mark is None:
        return
    mark(db, "outcomes", "email")
    _SQL.run(db, "outcomes")
