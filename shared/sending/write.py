"""One chunk to Mailchimp: the calls it takes, and the outcome of every person in it.

Consent is kept by the way of writing, not by care alone:

* People who are not in the ledger are sent with a status and `update_existing` off: Mailchimp
  refuses whoever is there already (`contactExists`) and leaves that person as they are, so a
  status can never reach someone whom the audience holds, whatever happened since the plan.
* People who are there are sent without a status and with `update_existing` on.

A call that fails as a whole is halved until the person who breaks it stands alone: a poison row
costs one row. Whether Mailchimp answers at all is asked first, so that an outage costs no rows.
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from shared.errors import Disconnected, NotFound, Refused, Unavailable
from shared.model.audience import Member
from shared.model.chunk import ChunkKind
from shared.model.outcome import Code, Outcome
from shared.model.ports import MailchimpSession

__all__ = ["Person", "Result", "Writer"]

T = TypeVar("T")

# Mailchimp's clock and ours may differ by this much when we ask who opted in during the run.
_CLOCKS = timedelta(minutes=5)

# So many people refused one by one, with nobody accepted in between: it is not about them.
_HOPELESS = 25

# Answers to a whole call that can be about one of its members; anything else is about the call.
_ABOUT_MEMBERS = frozenset({400, 413, 422})

# Refusals of an update that a person who is not in the audience (any more) can meet.
_PERHAPS_ABSENT = frozenset({Code.NOT_IN_AUDIENCE, Code.REFUSED})


@dataclass(frozen=True)
class Person:
    """A person to send, with merge fields as Mailchimp takes them.

    `dropped` names merge fields whose value did not fit and was left out.
    """

    address: str
    tags: tuple[str, ...]
    fields: dict[str, object]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What became of one person: the outcome, why, which field, the status held afterwards.

    `asked`: someone who was there was sent with a status (the consent proof counts these: 0).
    """

    outcome: Outcome
    code: str = ""
    field: str = ""
    status: str = ""
    asked: bool = False


