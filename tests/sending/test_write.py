"""One chunk to Mailchimp: halving, poison, lost answers, and never a status for somebody there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Disconnected, NotFound, Refused, Unavailable
from shared.model.audience import (
    Account,
    Audience,
    BatchAnswer,
    CallCounts,
    Member,
    Refusal,
    TagAnswer,
)
from shared.model.chunk import ChunkKind
from shared.model.outcome import Code, Outcome
from shared.sending.write import Person, Writer

SINCE = datetime(2026, 11, 1, 8, tzinfo=UTC)
Fault = Callable[[Sequence[str]], Exception | None]


class Mailchimp:
    """A session with behaviour: an audience, and faults by who is in a call.

    `before` refuses a call untouched; `after` loses its answer although it was applied.
    """

    def __init__(self, **there: str) -> None:
        self.calls = CallCounts()
        self.statuses = {f"{name}@example.com": status for name, status in there.items()}
        self.opted_in = {address: SINCE - timedelta(days=9) for address in self.statuses}
        self.refusals: dict[str, Refusal] = {}
        self.before: Fault = lambda _: None
        self.after: Fault = lambda _: None
        self.answers = True
        self.sizes: list[int] = []
        self.sent: list[Member] = []
        self.tag_gone = self.audience_gone = False

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
    ) -> BatchAnswer:
        addresses = [member.address for member in members]
        self.calls.write += 1
        self.sizes.append(len(members))
        if fault := self.before(addresses):
            raise fault
        created, updated, refused = {}, {}, dict[str, Refusal]()
        for member in members:
            address = member.address
            self.sent.append(member)
            if address in self.refusals:
                refused[address] = self.refusals[address]
            elif address in self.statuses and not update_existing:
                refused[address] = Refusal(Code.CONTACT_EXISTS)
            elif address in self.statuses:
                assert member.status is None, "a status for somebody who is there"
                updated[address] = self.statuses[address]
            elif member.status is None:
                refused[address] = Refusal(Code.REFUSED)
            else:
                created[address] = self.statuses[address] = member.status
                self.opted_in[address] = SINCE + timedelta(minutes=1)
        if fault := self.after(addresses):
            raise fault
        since = {address: self.opted_in[address].isoformat() for address in updated}
        return BatchAnswer(created, updated, refused, since)

    def untag(self, audience_id: str, tag_id: int, addresses: Sequence[str]) -> TagAnswer:
        if self.tag_gone or self.audience_gone:
            raise NotFound("gone")
        return TagAnswer(0, len(addresses))

    def audience(self, audience_id: str) -> Audience:
        if self.audience_gone:
            raise NotFound("gone", code="audienceNotFound")
        return Audience(audience_id, "A", 0, False)

    def account(self) -> Account:
        if not self.answers:
            raise Unavailable("away")
        return Account("acc", "A")

    def ping(self) -> None:
        self.account()


def writer(session: Mailchimp, status: str = "subscribed") -> Writer:
    return Writer(session, "aud", status, SINCE)  # type: ignore[arg-type]


def people(*names: str) -> list[Person]:
    return [Person(f"{name}@example.com", ("T",), {"FNAME": name}) for name in names]


def many(number: int) -> list[Person]:
    return people(*(f"p{n}" for n in range(number)))


def once(fault: Exception) -> Fault:
    faults = [fault]
    return lambda _: faults.pop() if faults else None


def outcomes(results: Iterable[object]) -> list[tuple[str, str]]:
    return [(result.outcome, result.code) for result in results]  # type: ignore[attr-defined]


LOST = Unavailable("lost", maybe_applied=True)
CREATED, UPDATED = (Outcome.CREATED, ""), (Outcome.UPDATED, "")


def test_who_is_there_already_gets_fields_and_tags_but_no_status() -> None:
    session = Mailchimp(ann="subscribed", bob="unsubscribed")

    results = writer(session, "pending").write(
        ChunkKind.ADD, people("ann", "bob", "cem"), doubt=False
    )

    assert outcomes(results) == [UPDATED, UPDATED, CREATED]
    assert session.statuses["bob@example.com"] == "unsubscribed"
    assert [r.status for r in results] == ["subscribed", "unsubscribed", "pending"]
    assert not any(r.asked for r in results)


def test_people_whom_a_lost_answer_had_created_count_as_created() -> None:
    session = Mailchimp(old="subscribed")
    session.after = once(LOST)
    with pytest.raises(Unavailable):
        session.subscribe(
            "aud",
            [Member(p.address, {}, (), "subscribed") for p in people("new", "old")],
            update_existing=False,
        )

    results = writer(session).write(ChunkKind.ADD, people("new", "old", "more"), doubt=True)

    assert outcomes(results) == [CREATED, UPDATED, CREATED]


def test_a_poison_row_stands_alone_in_the_end() -> None:
    session = Mailchimp()
    session.before = lambda sent: LOST if "p77@example.com" in sent else None

    results = writer(session).write(ChunkKind.ADD, many(500), doubt=False)

    assert outcomes(results).count(CREATED) == 499
    assert outcomes(results)[77] == (Outcome.REJECTED, Code.CALL_FAILED)
    assert len(session.sizes) < 25


def test_a_call_refused_as_a_whole_is_halved_too() -> None:
    session = Mailchimp()
    no = Refused("no", code="refused", field="FNAME", status=400)
    session.before = lambda sent: no if "p3@example.com" in sent else None

    results = writer(session).write(ChunkKind.ADD, many(8), doubt=False)

    assert outcomes(results)[3] == (Outcome.REJECTED, "refused")
    assert results[3].field == "FNAME"
    assert outcomes(results).count(CREATED) == 7


def test_an_outage_costs_no_rows() -> None:
    session = Mailchimp()
    session.before = lambda _: LOST
    session.answers = False

    with pytest.raises(Unavailable):
        writer(session).write(ChunkKind.ADD, many(500), doubt=False)

    assert session.sizes == [500]


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("slow", throttled=True, maybe_applied=True),
        Unavailable("no connection"),
        Disconnected("gone", status=401),
        Refused("plan", code=Code.PLAN_LIMIT, status=403),
        NotFound("no audience"),
    ],
)
def test_what_concerns_the_whole_call_is_not_halved(fault: Exception) -> None:
    session = Mailchimp()
    session.before = lambda _: fault

    with pytest.raises(type(fault)):
        writer(session).write(ChunkKind.ADD, many(500), doubt=False)

    assert session.sizes == [500]


def test_everybody_refused_one_by_one_is_not_about_the_people() -> None:
    session = Mailchimp()
    session.before = lambda _: Refused("no", code="refused", status=400)

    with pytest.raises(Refused):
        writer(session).write(ChunkKind.ADD, many(500), doubt=False)

    assert len(session.sizes) < 100


def test_somebody_deleted_in_mailchimp_is_added_again_with_the_status_for_new_people() -> None:
    session = Mailchimp(ann="subscribed")
    session.refusals["cem@example.com"] = Refusal(Code.FIELD_REFUSED, "FNAME")

    results = writer(session).write(ChunkKind.UPDATE, people("ann", "bob", "cem"), doubt=False)

    assert outcomes(results) == [UPDATED, CREATED, (Outcome.REJECTED, Code.FIELD_REFUSED)]
    assert session.statuses["bob@example.com"] == "subscribed"


def test_a_value_that_was_dropped_is_told_with_the_outcome() -> None:
    person = Person("ann@example.com", (), {}, ("AGE", "PHONE"))

    (result,) = writer(Mailchimp()).write(ChunkKind.ADD, [person], doubt=False)

    assert (result.outcome, result.code, result.field) == (
        Outcome.CREATED,
        Code.VALUE_DROPPED,
        "AGE PHONE",
    )


def test_people_whom_the_answer_does_not_mention_are_not_taken_for_sent() -> None:
    session = Mailchimp()
    session.subscribe = lambda *_, **__: BatchAnswer({}, {}, {})  # type: ignore[method-assign]

    results = writer(session).write(ChunkKind.ADD, people("ann"), doubt=False)

    assert outcomes(results) == [(Outcome.REJECTED, Code.CALL_FAILED)]


def test_a_tag_that_is_gone_was_taken_from_everyone() -> None:
    session = Mailchimp()
    session.tag_gone = True

    results = writer(session).untag(7, ["ann@example.com", "bob@example.com"])

    assert {result.outcome for result in results} == {Outcome.REMOVED}


def test_an_audience_that_is_gone_is_not_a_tag_that_is_gone() -> None:
    session = Mailchimp()
    session.audience_gone = True

    with pytest.raises(NotFound):
        writer(session).untag(7, ["ann@example.com"])
