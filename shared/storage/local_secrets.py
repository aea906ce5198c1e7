"""Secrets on a developer's machine: encrypted blobs.

The key is a file outside the storage account (`.local/secrets.key` in the project, mode 0600, never
committed or deployed), so that neither the blobs nor the key alone reveal a secret. Not
available in Azure.
https://cryptography.io/en/latest/fernet/
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from shared.errors import ConfigError, NotFound
from shared.storage.clients import StorageClients
from shared.storage.files import BlobFiles
from shared.storage.secrets import secret_name, secret_value

KEY_FILE = Path(__file__).resolve().parents[2] / ".local" / "secrets.key"


class LocalSecrets:
    """Implements Secrets. ConfigError in Azure, or when other users can read the key file."""

    def __init__(
        self,
        clients: StorageClients,
        *,
        in_azure: bool,
        key_file: Path = KEY_FILE,
        container: str = "secrets",
    ) -> None:
        if in_azure:
            raise ConfigError("keyVaultMissing")
        self._files = BlobFiles(clients, container)
        self._key_file = key_file

    def get(self, name: str) -> str | None:
        """Read a secret, or None. ConfigError when it was encrypted with another key."""
        try:
            encrypted = self._files.read(secret_name(name))
        except NotFound:
            return None
        try:
            return _cipher(self._key_file).decrypt(encrypted).decode()
        except InvalidToken:
            raise ConfigError("secretKeyLost") from None

    def put(self, name: str, value: str) -> None:
        """Write a secret, and replace one that exists."""
        encrypted = _cipher(self._key_file).encrypt(secret_value(value).encode())
        self._files.write(secret_name(name), encrypted)

    def delete(self, name: str) -> None:
        """Delete a secret; does nothing when it does not exist."""
        self._files.delete(secret_name(name))


def _cipher(key_file: Path) -> Fernet:
    """Return the cipher of the key file; creates the file when it does not exist."""
    if not key_file.exists():
        _make_key(key_file)
    if os.name == "posix" and stat.S_IMODE(key_file.stat().st_mode) & 0o077:
        raise ConfigError("secretKeyOpen")
    try:
        return Fernet(key_file.read_bytes().strip())
    except ValueError:
        raise ConfigError("secretKeyDamaged") from None


def _make_key(key_file: Path) -> None:
    """Write a new key. If several processes do so at once, the first key is kept."""
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=key_file.parent)  # readable by its owner only
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
        try:
            os.link(draft, key_file)
        except FileExistsError:
            return
    finally:
        draft.unlink()
