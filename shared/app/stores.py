"""What must survive: the clients of the state account, and every kind of record."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from shared.app.chance import Runtime
from shared.messaging.poison import PoisonQueues
from shared.messaging.sequence import SequenceState
from shared.messaging.stamped_queue import StampedQueue
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk
from shared.model.connection import Connection
from shared.model.export import Export, Schedule
from shared.model.ledger import LedgerPointer
from shared.model.ports import Records
from shared.model.run import Run
from shared.model.tag import TagOwner
from shared.runs.start import ActiveRun
from shared.settings import Settings
from shared.storage.clients import (
    StorageClients,
    credential_for,
    secret_client,
)
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.local_secrets import LocalSecrets
from shared.storage.queues import StorageQueue
from shared.storage.records import TableRecords
from shared.storage.secrets import Secrets
from shared.storage.vault import VaultSecrets
from shared.telemetry import Telemetry

__all__ = ["RowCount", "Stores", "UsedNonce"]


T = TypeVar("T")


@dataclass(frozen=True)
class RowCount:
    """How many rows a file has that never changes (its key is made of name and ETag)."""

    rows: int


@dataclass(frozen=True)
class UsedNonce:
    """A sign-in state that was redeemed, and when."""

    at: datetime


@dataclass
class Stores:
    """Tables, blobs, queues, leases and secrets; each is made when it is first asked for."""

    settings: Settings
    chance: Runtime = field(default_factory=Runtime)

    def table(
        self,
        name: str,
        value_type: type[T],
        columns: Callable[[T], Mapping[str, str]] = lambda _: {},
    ) -> Records[T]:
        """The records of one kind; every kind is named here or in the storeys above."""
        return TableRecords(self.clients, name, value_type, columns)

    @cached_property
    def clients(self) -> StorageClients:
        """The SDK clients of the state account."""
        return StorageClients(self.settings.storage)

    @cached_property
    def files(self) -> BlobFiles:
        """Blobs of the state container."""
        return BlobFiles(self.clients)

    @cached_property
    def queue(self) -> StampedQueue:
        """Queues of the state account; every message says its trace and when it was due."""
        return StampedQueue(StorageQueue(self.clients), self.chance.now)

    @cached_property
    def poison_queues(self) -> PoisonQueues:
        """The queues of messages that were given up."""
        return PoisonQueues(StorageQueue(self.clients).count)

    @cached_property
    def telemetry(self) -> Telemetry:
        """Metrics and spans."""
        return Telemetry(secrets.token_hex, self.chance.now)

    @cached_property
    def leases(self) -> BlobLeases:
        """Leases of the state account."""
        return BlobLeases(self.clients)

    @cached_property
    def secrets(self) -> Secrets:
        """Key Vault where there is one, else the encrypted store of this machine."""
        if self.settings.key_vault_url:
            credential = credential_for(self.settings.storage)
            return VaultSecrets(secret_client(self.settings.key_vault_url, credential))
        return LocalSecrets(self.clients, in_azure=self.settings.in_azure)

    @cached_property
    def connections(self) -> Records[Connection]:
        """Connections."""
        return self.table("connections", Connection)

    @cached_property
    def exports(self) -> Records[Export]:
        """Export definitions."""
        return self.table("exports", Export)

    @cached_property
    def runs(self) -> Records[Run]:
        """Runs, newest first."""
        return self.table("runs", Run, lambda run: {"export": run.export_id, "status": run.status})

    @cached_property
    def active(self) -> Records[ActiveRun]:
        """The newest run of every export."""
        return self.table("activeruns", ActiveRun)

    @cached_property
    def chunks(self) -> Records[Chunk]:
        """Chunks, by run."""
        return self.table("chunks", Chunk)

    @cached_property
    def turns(self) -> Records[SequenceState]:
        """How far each line of messages is, by run."""
        return self.table("turns", SequenceState)

    @cached_property
    def ledgers(self) -> Records[LedgerPointer]:
        """Which blob is the ledger of an export."""
        return self.table("ledgers", LedgerPointer)

    @cached_property
    def held(self) -> Records[NotSubscribedPointer]:
        """Whom audiences hold without a subscription."""
        return self.table("held", NotSubscribedPointer)

    @cached_property
    def tag_owners(self) -> Records[TagOwner]:
        """Which export owns which tag."""
        return self.table("tagowners", TagOwner)

    @cached_property
    def schedules(self) -> Records[Schedule]:
        """The refresh schedule."""
        return self.table("schedules", Schedule)
