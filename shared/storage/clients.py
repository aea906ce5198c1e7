"""SDK clients of a storage account, created at first use and shared by all threads.

Blobs, queues and tables share one connection pool with one connection for each thread. Every call
has a timeout and a few retries, and follows no redirects. The SDKs log URLs, so their loggers are
limited to warnings.
https://learn.microsoft.com/azure/storage/blobs/storage-retry-policy-python
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.blob import LinearRetry as BlobRetry
from azure.storage.queue import LinearRetry as QueueRetry
from azure.storage.queue import QueueServiceClient
from requests.adapters import HTTPAdapter

from shared.errors import ConfigError
from shared.http_session import HttpSession, no_authentication
from shared.request_time import LANDING, OWN_STORAGE
from shared.settings import StorageAccount
from shared.storage.failures import azure_errors
from shared.version import USER_AGENT

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient


BLOCK = 4 * 1024 * 1024
"""Bytes per request: the most that a transfer holds in memory."""


C = TypeVar("C", BlobServiceClient, QueueServiceClient, TableServiceClient)


@dataclass(frozen=True)
class ClientOptions:
    """Retries, timeouts and pool size of the SDK clients; times in seconds.

    `backoff` is the delay before the first retry; it grows for tables and is constant for blobs and
    queues. `read_timeout` exceeds the longest table query (5 s) and the transfer of a 4 MB block on
    a slow line. `connections` is the number of threads that can call at the same time. `until` is how many
    seconds after the beginning of an HTTP request calls may be made (request_time.py).
    """

    retries: int = 3
    backoff: float = 0.8
    connect_timeout: float = 5
    read_timeout: float = 50
    connections: int = 32
    until: float = OWN_STORAGE


_OF_LANDING = ClientOptions(until=LANDING)


class StorageClients:
    """The service clients of a storage account. ConfigError when its settings are unusable."""

    def __init__(
        self,
        account: StorageAccount,
        options: ClientOptions = ClientOptions(),
        credential: TokenCredential | None = None,
    ) -> None:
        self._account = account
        self._client_options = options
        self._credential = credential
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    @property
    def blobs(self) -> BlobServiceClient:
        """The client for Blob Storage; it transfers blocks of `BLOCK` bytes."""
        return self._client(
            BlobServiceClient,
            self._account.blob_url,
            max_block_size=BLOCK,
            max_single_put_size=BLOCK,
            max_single_get_size=BLOCK,
            max_chunk_get_size=BLOCK,
            retry_policy=BlobRetry(**self._storage_retry()),
        )

    @property
    def queues(self) -> QueueServiceClient:
        """The client for Queue Storage."""
        return self._client(
            QueueServiceClient,
            self._account.queue_url,
            retry_policy=QueueRetry(**self._storage_retry()),
        )

    @property
    def tables(self) -> TableServiceClient:
        """The client for Table Storage."""
        return self._client(
            TableServiceClient,
            self._account.table_url,
            retry_total=self._client_options.retries,
            retry_backoff_factor=self._client_options.backoff,
            retry_backoff_max=10,
        )

    @property
    def credential(self) -> TokenCredential:
        """The identity for an account without a connection string."""
        with self._lock:
            if self._credential is None:
                self._credential = credential_for(self._account)
            return self._credential

    def container(self, name: str) -> ContainerClient:
        """The client of a container; makes no request."""
        return self.blobs.get_container_client(name)

    def table(self, name: str) -> TableClient:
        """The client of a table, one per table; makes no request."""
        made: TableClient | None = self._made.get(f"table {name}")
        if made is None:
            made = self._made[f"table {name}"] = self.tables.get_table_client(name)
        return made

    def close(self) -> None:
        """Close all connections. Clients are created again when they are used."""
        with self._lock:
            session: requests.Session | None = self._made.pop("session", None)
            self._made.clear()
            if session:
                session.close()

    def _client(self, kind: type[C], url: str, **options: Any) -> C:
        """Create a client of this type once: by connection string if there is one, else by identity."""
        made: C | None = self._made.get(kind.__name__)
        if made is not None:
            return made
        with self._lock:
            made = self._made.get(kind.__name__)
            if made is None:
                options |= self._options()
                try:
                    if self._account.connection_string:
                        text = self._account.connection_string
                        made = kind.from_connection_string(text, **options)
                    else:
                        made = kind(url, credential=self.credential, **options)
                except ValueError:
                    raise ConfigError("storageConnection") from None
                self._made[kind.__name__] = made
            return made

    def _options(self) -> dict[str, Any]:
        if "session" not in self._made:
            self._made["session"] = _session(self._client_options)
        return _options(self._made["session"], self._client_options)

    def _storage_retry(self) -> dict[str, Any]:
        return {
            "backoff": self._client_options.backoff,
            "retry_total": self._client_options.retries,
            "random_jitter_range": self._client_options.backoff / 2,
        }


def landing_clients(account: StorageAccount) -> StorageClients:
    """The clients of the landing account, with their own connections."""
    return StorageClients(account, _OF_LANDING)


def credential_for(account: StorageAccount) -> TokenCredential:
    """The managed identity of the app, or the developer's own identity outside Azure.

    https://learn.microsoft.com/python/api/azure-identity/azure.identity.managedidentitycredential
    """
    # Imported where it is used: most processes start without it.
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    _limit_sdk_logs()
    client_id = account.client_id or None
    if account.managed:
        options = ClientOptions()
        return ManagedIdentityCredential(
            client_id=client_id, **_options(_session(options), options)
        )
    return DefaultAzureCredential(managed_identity_client_id=client_id)


def token_for(credential: TokenCredential, scope: str) -> str:
    """Get an access token for another service. ConfigError; Unavailable."""
    with azure_errors("the app's identity"):
        return credential.get_token(scope).token


def secret_client(
    vault_url: str,
    credential: TokenCredential,
    options: ClientOptions = ClientOptions(),
    *,
    verify: bool | str = True,
    verify_challenge: bool = True,
) -> SecretClient:
    """Create the client of a key vault. `verify` may name a certificate to trust.

    `verify_challenge` is false only for a test server outside vault.azure.net.
    """
    # Imported where it is used: most processes start without it.
    from azure.keyvault.secrets import SecretClient

    http = _options(_session(options), options, verify)
    return SecretClient(
        vault_url,
        credential,
        verify_challenge_resource=verify_challenge,
        retry_total=options.retries,
        retry_backoff_factor=options.backoff,
        retry_backoff_max=10,
        **http,
    )


def _session(options: ClientOptions) -> requests.Session:
    """Create an HTTP session for many threads, without retries: the SDK retries."""
    _limit_sdk_logs()
    session = HttpSession(options.until)
    session.auth = no_authentication
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=options.connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _options(
    session: requests.Session, options: ClientOptions, verify: bool | str = True
) -> dict[str, Any]:
    transport = RequestsTransport(
        session=session,
        session_owner=False,
        connection_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        connection_verify=verify,
        connection_data_block_size=64 * 1024,
    )
    return {"transport": transport, "user_agent": USER_AGENT, "permit_redirects": False}


def _limit_sdk_logs() -> None:
    """Limit the SDKs' loggers to warnings: they log URLs, which may contain a signature."""
    for name in ("azure", "msal", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
