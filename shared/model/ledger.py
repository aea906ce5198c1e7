"""The ledger: what an export has sent to its audience so far, one row an address.

A Parquet file per version; a pointer record, replaced by a conditional write, names the current
one. planning/sql/ledger.sql has its columns, docs/tables.md describes
them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_TRIES", "LedgerPointer"]

# A refusal that may pass ("has signed up to a lot of lists very recently") is tried by so many runs;
# after that only a changed row is.
MAX_TRIES = 6


@dataclass(frozen=True)
class LedgerPointer:
    """The current ledger of an export, and the run that wrote it.

    `source_fingerprint` is that of the files and the mapping when everything of them was sent, else
    empty. `sent_by` is the newest run that sent something, and `before` the version from before that
    run (empty when there was none): an undo goes back to it. `audience` is `<account>/<audience>`.
    `whole` is whether some run has sent everyone, so that the ledger shows how large the export is; None
    in records of version 1.0. `rows_of` is the newest run with outcomes of all rows, if `run_id` sent
    one person only.
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

    @property
    def is_whole(self) -> bool:
        """Whether the ledger shows how large the export is."""
        return self.source_fingerprint != "" if self.whole is None else self.whole

    def is_of(self, account_id: str, audience_id: str) -> bool:
        """Whether the ledger is of this audience; it knows nothing about any other."""
        return self.audience in ("", f"{account_id}/{audience_id}")
