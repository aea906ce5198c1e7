"""Stores who was erased, without the address, so that erased people are never exported again.

Only a keyed hash is stored (HMAC-SHA256, https://www.rfc-editor.org/rfc/rfc2104). Without the key,
which is stored with the secrets, addresses cannot be tested against it. DuckDB hashes the people of
a run only when there are erasures. This takes two seconds per million people.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from shared.fields.contact import BLANKS, normal_address
from shared.model.ports import Records

__all__ = [
    "Erasure",
    "Erasures",
    "MarkErased",
    "address_key",
    "is_address",
    "marker_for_address",
    "normal",
]

_BLOCK = 64

# Creates the table `erased_addresses` (address): the values of a column, as stored, that belong to erased
# people. Arguments: the database, the source (trusted SQL: a table or read_parquet), the column.
MarkErased = Callable[[DuckDBPyConnection, str, str], None]


@dataclass(frozen=True)
class Erasure:
    """An erasure and its receipt: counts, never the address.

    `waits_for` are runs that were active during the erasure and may still store the person. While
    it is not empty, the timer repeats the erasure.
    """

    id: str
    at: datetime
    by: str = ""
    exports: int = 0
    records: int = 0
    deleted_in_mailchimp: int = 0
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Erasures:
    """The erased people. `key` returns the secret key, which is created when it is first needed."""

    records: Records[Erasure]
    key: Callable[[], bytes]

    def token(self, address: str) -> str:
        """Return the keyed hash of an address (see `address_key`)."""
        return hmac.new(self.key(), address.encode(), hashlib.sha256).hexdigest()

    def find(self, address: str) -> Erasure | None:
        """Return the erasure of an address, if there was one."""
        if next(iter(self.records.all()), None) is None:
            return None
        stored = self.records.read(self.token(address))
        return stored.value if stored else None

    def marker_for_all(self) -> MarkErased | None:
        """Return a function that fills `erased_addresses` with all erased people. None when no one was erased."""
        tokens = [stored.key for stored in self.records.all()]
        return self.marker_for_tokens(tokens) if tokens else None

    def marker_for_tokens(self, tokens: Collection[str]) -> MarkErased:
        """Return a function that fills `erased_addresses` with the people of these tokens."""
        key = self.key()
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(_BLOCK, b"\0")
        token_list = list(tokens)

        def mark(db: DuckDBPyConnection, source: str, column: str) -> None:
            db.execute("SET VARIABLE inner_pad = ?", [bytes(byte ^ 0x36 for byte in padded)])
            db.execute("SET VARIABLE outer_pad = ?", [bytes(byte ^ 0x5C for byte in padded)])
            db.execute(
                "CREATE OR REPLACE TEMP TABLE erased_addresses AS WITH tokens AS "
                "(SELECT unnest(?::VARCHAR[]) AS token) "
                f"SELECT DISTINCT {column} AS address FROM {source} "
                f"WHERE {column} IS NOT NULL AND sha256(getvariable('outer_pad') || "
                f"unhex(sha256(getvariable('inner_pad') || encode({normal(column)})))) "
                "IN (SELECT token FROM tokens)",
                [token_list],
            )
            # The key is in the database only while it is needed.
            db.execute("RESET VARIABLE inner_pad")
            db.execute("RESET VARIABLE outer_pad")

        return mark


def address_key(text: str) -> str:
    """Return what identifies a person: the normal address, or the text itself if it is not an address."""
    return normal_address(text) or text.strip(BLANKS).lower()


def normal(column: str) -> str:
    """Return SQL for `address_key` of a column."""
    return f"lower(trim({column}, '{BLANKS}'))"


def is_address(column: str) -> str:
    """Return SQL that compares a column with the result of `address_key`, bound to $address."""
    # Trimming is slow, and few values contain the address.
    return f"contains(lower({column}), $address) AND {normal(column)} = $address"


def marker_for_address(address: str) -> MarkErased:
    """Return a function that fills `erased_addresses` with one person, by address."""

    def mark(db: DuckDBPyConnection, source: str, column: str) -> None:
        db.execute(
            f"CREATE OR REPLACE TEMP TABLE erased_addresses AS SELECT DISTINCT {column} AS address "
            f"FROM {source} WHERE {is_address(column)}",
            {"address": address},
        )

    return mark
