"""Remove erased people from a plan, and from the results of a run that was already active.

Their rows keep an outcome (`kept`, code `erased`), so that every source row has one, but have no
address and no profile id: an erased person is not stored again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.people.erasures import MarkErased
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


MakeWritable = Callable[["DuckDBPyConnection"], None]
_SQL = SqlFile.of(__file__)


def suppress_erased(db: DuckDBPyConnection, mark: MarkErased | None) -> None:
    """Remove erased people from `people`, `shared` and `ledger`; their rows go to `rejects`."""
    if mark is None:
        return
    _SQL.run(db, "candidates_in_plan")
    mark(db)
    _SQL.run(db, "rejects")


def suppress_erased_in_former_holders(db: DuckDBPyConnection, mark: MarkErased | None) -> None:
    """Remove erased people from `former_holders`."""
    if _finds_erased(db, mark, "candidates_in_former_holders"):
        _SQL.run(db, "former_holders")


def erased_people_sent(db: DuckDBPyConnection, mark: MarkErased | None) -> list[str]:
    """The addresses of erased people that a run has added or updated, by `outcomes`."""
    if mark is None:
        return []
    _SQL.run(db, "candidates_sent")
    mark(db)
    return [address for (address,) in _SQL.rows(db, "erased")]


def suppress_erased_in_ledger(
    db: DuckDBPyConnection, mark: MarkErased | None, make_writable: MakeWritable
) -> None:
    """Remove people who were erased during their run from `next`.

    `make_writable` makes it a table that can be changed.
    """
    if _finds_erased(db, mark, "candidates_in_next"):
        make_writable(db)
        _SQL.run(db, "next")


def suppress_erased_in_outcomes(
    db: DuckDBPyConnection, mark: MarkErased | None, make_writable: MakeWritable
) -> None:
    """Remove people who were erased during their run from `outcomes`.

    `make_writable` makes it a table that can be changed.
    """
    if _finds_erased(db, mark, "candidates_in_outcomes"):
        make_writable(db)
        _SQL.run(db, "outcomes")


def _finds_erased(db: DuckDBPyConnection, mark: MarkErased | None, candidates: str) -> bool:
    """Fill `erased_addresses` from these candidates. Whether there are any."""
    if mark is None:
        return False
    _SQL.run(db, candidates)
    mark(db)
    return _SQL.number(db, "any_erased") > 0
