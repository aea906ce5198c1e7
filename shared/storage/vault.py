"""Secrets in Azure Key Vault, accessed with the managed identity.

With purge protection, the vault keeps a deleted secret and its name for the retention period. The
secret cannot be read, and must be recovered before it is written again. To invalidate a grant for
good, revoke it at its issuer.
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from shared.errors import ConfigError, Unavailable
from shared.storage.failures import azure_errors
from shared.storage.secrets import secret_name, secret_value

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient


_CONTENT_TYPE = "text/plain"
"""Policies of companies, such as those of Azure landing zones, refuse a secret without a content type."""

_TRIES = 15
_PAUSE = 2.0
"""Deletion and recovery continue after the response, usually for a few seconds."""


@dataclass(frozen=True)
class VaultSecrets:
    """Implements Secrets with a key vault."""

    client: SecretClient
    sleep: Callable[[float], None] = time.sleep

    def get(self, name: str) -> str | None:
        """Read a secret, or None."""
        with _vault_errors():
            try:
                return self.client.get_secret(secret_name(name)).value
            except ResourceNotFoundError:
                return None

    def put(self, name: str, value: str) -> None:
        """Write a secret. Unavailable while an earlier one is being deleted or recovered."""
        name, value = secret_name(name), secret_value(value)
        for _ in range(_TRIES):
            with _vault_errors():
                try:
                    self.client.set_secret(name, value, content_type=_CONTENT_TYPE)
                except HttpResponseError as error:
                    if error.status_code != HTTPStatus.CONFLICT:
                        raise
                else:
                    return
            self._recover(name)
            self.sleep(_PAUSE)
        raise Unavailable("secretBeingRecovered")

    def delete(self, name: str) -> None:
        """Delete a secret; does nothing when it does not exist."""
        with _vault_errors():
            try:
                self.client.begin_delete_secret(secret_name(name))
            except ResourceNotFoundError:
                return

    def _recover(self, name: str) -> None:
        """Recover a deleted secret, unless it is still being deleted or is recovered already."""
        with _vault_errors():
            try:
                self.client.begin_recover_deleted_secret(name)
            except HttpResponseError as error:
                if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise


@contextmanager
def _vault_errors() -> Iterator[None]:
    """Translate the errors of calls to the vault."""
    try:
        with azure_errors("Key Vault"):
            yield
    except ValueError:
        # The SDK found that the server is not a key vault, and sent it no token.
        raise ConfigError("keyVaultUnknown") from None
