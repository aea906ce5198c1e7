"""The ledger: what an export has sent to its audience so far, one row for each address.

Each version is a Parquet file. A pointer record, replaced by a conditional write, names the current
one. planning/reading/sql/ledger.sql has its columns, and docs/tables.md describes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model.names import audience_key

# How many runs send a row with a temporary refusal ("has signed up to a lot of lists very recently"). After
# that, only a changed row is sent.
MAX_TRIES = 6


@dataclass(frozen=True)
class LedgerPointer:
    """The current ledger of an export, and the run that wrote it.

    `source_fingerprint` identifies the files and the mapping if everything in them was sent; else it is empty.
    `sent_by` is the newest run that sent something. `before` is the version before that run, to which an undo
    returns; empty without one. `audience` is `<account>/<audience>`. `whole` is whether a run has sent all
    people, so that the ledger shows how large the export is; None in records of version 1.0. `rows_of` is the
    newest run with outcomes of all rows, if `run_id` sent one person only. `excluded_members` is the largest number of
    people that each exclusion segment excluded when a run sent all people, since a person last confirmed a loss of the segment.
    `complete_run` is the newest run that sent all people and was not undone: its outcomes show who objected to email. It is
    empty in records of earlier versions, and before the second run.
    `excluded_before` and `complete_before` are what `excluded_members` and `complete_run` were before `sent_by`; an undo
    returns to them.
    """

    blob: str
    run_id: str
    people: int = 0
    source_fingerprint: str = ""
    sent_by: str = ""
    before: str = ""
    audience: str = ""
    whole: bool | None = None
    rows_of: str = ""
    excluded_members: dict[str, int] = field(default_factory=dict)
    excluded_before: dict[str, int] = field(default_factory=dict)
    complete_run: str = ""
    complete_before: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the ledger shows how large the export is."""
        return self.source_fingerprint != "" if self.whole is None else self.whole

    @property
    def run_of_all_rows(self) -> str:
        """The id of the newest run that has outcomes of all rows."""
        return self.rows_of or self.run_id

    @property
    def run_with_objections(self) -> str:
        """The id of the run whose outcomes show who objected to email."""
        return self.complete_run or self.run_of_all_rows

    def is_of(self, account_id: str, audience_id: str) -> bool:
        """Whether the ledger belongs to this audience; after a change of the audience it does not."""
        return self.audience in ("", audience_key(account_id, audience_id))
