"""Storage of the app: blobs, tables, leases and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.ports import Files, Leases, Secrets
from shared.runs.outcome_file import CONTAINER as OUTCOMES_CONTAINER
from shared.storage.clients import (
    StorageClients,
    credential_for,
    secret_client,
)
from shared.storage.clients import landing_clients as new_landing_clients
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.local_secrets import LocalSecrets
from shared.storage.vault import VaultSecrets

if TYPE_CHECKING:
    from shared.app import App


def clients(app: App) -> StorageClients:
    """SDK clients of the state account."""
    return StorageClients(app.settings.storage)


def files(app: App) -> Files:
    """Blobs of the state container."""
    return BlobFiles(app.clients)


def leases(app: App) -> Leases:
    """Leases of the state account."""
    return BlobLeases(app.clients)


def secrets(app: App) -> Secrets:
    """Key Vault where it is configured, else an encrypted file on this machine."""
    if app.settings.key_vault_url:
        credential = credential_for(app.settings.storage)
        return VaultSecrets(secret_client(app.settings.key_vault_url, credential))
    return LocalSecrets(app.clients, in_azure=app.settings.in_azure)


def landing_clients(app: App) -> StorageClients:
    """SDK clients of the landing account, to write what Customer Insights reads."""
    return new_landing_clients(app.settings.segments.storage)


def outcome_files(app: App) -> Files:
    """Blobs of the container from which Customer Insights reads."""
    return BlobFiles(app.landing_clients, OUTCOMES_CONTAINER)


def outcomes_url(app: App) -> str:
    """The URL of the container from which Customer Insights reads."""
    return str(app.landing_clients.container(OUTCOMES_CONTAINER).url).partition("?")[0]
