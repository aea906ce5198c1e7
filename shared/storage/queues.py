"""Messages for the app's own queue triggers.

Rules: a message is base64 text, as host.json says; it never expires, for a run whose message is
gone would wait for ever; a queue that is missing is created when it is first sent to.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy

from shared.errors import InputError
from shared.storage.clients import StorageClients
from shared.storage.failures import error_code, told

__all__ = ["StorageQueue"]

_MOST_BYTES = 48 * 1024
"""A message may have 64 KB, and base64 makes four bytes of three."""
_LONGEST_DELAY = 7 * 24 * 3600
_FOR_EVER = -1


class StorageQueue:
    """Sends messages; ids only."""

    def __init__(self, clients: StorageClients) -> None:
        self._clients = clients

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Put a message on a queue, to be seen after `delay` seconds (7 days at most).

        InputError when the message is no JSON or larger than 48 KB. After Unavailable with
        `maybe_applied`, and now and then without any error, a message arrives twice.
        """
        try:
            text = orjson.dumps(dict(message)).decode()
        except TypeError:
            raise InputError("messageNotJson", queue=queue) from None
        if len(text.encode()) > _MOST_BYTES:
            raise InputError("messageTooLarge", queue=queue)
        seconds = min(max(math.ceil(delay), 0), _LONGEST_DELAY)
        client = self._clients.queues.get_queue_client(
            queue, message_encode_policy=TextBase64EncodePolicy()
        )
        with told(queue):
            try:
                client.send_message(text, visibility_timeout=seconds, time_to_live=_FOR_EVER)
            except ResourceNotFoundError:
                pass
            else:
                return
            try:
                client.create_queue()
            except ResourceExistsError as error:
                # The type decides: for an existing queue the status may be 204.
                if error_code(error) == "QueueBeingDeleted":
                    raise
            client.send_message(text, visibility_timeout=seconds, time_to_live=_FOR_EVER)

    def count(self, queue: str) -> int:
        """The number of messages in a queue, those that no one can receive now included.

        0 for a queue that does not exist. Azure calls the number approximate: it is never too small.
        """
        with told(queue):
            try:
                properties = self._clients.queues.get_queue_client(queue).get_queue_properties()
            except ResourceNotFoundError:
                return 0
            return properties.approximate_message_count or 0
