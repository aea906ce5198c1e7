"""Tags of an audience: which export owns which tag, and how names compare.

Names are compared regardless of case, as Mailchimp does, and of Unicode form: a letter with an accent, or a Korean
syllable, may be one character or several. Mailchimp does not document whether it takes the forms for different names.
So an existing tag is used in whatever form it has, and none is created beside it that looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.ports import Records
from shared.model.source import plain_name


@dataclass(frozen=True)
class TagOwner:
    """Which export owns a tag of an audience, and the tag's id."""

    export_id: str
    segment: str
    tag_id: int


def same_name(one: str, other: str) -> bool:
    """Whether Mailchimp takes two tag names for the same."""
    return plain_name(one) == plain_name(other)


def owned_by_others(
    owners: Records[TagOwner], export_id: str, account_id: str, audience_id: str
) -> frozenset[int]:
    """Tags of an audience that belong to other exports."""
    return frozenset(
        stored.value.tag_id
        for stored in owners.all(tags_of_audience(account_id, audience_id))
        if stored.value.export_id != export_id
    )


def tags_of_audience(account_id: str, audience_id: str) -> str:
    """The partition of the records of all tags of an audience."""
    return f"{account_id}-{audience_id}"
