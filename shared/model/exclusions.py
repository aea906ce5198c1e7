"""The list of people that an export never sends, as a person uploaded it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

__all__ = ["ExclusionList", "exclusions_from_json", "exclusions_to_json"]


@dataclass(frozen=True)
class ExclusionList:
    """Addresses in normal form and CustomerIds, each once and sorted."""

    addresses: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    updated_at: datetime | None = None
    updated_by: str = ""

    def __bool__(self) -> bool:
        """Whether the list has any entry."""
        return bool(self.addresses or self.customers)

    @property
    def fingerprint(self) -> str:
        """A fingerprint of the entries; empty without any."""
        if not self:
            return ""
        entries = "\n".join((*self.addresses, "", *self.customers))
        return hashlib.sha256(entries.encode()).hexdigest()


_CODEC = TypeAdapter(ExclusionList)


def exclusions_to_json(listed: ExclusionList) -> bytes:
    """A list as stored JSON."""
    return _CODEC.dump_json(listed)


def exclusions_from_json(data: bytes) -> ExclusionList:
    """A list from stored JSON. ValueError when it is damaged."""
    return _CODEC.validate_json(data)
