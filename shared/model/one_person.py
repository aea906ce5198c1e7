"""The person that a run of one person sends, and what was sent beside what Mailchimp has afterwards.

Both are files of the run, so that retention and the erasure of people delete them. They contain
personal data.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter


@dataclass(frozen=True)
class ChosenPerson:
    """The person to send: by the normal address, or by the CustomerId."""

    address: str = ""
    customer_id: str = ""


@dataclass(frozen=True)
class SentField:
    """A value that was sent, None if none was, and the value that Mailchimp has now.

    `tag` is a merge tag, or the name of a value of evidence (`ip_opt`). `reason` says why the value was not sent, or
    was cut: a reason of `shared/fields`, "" for a value that was sent whole, and in runs of earlier versions.
    """

    tag: str
    sent: str | None
    now: str
    reason: str = ""


@dataclass(frozen=True)
class SentPerson:
    """One contact of the person: its outcome, what was sent, and what Mailchimp has now.

    `status` is empty if the audience does not have the contact. `field` names merge fields whose value
    was dropped or cut.
    """

    address: str
    customer_id: str
    outcome: str
    code: str
    field: str
    fields: tuple[SentField, ...]
    tags_sent: tuple[str, ...]
    tags_removed: tuple[str, ...]
    status: str
    tags: tuple[str, ...]


PERSON_JSON = TypeAdapter(ChosenPerson)
"""Writes and reads the stored person. ValueError when it is damaged."""

SENT_JSON = TypeAdapter(list[SentPerson])
"""Writes and reads the stored contacts. ValueError when they are damaged."""
