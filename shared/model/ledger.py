"""The ledger: what an export has sent to its audience so far, one row a person.

A Parquet file per version; a pointer record, swapped by a conditional write, says which version
counts. Columns:

    address         VARCHAR    normal form, the key
    customer_id     VARCHAR    the profile that won the address
    fingerprint     VARCHAR    of the field values as sent; NULL while nothing was ever accepted
    fields          VARCHAR    these values, as a JSON array in the order of the run's fields
    tags            BIGINT[]   ids of the tags that this export gave and has not taken away
    refused         VARCHAR    fingerprint of the row that Mailchimp refused last, else NULL
    refused_code    VARCHAR    why
    tries           INTEGER    0 when refused for good, else how often in a row it was refused
    run_id          VARCHAR    the run that last changed this row
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEDGER_COLUMNS", "MAX_TRIES", "LedgerPointer"]

LEDGER_COLUMNS = (
    "address VARCHAR, customer_id VARCHAR, fingerprint VARCHAR, fields VARCHAR, tags BIGINT[], "
    "refused VARCHAR, refused_code VARCHAR, tries INTEGER, run_id VARCHAR"
)

# A passing refusal ("has signed up to a lot of lists very recently") is asked again by later
# runs, but not for ever; after that only a changed row is.
MAX_TRIES = 6


@dataclass(frozen=True)
class LedgerPointer:
    """Which blob is the ledger of an export, and the run that wrote it.

    `settled` is the fingerprint of the source and the mapping when nothing is left to be sent
    of them, else empty. `sent_by` is the newest run that sent something, and `before` the version
    from before it (empty when there was none): what an undo goes back to. `audience` is the account
    and the audience that it speaks of.
    """

    blob: str
    run_id: str
    people: int = 0
    settled: str = ""
    sent_by: str = ""
    before: str = ""
    audience: str = ""

    def speaks_of(self, account_id: str, audience_id: str) -> bool:
        """Whether this is the ledger of an audience; who was sent to another is not known here."""
        return self.audience in ("", f"{account_id}/{audience_id}")
