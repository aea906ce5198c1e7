"""The options of the sandbox, in one frozen value that can be replaced while the sandbox runs.

Where the behavior of Mailchimp is not documented, an option selects it, so that tests can try both.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints
from typing import Literal as OneOf

Language = OneOf["en", "de"]
ThrottleAnswer = OneOf["json", "bare", "html-403"]
CallOrMember = OneOf["call", "member"]
PoisonAnswer = OneOf[
    "InternalServerError", "BadRequest", "MethodNotAllowed", "RequestTooLarge", "applied"
]


@dataclass(frozen=True, slots=True)
class Options:
    """The behavior of the sandbox. Times are in milliseconds or seconds, as named."""

    language: Language = "en"
    """Language of all texts for people; Mailchimp uses that of the account."""
    connection_limit: int = 10
    """Calls in flight per account; one more is answered as `throttle_answer` says."""
    throttle_answer: ThrottleAnswer = "json"
    call_ms: float = 0.0
    """Fixed time of a writing call."""
    member_ms: float = 0.0
    """Time per member in a writing call."""
    read_ms: float = 0.0
    read_member_ms: float = 0.0
    fields_listed_after_seconds: int = 0
    """How long the list of merge fields lacks a new field."""
    merge_field_limit: int = 30
    """Merge fields per audience: 30, or 80 on the largest plan."""
    stats_cache_seconds: int = 300
    """How long the numbers of `GET /lists` are cached; 0 for current numbers."""
    tag_count_cache_seconds: int = 0
    """How long the `member_count` of a tag is cached."""
    tag_members_cached: bool = False
    """Whether the list of the members of a tag is as old as its `member_count`."""
    unknown_merge_tags: OneOf["ignore", "refuse"] = "ignore"
    wrong_kind: CallOrMember = "member"
    """A merge value of the wrong JSON kind costs the member, or the whole call (400)."""
    compliance_in_batch: OneOf["error", "silent"] = "error"
    """Subscribing a person who unsubscribed: an error, or an unchanged member in the response."""
    missing_status: OneOf["refuse", "subscribe", "pending"] = "refuse"
    """A person without a status in a batch call who is not in the audience: refused, subscribed, or asked to confirm."""
    batch_tags_match_case: bool = False
    """Whether a batch call takes a tag whose name differs in case only for another tag."""
    refusals_name_field: bool = False
    """A refused member of a batch call always has a `field`: `status` or `email_address` without another."""
    double_optin_forces_pending: bool = False
    """In a double opt-in audience `subscribed` makes a new person `pending`."""
    ignored_segment_members: OneOf["silent", "report"] = "silent"
    """Addresses outside the audience in a segment call: not mentioned, or listed in `errors`."""
    pending_in_segments: bool = False
    """Whether people who have not confirmed yet are counted and listed in a segment."""
    long_text: OneOf["refuse", "truncate"] = "refuse"
    """A text value of more than 255 bytes."""
    plan_limit: int | None = None
    """Contacts (without archived and cleaned) the plan allows; None for no limit."""
    plan_limit_answer: CallOrMember = "call"
    webhook_loss: float = 0.0
    """The share of events that no webhook receives."""
    webhook_doubled: float = 0.0
    """The share of events that a webhook receives twice."""
    webhook_disorder: bool = False
    """Post pending events in any order."""
    webhook_delay_ms: float = 0.0
    hold_webhooks: bool = False
    """Keep events until `Sandbox.deliver_webhooks`, or until a POST to /sandbox/webhooks."""
    sign_webhooks: bool = False
    """Sign events with X-Mailchimp-Signature; a new webhook then has a `signing_secret`."""
    refused_addresses: frozenset[str] = field(default_factory=frozenset)
    """Lower-cased addresses answered with "looks fake or invalid"."""
    refused_domains: frozenset[str] = field(default_factory=frozenset)
    """Lower-cased domains whose people are refused."""
    throttled_addresses: frozenset[str] = field(default_factory=frozenset)
    """Addresses that "signed up to a lot of lists very recently"."""
    poison_addresses: frozenset[str] = field(default_factory=frozenset)
    """A call that writes one of these fails as a whole, as `poison_answer` says."""
    poison_answer: PoisonAnswer = "InternalServerError"
    """The problem (problems.py) of such a call; `applied`: 504, although the call was applied."""
    max_body_bytes: int = 50_000_000
    keep_bodies: bool = False
    """Store the JSON bodies of the last calls, for tests; off by default, because bodies are personal data."""

    def changed(self, values: dict[str, Any]) -> Options:
        """A copy with these options; ValueError names an option that is wrong."""
        return dataclasses.replace(self, **{k: _checked(k, v) for k, v in values.items()})


def _checked(name: str, value: Any) -> Any:
    hints = get_type_hints(Options)
    if name not in hints:
        message = f"unknown option {name}"
        raise ValueError(message)
    hint = hints[name]
    message = f"option {name} does not take this value"
    if get_origin(hint) is OneOf:
        if value not in get_args(hint):
            raise ValueError(message)
        return value
    if get_origin(hint) is frozenset:
        if isinstance(value, str):
            value = [part for part in value.split(",") if part]
        return frozenset(str(item).strip().lower() for item in value)
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError(message)
        return value
    if value is None and type(None) in get_args(hint):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(message)  # noqa: TRY004 - one kind of error for all options
    return float(value) if hint is float else int(value)


def names() -> dict[str, Any]:
    """Option name -> type hint, for the command line."""
    return get_type_hints(Options)
