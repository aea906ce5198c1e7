"""Stores who was erased, without the address, so that erased people are never exported again.

Only a keyed hash of the address is stored (HMAC-SHA256, https://www.rfc-editor.org/rfc/rfc2104). The key is
stored with the secrets; without it, no one can test an address against the hashes. DuckDB hashes the people of a
run only when there are erasures, which takes two seconds per million people.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from shared.fields.address import BLANKS, normal_address
from shared.model.ports import Records
from shared.workspace import SqlFile

_BLOCK = 64

_SQL = SqlFile.of(__file__)

MarkErased = Callable[[DuckDBPyConnection], None]
"""Creates the table `erased_addresses` in a database: those addresses in `candidates` that belong to erased people."""


@dataclass(frozen=True)
class Erasure:
    """An erasure and its receipt: counts, never the address.

    `waits_for` are runs that were active during the erasure and may still store the person. While
    it is not empty, the timer repeats the erasure. `in_mailchimp`: the person was to be deleted in Mailchimp too.

    `others` are the keys of the erasures of the person's other addresses. `contacts` are Mailchimp's contacts that
    could not be deleted yet (`contact_key`): when the erasure is requested again, their addresses are not stored
    any more.
    """

    id: str
    at: datetime
    by: str = ""
    exports: int = 0
    records: int = 0
    deleted_in_mailchimp: int = 0
    waits_for: tuple[str, ...] = ()
    in_mailchimp: bool = False
    others: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Erasures:
    """Records of erased people. `key` returns the secret key, which is created when it is first needed."""

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

    def marker_for_mailchimp(self) -> MarkErased | None:
        """Return a function that fills `erased_addresses` with people that an active run may add to Mailchimp again.

        None when there are none.
        """
        waiting = [
            stored.key
            for stored in self.records.all()
            if stored.value.in_mailchimp and stored.value.waits_for
        ]
        return self.marker_for_tokens(waiting) if waiting else None

    def marker_for_tokens(self, tokens: Collection[str]) -> MarkErased:
        """Return a function that fills `erased_addresses` with the people of these tokens."""
        key = self.key()
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(_BLOCK, b"\0")
        parameters = {
            "inner_pad": bytes(byte ^ 0x36 for byte in padded),
            "outer_pad": bytes(byte ^ 0x5C for byte in padded),
            "blanks": BLANKS,
            "tokens": list(tokens),
        }

        def mark(db: DuckDBPyConnection) -> None:
            _SQL.run(db, "mark_tokens", **parameters)

        return mark


def address_key(text: str) -> str:
    """Return what identifies a person: the normal address, or the text itself if it is not an address."""
    return normal_address(text) or text.strip(BLANKS).lower()


def marker_for_addresses(addresses: Collection[str]) -> MarkErased:
    """Return a function that fills `erased_addresses` with these addresses (see `address_key`)."""

    def mark(db: DuckDBPyConnection) -> None:
        _SQL.run(db, "mark_no_one")
        for address in addresses:
            _SQL.run(db, "mark_address", address=address, blanks=BLANKS)

    return mark
