"""Queues for the app's own triggers.

A message is base64 text, as configured in host.json. It never expires, because a run without its
message would never continue. A queue is created by the first message.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy

from shared.errors import InputError
from shared.storage.clients import StorageClients
from shared.storage.failures import azure_errors, error_code

_MOST_BYTES = 48 * 1024
"""A message has at most 64 KB, and base64 turns three bytes into four."""
_LONGEST_DELAY = 7 * 24 * 3600
_FOR_EVER = -1


@dataclass(frozen=True)
class StorageQueue:
    """Implements Queue. Messages contain ids only."""

    clients: StorageClients

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Send a message that becomes visible after `delay` seconds (7 days at most).

        InputError when the message is not JSON or larger than 48 KB. A message may arrive twice:
        after Unavailable with `maybe_applied`, and rarely without an error.
        """
        try:
            text = orjson.dumps(dict(message)).decode()
        except TypeError:
            raise InputError("messageNotJson", queue=queue) from None
        if len(text.encode()) > _MOST_BYTES:
            raise InputError("messageTooLarge", queue=queue)
        seconds = min(max(math.ceil(delay), 0), _LONGEST_DELAY)
        client = self.clients.queues.get_queue_client(
            queue, message_encode_policy=TextBase64EncodePolicy()
        )
        with azure_errors(queue):
            try:
                client.send_message(text, visibility_timeout=seconds, time_to_live=_FOR_EVER)
            except ResourceNotFoundError:
                pass
            else:
                return
            try:
                client.create_queue()
            except ResourceExistsError as error:
                # For an existing queue the status may be 204, so the exception type decides.
                if error_code(error) == "QueueBeingDeleted":
                    raise
            client.send_message(text, visibility_timeout=seconds, time_to_live=_FOR_EVER)

    def count(self, queue: str) -> int:
        """Count the messages in a queue, including invisible ones; 0 when it does not exist.

        Azure calls the number approximate: it is never too small.
        """
        with azure_errors(queue):
            try:
                properties = self.clients.queues.get_queue_client(queue).get_queue_properties()
            except ResourceNotFoundError:
                return 0
            return properties.approximate_message_count or 0
