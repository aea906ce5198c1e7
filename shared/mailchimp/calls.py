"""What all calls to Mailchimp share: the connection, and the path of an audience."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import ConfigError, NotFound
from shared.mailchimp.transport import Transport
from shared.model.audience import CallCounts
from shared.model.ids import is_id


class Calls:
    """Calls over one connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def calls(self) -> CallCounts:
        """How many calls were made so far."""
        return self._transport.calls


def audience_path(audience_id: str) -> str:
    """Return the path of an audience. ConfigError when the ID is malformed."""
    if not is_id(audience_id):
        raise ConfigError("audienceMalformed")
    return f"/lists/{audience_id}"


@contextmanager
def within(audience_id: str) -> Iterator[str]:
    """Yield the path of an audience. NotFound with its ID when it does not exist."""
    path = audience_path(audience_id)
    try:
        yield path
    except NotFound as error:
        raise NotFound("audienceNotFound", audience=audience_id) from error
