"""Secrets in Azure Key Vault, reached by managed identity.

Rule: a deleted secret cannot be read any more, but the vault keeps it for its retention time
(purge protection), and its name with it: putting it again means recovering it first. Whoever
wants a grant gone for good must also end it at its issuer.
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from shared.errors import ConfigError, Unavailable
from shared.storage.failures import told
from shared.storage.secrets import secret_name, secret_value

__all__ = ["VaultSecrets"]

_TRIES = 15
_PAUSE = 2.0
"""Deleting and recovering go on behind the answer, usually for a few seconds."""


class VaultSecrets:
    """The Secrets of a key vault."""

    def __init__(self, client: SecretClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def get(self, name: str) -> str | None:
        """The secret, or None."""
        with _asking():
            try:
                return self._client.get_secret(secret_name(name)).value
            except ResourceNotFoundError:
                return None

    def put(self, name: str, value: str) -> None:
        """Keep a secret. Unavailable when an earlier one is still being deleted or recovered."""
        name, value = secret_name(name), secret_value(value)
        for _ in range(_TRIES):
            with _asking():
                try:
                    self._client.set_secret(name, value)
                except HttpResponseError as error:
                    if error.status_code != HTTPStatus.CONFLICT:
                        raise
                else:
                    return
            self._recover(name)
            self._sleep(_PAUSE)
        raise Unavailable("secretBeingRecovered")

    def delete(self, name: str) -> None:
        """Delete a secret; gone already is fine."""
        with _asking():
            try:
                self._client.begin_delete_secret(secret_name(name))
            except ResourceNotFoundError:
                return

    def _recover(self, name: str) -> None:
        """Ask for a deleted secret back; it may still be on its way out, or back already."""
        with _asking():
            try:
                self._client.begin_recover_deleted_secret(name)
            except HttpResponseError as error:
                if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise


@contextmanager
def _asking() -> Iterator[None]:
    """Calls to the vault; its errors are told in our words."""
    try:
        with told("Key Vault"):
            yield
    except ValueError:
        # The SDK found that whoever answers is no key vault; it has got no token.
        raise ConfigError("keyVaultUnknown") from None
