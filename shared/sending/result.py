"""The result of writing one person, and the person as they are sent."""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import Refused, Unavailable
from shared.fields.contact import Dropped
from shared.model.audience import Refusal
from shared.model.outcome import Code, Outcome


class Person(NamedTuple):
    """A person to send, with merge fields as Mailchimp takes them.

    `dropped` are the values that did not fit: they are omitted, or sent in part.
    """

    address: str
    tags: tuple[str, ...]
    fields: dict[str, object]
    dropped: tuple[Dropped, ...] = ()


class Result(NamedTuple):
    """The outcome of one person, its reason and field, and the contact's status afterwards.

    `status_sent`: an existing contact was sent with a status. The consent proof counts these; the
    number must be 0. `answer` is what Mailchimp answered about a refused person, without personal data.
    """

    outcome: Outcome
    code: str = ""
    field: str = ""
    status: str = ""
    status_sent: bool = False
    answer: str = ""


# Mailchimp neither accepted nor refused the person. The next run sends them again.
UNKNOWN = Result(Outcome.REJECTED, Code.CALL_FAILED)


def with_values(person: Person, result: Result) -> Result:
    """The result, with the fields whose values were not sent, or not sent whole."""
    if not person.dropped or result.outcome not in (Outcome.CREATED, Outcome.UPDATED):
        return result
    omitted = [one for one in person.dropped if one.reason != "cut"]
    code = Code.VALUE_DROPPED if omitted else Code.VALUE_CUT
    return result._replace(
        code=code, field=" ".join(one.field for one in omitted or person.dropped)
    )


def refused(refusal: Refusal) -> Result:
    """The result of a person whom Mailchimp refused in a call with others."""
    return Result(Outcome.REJECTED, refusal.code, refusal.field, answer=refusal.answer)


def rejected(failure: Unavailable | Refused) -> Result:
    """The result of a person whose separate call failed."""
    if isinstance(failure, Unavailable):
        return UNKNOWN
    return Result(
        Outcome.REJECTED, failure.code or Code.REFUSED, failure.field, answer=failure.answer
    )
