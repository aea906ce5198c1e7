"""Who was erased, remembered without an address, so that nobody of them is exported again.

What stays is a keyed hash (HMAC-SHA256, https://www.rfc-editor.org/rfc/rfc2104): without the key,
which is kept with the secrets, nobody can try addresses against it. The people of a run are hashed
by the database itself, and only once somebody was erased at all: two seconds a million people.
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

__all__ = ["Erasure", "Erasures", "MarkErased", "address_key", "by_address", "is_address", "normal"]

_BLOCK = 64

# Makes the table `gone` (address) of all values of a column, as they stand there, that are someone
# who was erased.
# The source is our own SQL: a table, or read_parquet of a local file.
MarkErased = Callable[[DuckDBPyConnection, str, str], None]


@dataclass(frozen=True)
class Erasure:
    """An erasure and its receipt: counts, never the address.

    `waits_for` are runs that were going when it was done and may still write the person down; while
    it is not empty, the tick looks after it.
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
    """Everybody who was erased. `key` gives the secret key, made when it is first asked for."""

    records: Records[Erasure]
    key: Callable[[], bytes]

    def token(self, address: str) -> str:
        """What stands for an address (see `address_of`)."""
        return hmac.new(self.key(), address.encode(), hashlib.sha256).hexdigest()

    def find(self, address: str) -> Erasure | None:
        """The erasure of an address, if there was one."""
        if next(iter(self.records.all()), None) is None:
            return None
        stored = self.records.read(self.token(address))
        return stored.value if stored else None

    def everybody(self) -> MarkErased | None:
        """All who were ever erased; None when nobody was."""
        tokens = [stored.key for stored in self.records.all()]
        return self.among(tokens) if tokens else None

    def among(self, tokens: Collection[str]) -> MarkErased:
        """Those whom these tokens stand for."""
        key = self.key()
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(_BLOCK, b"\0")
        listed = list(tokens)

        def mark(db: DuckDBPyConnection, source: str, column: str) -> None:
            db.execute("SET VARIABLE inner_pad = ?", [bytes(byte ^ 0x36 for byte in padded)])
            db.execute("SET VARIABLE outer_pad = ?", [bytes(byte ^ 0x5C for byte in padded)])
            db.execute(
                "CREATE OR REPLACE TEMP TABLE gone AS WITH tokens AS "
                "(SELECT unnest(?::VARCHAR[]) AS token) "
                f"SELECT DISTINCT {column} AS address FROM {source} "
                f"WHERE {column} IS NOT NULL AND sha256(getvariable('outer_pad') || "
                f"unhex(sha256(getvariable('inner_pad') || encode({normal(column)})))) "
                "IN (SELECT token FROM tokens)",
                [listed],
            )
            # The key is nowhere longer than it is needed.
            db.execute("RESET VARIABLE inner_pad")
            db.execute("RESET VARIABLE outer_pad")

        return mark


def address_key(text: str) -> str:
    """What a person is known by: the normal address, or the text itself where it is none."""
    return normal_address(text) or text.strip(BLANKS).lower()


def normal(column: str) -> str:
    """SQL for `address_of` of a column, whatever rows it came from."""
    return f"lower(trim({column}, '{BLANKS}'))"


def is_address(column: str) -> str:
    """SQL that compares a column with `address_of`, given as $address."""
    # Trimming is slow; few values hold the address at all.
    return f"contains(lower({column}), $address) AND {normal(column)} = $address"


def by_address(address: str) -> MarkErased:
    """One person whose address is at hand."""

    def mark(db: DuckDBPyConnection, source: str, column: str) -> None:
        db.execute(
            f"CREATE OR REPLACE TEMP TABLE gone AS SELECT DISTINCT {column} AS address "
            f"FROM {source} WHERE {is_address(column)}",
            {"address": address},
        )

    return mark
