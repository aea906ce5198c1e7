"""Where secrets are kept: a key vault in Azure (vault.py), encrypted blobs locally (local_secrets.py).

Rule: a secret is never in a record, a file, a message or a log; records hold its name.
"""

from __future__ import annotations

import re
from typing import Protocol

from shared.errors import InputError

__all__ = ["Secrets", "secret_name", "secret_value"]

_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_MOST_BYTES = 25_000


class Secrets(Protocol):
    """Secrets by name: letters, digits and hyphens, 127 at most, and case does not tell apart.

    A value is text of at most 25,000 bytes.
    """

    def get(self, name: str) -> str | None:
        """The secret, or None."""

    def put(self, name: str, value: str) -> None:
        """Keep a secret, in place of the one that is there or was deleted."""

    def delete(self, name: str) -> None:
        """Forget a secret; gone already is fine."""


def secret_name(name: str) -> str:
    """The name as it is stored. InputError when no secret can have it."""
    if not _NAME.fullmatch(name):
        raise InputError("secretNameInvalid")
    return name.lower()


def secret_value(value: str) -> str:
    """The value, when both stores can keep it; InputError otherwise."""
    if len(value.encode()) > _MOST_BYTES:
        raise InputError("secretTooLarge")
    return value
