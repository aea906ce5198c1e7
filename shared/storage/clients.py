"""The SDK clients of one storage account, made at first use and shared by all threads.

Rules: nothing happens at import; one connection pool for blobs, queues and tables, wide enough
for every thread; one small retry here, every call with a timeout, no redirects; the SDKs' own
logs, which hold addresses, stay quiet.
https://learn.microsoft.com/azure/storage/blobs/storage-retry-policy-python
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableClient, TableServiceClient
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.blob import LinearRetry as BlobRetry
from azure.storage.queue import LinearRetry as QueueRetry
from azure.storage.queue import QueueServiceClient
from requests.adapters import HTTPAdapter

from shared.errors import ConfigError
from shared.settings import StorageAccount
from shared.storage.failures import told
from shared.version import USER_AGENT

__all__ = [
    "BLOCK",
    "Calling",
    "StorageClients",
    "container_client",
    "credential_for",
    "secret_client",
    "token_for",
]

BLOCK = 4 * 1024 * 1024
"""Bytes that travel in one request; what a transfer holds in memory at most."""


C = TypeVar("C")


@dataclass(frozen=True)
class Calling:
    """How calls to Azure are made; times in seconds.

    `backoff` is the pause before a second try; it grows for tables and stays for the others.
    `read_timeout` must be longer than a table query may take (5 s) and a 4 MB block needs on a
    slow line; `connections` is the number of threads that may call at once.
    """

    retries: int = 3
    backoff: float = 0.8
    connect_timeout: float = 5
    read_timeout: float = 60
    connections: int = 32


class StorageClients:
    """The service clients of a storage account. ConfigError when its connection is unusable."""

    def __init__(
        self,
        account: StorageAccount,
        calling: Calling = Calling(),
        credential: TokenCredential | None = None,
    ) -> None:
        self._account = account
        self._calling = calling
        self._credential = credential
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    @property
    def blobs(self) -> BlobServiceClient:
        """Blob storage; transfers go in blocks of `BLOCK` bytes."""
        options: dict[str, Any] = {
            "max_block_size": BLOCK,
            "max_single_put_size": BLOCK,
            "max_single_get_size": BLOCK,
            "max_chunk_get_size": BLOCK,
            "retry_policy": BlobRetry(**self._storage_retry()),
        }
        account = self._account
        return self._once(
            "blob",
            lambda: BlobServiceClient.from_connection_string(
                account.connection_string, **self._options(), **options
            ),
            lambda: BlobServiceClient(
                account.blob_url, credential=self.credential, **self._options(), **options
            ),
        )

    @property
    def queues(self) -> QueueServiceClient:
        """Queue storage."""
        options: dict[str, Any] = {"retry_policy": QueueRetry(**self._storage_retry())}
        account = self._account
        return self._once(
            "queue",
            lambda: QueueServiceClient.from_connection_string(
                account.connection_string, **self._options(), **options
            ),
            lambda: QueueServiceClient(
                account.queue_url, credential=self.credential, **self._options(), **options
            ),
        )

    @property
    def tables(self) -> TableServiceClient:
        """Table storage."""
        options: dict[str, Any] = {
            "retry_total": self._calling.retries,
            "retry_backoff_factor": self._calling.backoff,
            "retry_backoff_max": 10,
        }
        account = self._account
        return self._once(
            "table",
            lambda: TableServiceClient.from_connection_string(
                account.connection_string, **self._options(), **options
            ),
            lambda: TableServiceClient(
                account.table_url, credential=self.credential, **self._options(), **options
            ),
        )

    @property
    def credential(self) -> TokenCredential:
        """The identity as which the account is reached when there is no connection string."""
        with self._lock:
            if self._credential is None:
                self._credential = credential_for(self._account)
            return self._credential

    def container(self, name: str) -> ContainerClient:
        """A container of the account; nothing is asked of Azure yet."""
        return self.blobs.get_container_client(name)

    def table(self, name: str) -> TableClient:
        """A table of the account, the same client each time; nothing is asked of Azure yet."""
        made: TableClient | None = self._made.get(f"table {name}")
        if made is None:
            made = self._made[f"table {name}"] = self.tables.get_table_client(name)
        return made

    def close(self) -> None:
        """Close the connections; the clients are made anew when they are used again."""
        with self._lock:
            session: requests.Session | None = self._made.pop("session", None)
            self._made.clear()
            if session:
                session.close()

    def _once(self, kind: str, by_string: Callable[[], C], by_identity: Callable[[], C]) -> C:
        made: C | None = self._made.get(kind)
        if made is not None:
            return made
        with self._lock:
            made = self._made.get(kind)
            if made is None:
                try:
                    made = by_string() if self._account.connection_string else by_identity()
                except ValueError:
                    raise ConfigError("storageConnection") from None
                self._made[kind] = made
            return made

    def _options(self) -> dict[str, Any]:
        if "session" not in self._made:
            self._made["session"] = _session(self._calling)
        return _options(self._made["session"], self._calling)

    def _storage_retry(self) -> dict[str, Any]:
        return {
            "backoff": self._calling.backoff,
            "retry_total": self._calling.retries,
            "random_jitter_range": self._calling.backoff / 2,
        }


def container_client(account: StorageAccount, name: str) -> ContainerClient:
    """One container of an account, with connections of its own."""
    return StorageClients(account).container(name)


def credential_for(account: StorageAccount) -> TokenCredential:
    """The app's managed identity; on a developer's machine whatever identity is signed in.

    https://learn.microsoft.com/python/api/azure-identity/azure.identity.managedidentitycredential
    """
    _hush()
    client_id = account.client_id or None
    if account.managed:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id)


def token_for(credential: TokenCredential, scope: str) -> str:
    """An access token of an identity for another service. ConfigError; Unavailable."""
    with told("the app's identity"):
        return credential.get_token(scope).token


def secret_client(
    vault_url: str,
    credential: TokenCredential,
    calling: Calling = Calling(),
    *,
    verify: bool | str = True,
    verify_challenge: bool = True,
) -> SecretClient:
    """The client of a key vault. `verify` names a certificate to trust besides the system's own.

    `verify_challenge` is false only where a stand-in outside vault.azure.net is called.
    """
    options = _options(_session(calling), calling, verify)
    return SecretClient(
        vault_url,
        credential,
        verify_challenge_resource=verify_challenge,
        retry_total=calling.retries,
        retry_backoff_factor=calling.backoff,
        retry_backoff_max=10,
        **options,
    )


def _session(calling: Calling) -> requests.Session:
    """A session that many threads may use; it never retries, that is the SDK's own part."""
    _hush()
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=calling.connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _options(
    session: requests.Session, calling: Calling, verify: bool | str = True
) -> dict[str, Any]:
    transport = RequestsTransport(
        session=session,
        session_owner=False,
        connection_timeout=calling.connect_timeout,
        read_timeout=calling.read_timeout,
        connection_verify=verify,
        connection_data_block_size=64 * 1024,
    )
    return {"transport": transport, "user_agent": USER_AGENT, "permit_redirects": False}


def _hush() -> None:
    """The SDKs log every address they call, and a signature may be part of it."""
    for name in ("azure", "msal", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
