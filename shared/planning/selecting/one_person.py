"""Reduce a plan to one person, after all rules were applied to everyone (record 85).

The person is planned exactly as in a run of the export: consent, exclusions, refusals, the tags of
segments that the person left. All others stay as they are in the ledger and in Mailchimp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.finding import Reason
from shared.model.one_person import ChosenPerson
from shared.model.run import RunStatus
from shared.people.erasures import Erasures
from shared.runs.planning_ended import PlanningEnded
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def find_person(db: DuckDBPyConnection, person: ChosenPerson, erasures: Erasures) -> None:
    """Fill `person` with the addresses of the person. PlanningEnded when one of them was erased.

    Needs `source_rows` and `ledger`, before erased people are removed from the ledger.
    """
    _SQL.run(db, "find", address=person.address, customer=person.customer_id)
    if any(erasures.find(address) for (address,) in _SQL.rows(db, "addresses")):
        raise PlanningEnded(RunStatus.SKIPPED, Reason("personErased"))


def keep_only_person(db: DuckDBPyConnection, person: ChosenPerson) -> None:
    """Remove all others from `changes`, `rejects` and `shared`.

    PlanningEnded when the person is in no segment and has no tag to lose.
    """
    _SQL.run(db, "keep", address=person.address, customer=person.customer_id)
    if not _SQL.number(db, "planned"):
        raise PlanningEnded(RunStatus.SKIPPED, Reason("personNotInSegments"))


def rows_of_person(db: DuckDBPyConnection, person: ChosenPerson) -> int:
    """Count the source rows of the person."""
    return _SQL.number(db, "rows", customer=person.customer_id)
