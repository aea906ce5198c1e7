"""Evidence of consent: when and from which IP address a person signed up and opted in.

The batch call takes these values beside the merge fields. The app treats them as values of merge fields with tags
that no merge field can have (`$IP_OPT`).
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from shared.fields.values import Unusable
from shared.model.clocks import CLOCK_TOLERANCE
from shared.model.export import Evidence

_MARK = "$"
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def _time(text: str, now: datetime | None = None) -> str:
    """A time in ISO 8601 as UTC, at most `now`; without an offset it is UTC already."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable("notATime") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Both ends of the calendar overflow when they are moved to UTC.
    if not _EARLIEST.year <= moment.year < _LATEST.year:
        raise Unusable("notATime")
    moment = moment.astimezone(UTC)
    # A consent that is still to come is no evidence, and Mailchimp would store it.
    if now is not None and moment > now + CLOCK_TOLERANCE:
        raise Unusable("notATime")
    return moment.isoformat(timespec="seconds")


def _ip(text: str) -> str:
    """An IPv4 or IPv6 address in its usual form, without a zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Unusable("notAnIpAddress") from None
    if "%" in text:
        raise Unusable("notAnIpAddress")
    return str(address)


# Names of the API by tag.
EVIDENCE: Mapping[str, str] = {
    f"{_MARK}{name.upper()}": name
    for name in ("timestamp_signup", "ip_signup", "timestamp_opt", "ip_opt")
}


def is_evidence(tag: str) -> bool:
    """Whether a tag is one of evidence and not of a merge field."""
    return tag in EVIDENCE


def attribute_tags(evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    """The mapped attributes with their tags, always in the same order."""
    for tag, name in EVIDENCE.items():
        attribute = getattr(evidence, name, None)
        if attribute:
            yield attribute, tag


def converter(tag: str, now: datetime | None) -> Callable[[str], object]:
    """Return the conversion for a tag of evidence. It raises Unusable, also for times after `now`."""
    return _ip if EVIDENCE[tag].startswith("ip") else partial(_time, now=now)


def without_evidence(fields: Mapping[str, object]) -> dict[str, object]:
    """The merge fields among the values of a person."""
    return {tag: value for tag, value in fields.items() if tag not in EVIDENCE}


def sends_times(fields: Mapping[str, object]) -> bool:
    """Whether the values of a person include a time of evidence."""
    return any(EVIDENCE.get(tag, "").startswith("timestamp") for tag in fields)


def plain_tags(tags: str) -> str:
    """Tags separated by blanks, with those of evidence as names that people can read (`ip_opt`)."""
    return " ".join(EVIDENCE.get(tag, tag) for tag in tags.split(" "))
