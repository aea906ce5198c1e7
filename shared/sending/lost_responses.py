"""Finds out from the contact of a person whether Mailchimp applied a call whose response was lost or omits the person.

A call whose response was lost is repeated, for the same chunk or in a later attempt to send it. The repeated call finds the
contact that the first one created. The contact must count as created by the run.
"""

from __future__ import annotations

from datetime import datetime

from shared.fields.evidence import sends_times, without_evidence
from shared.model.audience import MemberState
from shared.model.clocks import CLOCK_TOLERANCE
from shared.model.outcome import Code, Outcome
from shared.model.source import plain_name
from shared.sending.result import Person, Result

_SUBSCRIBED = "subscribed"


def result_if_applied(
    person: Person, contact: MemberState | None, since: datetime, *, added: bool
) -> Result | None:
    """The result of a person if Mailchimp applied the call; None if it did not, or if this is unknown.

    `contact` is the contact that Mailchimp has now, `since` the time at which the run began to send, and `added` whether the call
    adds people. The values of a contact that the run added are not compared, because Mailchimp may write them in another
    form. A call does not change an archived contact, which may have the same values and tags from before.
    """
    if contact is None or contact.status == Code.ARCHIVED or not _has_tags(person, contact):
        return None
    created = added and is_added_by_run(person, contact.opted_in, since)
    if not (created and contact.opted_in) and not _has_values(person, contact):
        return None
    return Result(Outcome.CREATED if created else Outcome.UPDATED, status=contact.status)


def is_added_by_run(person: Person, opted_in: str | None, since: datetime) -> bool:
    """Whether an existing contact was added by an earlier call of the run, which began to send at `since`.

    An update also sets the times of the evidence, so with them the time in Mailchimp may be from
    the run although the contact is older. Undo archives contacts that the run added, so such a
    contact does not count as added.
    """
    if sends_times(person.fields):
        return False
    moment = _moment(opted_in)
    return moment is None or moment >= since - CLOCK_TOLERANCE


def is_subscribed_by_run(
    person: Person, result: Result, opted_in: str | None, since: datetime
) -> bool:
    """Whether an earlier call of the run, without a status, has probably created the contact of a result.

    False if the time of the opt-in is unknown, because the contact may be older.
    """
    moment = _moment(opted_in)
    return (
        result.outcome is Outcome.UPDATED
        and result.status == _SUBSCRIBED
        and not sends_times(person.fields)
        and moment is not None
        # Mailchimp's times are whole seconds.
        and moment >= since.replace(microsecond=0)
    )


def _moment(opted_in: str | None) -> datetime | None:
    """The time of an opt-in; None if there is none, or it has no time zone."""
    try:
        moment = datetime.fromisoformat(opted_in or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _has_tags(person: Person, contact: MemberState) -> bool:
    """Whether a contact has all the tags that were sent."""
    tags = set(map(plain_name, contact.tags))
    return all(plain_name(tag) in tags for tag in person.tags)


def _has_values(person: Person, contact: MemberState) -> bool:
    """Whether a contact has all the values that were sent."""
    return all(
        _text(contact.fields.get(name)) == _text(value)
        for name, value in without_evidence(person.fields).items()
    )


def _text(value: object) -> object:
    """A value in the form in which Mailchimp returns it: 5, 5.0 and "5" are the same."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
