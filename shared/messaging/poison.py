"""Messages that stay in a poison queue.

A message that the Functions host cannot decode (no base64, or no UTF-8 inside) never reaches code of
the app: it fails in its queue, then in the poison queue, and stays there until it expires. A message
whose poison function fails stays as well. Only the number of messages in the queue shows them.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from shared.messaging.events import log_event
from shared.model.names import BLOB_EVENTS, CONSENT_SWEEPS, PLAN_RUNS, SEND_LANES


@dataclass(frozen=True)
class PoisonQueues:
    """The poison queues of the app; `count` gives the number of messages in a queue."""

    count: Callable[[str], int]

    def log_waiting(self) -> None:
        """Log the event `message.stuck` for each poison queue that holds messages.

        Poison functions empty these queues within seconds, so the same number in two ticks means
        messages that stay. Every tick logs the number again; the alert compares it with earlier ones
        (`infra/modules/alerts.bicep`), so that one message causes one alert.
        """
        for queue in (PLAN_RUNS, SEND_LANES, BLOB_EVENTS, CONSENT_SWEEPS):
            name = f"{queue}-poison"
            messages = self.count(name)
            if messages:
                log_event("message.stuck", level=logging.WARNING, queue=name, messages=messages)
