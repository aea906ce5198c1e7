"""Some people of a preview, with their values before and after the run.

Stored in the folder of the plan, so that retention and the erasure of people delete it. It contains
personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter


class SampleKind(StrEnum):
    """What the run would do with a person."""

    NEW = "new"
    CHANGED = "changed"
    LEAVING = "leaving"


@dataclass(frozen=True)
class SampleField:
    """A value as Mailchimp has it (empty for a new contact), and as the run would leave it.

    `tag` is a merge tag, or the name of a value of evidence (`ip_opt`).
    """

    tag: str
    now: str
    after: str


@dataclass(frozen=True)
class SamplePerson:
    """A person before and after the run. Both statuses are empty for a person who is not in the audience.

    `status` is also empty for a new contact.
    """

    kind: SampleKind
    address: str
    status: str
    status_after: str
    fields: tuple[SampleField, ...]
    tags: tuple[str, ...]
    tags_after: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """What a preview found: the number of rows by outcome, code and field, and sample people."""

    totals: Sequence[tuple[str, str, str, int]]
    people: Sequence[SamplePerson]


SAMPLES_JSON = TypeAdapter(list[SamplePerson])
"""Writes and reads stored samples. ValueError when they are damaged."""
