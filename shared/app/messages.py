"""Queue messages and their traces."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.messaging.poison import PoisonQueues
from shared.messaging.sequence import MessageSequences
from shared.messaging.stamped_queue import StampedQueue
from shared.storage.queues import StorageQueue
from shared.telemetry import Telemetry

if TYPE_CHECKING:
    from shared.app import App


def queue(app: App) -> StampedQueue:
    """Queues of the state account. Every message carries its trace and the time it was due."""
    return StampedQueue(StorageQueue(app.clients), app.runtime.now)


def poison_queues(app: App) -> PoisonQueues:
    """The queues of messages that failed too often."""
    return PoisonQueues(StorageQueue(app.clients).count)


def sequences(app: App) -> MessageSequences:
    """Selects one of several copies of a message to continue."""
    return MessageSequences(app.sequence_states)


def telemetry(app: App) -> Telemetry:
    """Metrics and spans."""
    return Telemetry(secrets.token_hex, app.runtime.now)