class Writer:
    """Writes people of one audience over one session.

    `status` is what new people get; `since` is when the run began to send.
    """

    def __init__(
        self, session: MailchimpSession, audience_id: str, status: str, since: datetime
    ) -> None:
        self._session = session
        self._audience = audience_id
        self._status = status
        self._since = since
        self._refused_in_a_row = 0

    def write(self, kind: ChunkKind, people: Sequence[Person], doubt: bool) -> list[Result]:
        """Send people and say, in their order, what became of each.

        `doubt` tells that an earlier, unfinished try may have been applied. Unavailable,
        Disconnected and Refused concern the whole chunk: nothing is known of its people.
        """
        if kind is ChunkKind.ADD:
            by_address = self._add(people, doubt)
        else:
            by_address = self._update(people, only=kind is ChunkKind.RESTORE)
        return [_with_dropped(by_address[person.address], person) for person in people]

    def untag(self, tag_id: int, addresses: Sequence[str]) -> list[Result]:
        """Take a tag from leavers. A tag that is gone has been taken from everyone."""

        def call(part: Sequence[str]) -> dict[str, Result]:
            try:
                self._session.untag(self._audience, tag_id, part)
            except NotFound:
                self._session.audience(self._audience)  # NotFound again when that is what is gone
            return {address: Result(Outcome.REMOVED) for address in part}

        done = self._halving(addresses, call, lambda address: address)
        return [done[address] for address in addresses]

    def archive(self, addresses: Sequence[str]) -> list[Result]:
        """Archive people one by one. Whom Mailchimp does not let be archived stays."""
        results = []
        for address in addresses:
            try:
                self._session.archive(self._audience, address)
            except Disconnected:
                raise
            except Refused as refused:
                # An earlier try, whose answer or chunk was lost, may have done it.
                if self._session.status_of(self._audience, address) == "archived":
                    results.append(Result(Outcome.REMOVED))
                else:
                    results.append(Result(Outcome.REJECTED, refused.code or Code.REFUSED))
            else:
                results.append(Result(Outcome.REMOVED))
        return results

    def _add(self, people: Sequence[Person], doubt: bool) -> dict[str, Result]:
        retried = self._session.calls.retried
        results = self._halving(
            people, lambda part: self._call(part, self._status, update=False), _address
        )
        doubt = doubt or self._session.calls.retried > retried
        there = [p for p in people if results[p.address].code == Code.CONTACT_EXISTS]
        if there:
            opted_in: dict[str, str] = {}
            updated = self._halving(
                there, lambda part: self._call(part, None, update=True, opted_in=opted_in), _address
            )
            for address, result in updated.items():
                mine = doubt and self._is_since(opted_in.get(address))
                if mine and result.outcome is Outcome.UPDATED:
                    result = replace(result, outcome=Outcome.CREATED)
                results[address] = result
        return results

    def _update(self, people: Sequence[Person], *, only: bool = False) -> dict[str, Result]:
        """Write people who are there. With `only`, whoever is not there any more is not added."""
        results = self._halving(people, lambda part: self._call(part, None, update=True), _address)
        if only:
            return results
        absent = [p for p in people if results[p.address].code in _PERHAPS_ABSENT]
        if absent:
            # Deleted in Mailchimp since: they are new people again, or it says why they cannot be.
            added = self._halving(
                absent, lambda part: self._call(part, self._status, update=False), _address
            )
            for address, result in added.items():
                if result.code != Code.CONTACT_EXISTS:
                    results[address] = result
        return results

    def _call(
        self,
        people: Sequence[Person],
        status: str | None,
        *,
        update: bool,
        opted_in: dict[str, str] | None = None,
    ) -> dict[str, Result]:
        members = [Member(p.address, p.fields, p.tags, status) for p in people]
        answer = self._session.subscribe(self._audience, members, update_existing=update)
        if opted_in is not None:
            opted_in.update(answer.opted_in)
        results = {}
        for person in people:
            address = person.address
            if address in answer.created:
                results[address] = Result(Outcome.CREATED, status=answer.created[address])
            elif address in answer.updated:
                held = answer.updated[address]
                results[address] = Result(Outcome.UPDATED, status=held, asked=status is not None)
            elif address in answer.refused:
                refusal = answer.refused[address]
                results[address] = Result(Outcome.REJECTED, refusal.code, refusal.field)
            else:
                # Neither taken nor refused: nothing can be claimed, so the next run asks again.
                results[address] = Result(Outcome.REJECTED, Code.CALL_FAILED)
        return results

    def _halving(
        self,
        items: Sequence[T],
        call: Callable[[Sequence[T]], dict[str, Result]],
        address: Callable[[T], str],
    ) -> dict[str, Result]:
        try:
            results = call(items)
        except Disconnected:
            raise
        except Unavailable as failure:
            if failure.throttled or not failure.maybe_applied or not self._answers():
                raise
            return self._split(items, call, address, failure, Code.CALL_FAILED, "")
        except Refused as refused:
            if refused.status not in _ABOUT_MEMBERS:
                raise
            return self._split(items, call, address, refused, refused.code, refused.field)
        self._refused_in_a_row = 0
        return results

    def _split(
        self,
        items: Sequence[T],
        call: Callable[[Sequence[T]], dict[str, Result]],
        address: Callable[[T], str],
        failure: Unavailable | Refused,
        code: str,
        field: str,
    ) -> dict[str, Result]:
        if len(items) > 1:
            middle = len(items) // 2
            first = self._halving(items[:middle], call, address)
            return first | self._halving(items[middle:], call, address)
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= _HOPELESS:
            raise failure
        return {address(items[0]): Result(Outcome.REJECTED, code, field)}

    def _answers(self) -> bool:
        try:
            self._session.ping()
        except Unavailable:
            return False
        return True

    def _is_since(self, opted_in: str | None) -> bool:
        """Whether someone who is there was added by a try whose answer was lost."""
        if not opted_in:
            return True
        try:
            moment = datetime.fromisoformat(opted_in)
        except ValueError:
            return True
        if moment.tzinfo is None:
            return True
        return moment >= self._since - _CLOCKS


def _address(person: Person) -> str:
    return person.address


def _with_dropped(result: Result, person: Person) -> Result:
    if person.dropped and result.outcome in (Outcome.CREATED, Outcome.UPDATED):
        return replace(result, code=Code.VALUE_DROPPED, field=" ".join(person.dropped))
    return result
