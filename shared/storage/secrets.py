"""Names and sizes of secrets that Key Vault and the local store both accept.

Secrets are stored in Key Vault (vault.py), or locally in encrypted blobs (local_secrets.py).
Records contain only the name of a secret.
"""

from __future__ import annotations

import re

from shared.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_MOST_BYTES = 25_000


def secret_name(name: str) -> str:
    """Return the stored form of a name. InputError when it is invalid."""
    if not _NAME.fullmatch(name):
        raise InputError("secretNameInvalid")
    return name.lower()


def secret_value(value: str) -> str:
    """Return the value. InputError when it is too large."""
    if len(value.encode()) > _MOST_BYTES:
        raise InputError("secretTooLarge")
    return value
