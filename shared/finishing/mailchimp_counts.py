"""Mailchimp's own counts at the end of a run: the members of its tags, and the contacts in each status.

Its merge fields are read too, because Mailchimp ignores values of a field that was deleted meanwhile.

They are read while the outcomes become the next ledger, because neither needs the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, ConnectorError, Refused
from shared.fields.merge_fields import choices_with_fields
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import DELETED_FIELD, STATUSES, CallCounts, MergeField, Tag
from shared.model.plan import Plan

_Key = TypeVar("_Key")
_Count = TypeVar("_Count")


@dataclass(frozen=True)
class MailchimpCounts:
    """The tags by id, None for a tag that is gone, and the number of contacts by status. No tags if the run compares none.

    `error` is that of a tag that could not be read; `statuses` is empty when one could not be counted.
    `lost_fields` are the merge tags of mapped fields that were deleted, or got another merge tag, since the plan.
    """

    tags: Mapping[int, Tag | None]
    statuses: Mapping[str, int]
    calls: CallCounts
    error: ConnectorError | None
    lost_fields: tuple[str, ...] = ()


def count_in_mailchimp(
    sessions: OnDemandSessions, plan: Plan, *, compares_tags: bool
) -> MailchimpCounts:
    """Read the counts for a plan, those of the tags only with `compares_tags`.

    Unavailable (`noSlot`) when no connection is free, or another code when storage is unavailable.
    """

    def tag(session: MailchimpSession, tag_id: int) -> Tag | None:
        return session.tag(plan.audience_id, tag_id)

    def contacts(session: MailchimpSession, status: str) -> int:
        return session.count(plan.audience_id, status)

    def lost_fields(session: MailchimpSession) -> tuple[str, ...]:
        missing = _differing(sent, session.merge_fields(plan.audience_id))
        # The list may not have a new field yet.
        found = [session.merge_field(plan.audience_id, key) for key in missing]
        return tuple(_differing(missing, filter(None, found)).values())

    # Without chunks, the run has changed no status.
    statuses = STATUSES if plan.chunks and plan.contacts_before else ()
    # A plan without people to send only removes tags, archives or unsubscribes, so it sends no values.
    sent = _sent_fields(plan) if plan.people_to_send else {}
    try:
        with sessions.parallel(plan.connection_id, plan.account_id, patience=0.0) as calls:
            ids = [tag.tag_id for tag in plan.tags] if compares_tags else []
            tag_calls = {tag_id: calls.submit(partial(tag, tag_id=tag_id)) for tag_id in ids}
            status_calls = {one: calls.submit(partial(contacts, status=one)) for one in statuses}
            lost_call = calls.submit(lost_fields) if sent else None
    except (Refused, ConfigError) as refused:
        return MailchimpCounts({}, {}, CallCounts(), refused)
    tags, error = _results(tag_calls)
    counted, _ = _results(status_calls)
    return MailchimpCounts(tags, counted, calls.calls, error, _known_lost(lost_call))


def _sent_fields(plan: Plan) -> dict[int, str]:
    """The merge tags to which a plan sends values, by the id of the field."""
    used = (field for _, field in choices_with_fields(plan.mapping, plan.merge_fields))
    return {field.id: field.tag for field in used if field.type != DELETED_FIELD}


def _differing(sent: Mapping[int, str], now: Iterable[MergeField]) -> dict[int, str]:
    """Those of `sent` that are not in `now`, or have another merge tag there."""
    tags = {field.id: field.tag.upper() for field in now}
    return {key: tag for key, tag in sent.items() if tags.get(key) != tag.upper()}


def _known_lost(call: Future[tuple[str, ...]] | None) -> tuple[str, ...]:
    """The lost fields that a call found; none without a call, or when it failed."""
    try:
        return call.result() if call is not None else ()
    except ConnectorError:
        return ()


def _results(
    calls: Mapping[_Key, Future[_Count]],
) -> tuple[dict[_Key, _Count], ConnectorError | None]:
    """The results of ended calls; none of them, but the error, when one failed."""
    try:
        return {key: call.result() for key, call in calls.items()}, None
    except ConnectorError as error:
        return {}, error
