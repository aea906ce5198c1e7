"""Writing one chunk: splitting, poison rows, lost responses, and no status for existing contacts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import Disconnected, NotFound, Refused, Unavailable
from shared.fields.contact import Dropped
from shared.model.audience import (
    Account,
    Audience,
    BatchAnswer,
    CallCounts,
    ContactStatus,
    Member,
    MemberState,
    Refusal,
    TagAnswer,
)
from shared.model.chunk import ChunkKind
from shared.model.outcome import TAG_ABSENT, Code, Outcome
from shared.sending.isolate import Interrupted, Isolation
from shared.sending.result import Person, Result
from shared.sending.write import Writer

SINCE = datetime(2026, 11, 1, 8, tzinfo=UTC)
Fault = Callable[[Sequence[str]], Exception | None]


class Mailchimp:
    """A session with an audience, and faults that depend on the people in a call.

    `before` refuses a call untouched; `after` loses its answer although it was applied.
    """

    def __init__(self, **there: str) -> None:
        self.calls = CallCounts()
        self.statuses = {f"{name}@example.com": status for name, status in there.items()}
        self.opted_in = {address: SINCE - timedelta(days=9) for address in self.statuses}
        self.refusals: dict[str, Refusal] = {}
        self.refusal_without_status = Refusal(Code.REFUSED)
        self.before: Fault = lambda _: None
        self.after: Fault = lambda _: None
        self.answers = True
        self.omitted: set[str] = set()
        self.sizes: list[int] = []
        self.sent: list[Member] = []
        self.tag_gone = self.audience_gone = False
        self.without_tag: set[str] = set()

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
        resend: bool = True,
    ) -> BatchAnswer:
        addresses = [member.address for member in members]
        self.calls += CallCounts(write=1)
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
                assert member.status is None, "a status for an existing contact"
                updated[address] = self.statuses[address]
            elif member.status is None:
                refused[address] = self.refusal_without_status
            else:
                created[address] = self.statuses[address] = member.status
                self.opted_in[address] = SINCE + timedelta(minutes=1)
        if fault := self.after(addresses):
            raise fault
        for address in self.omitted:
            created.pop(address, None), updated.pop(address, None), refused.pop(address, None)
        since = {address: self.opted_in[address].isoformat() for address in updated}
        return BatchAnswer(created, updated, refused, since)

    def member(self, audience_id: str, address: str) -> MemberState | None:
        status = self.statuses.get(address)
        if status is None:
            return None
        sent = next(member for member in reversed(self.sent) if member.address == address)
        opted_in = self.opted_in[address].isoformat()
        return MemberState(status, sent.merge_fields, sent.tags, opted_in)

    def untag(
        self, audience_id: str, tag_id: int, addresses: Sequence[str], *, resend: bool = True
    ) -> TagAnswer:
        if self.tag_gone or self.audience_gone:
            raise NotFound("missing")
        without = self.without_tag.intersection(addresses)
        return TagAnswer(0, len(addresses) - len(without), frozenset(without))

    def audience(self, audience_id: str) -> Audience:
        if self.audience_gone:
            raise NotFound("audienceNotFound", audience=audience_id)
        return Audience(audience_id, "A", 0, False)

    def account(self) -> Account:
        if not self.answers:
            raise Unavailable("noAnswer")
        return Account("acc", "A")

    def ping(self) -> None:
        self.account()


class writer:
    """Writes one chunk; the results are in the order of the people."""

    def __init__(
        self,
        session: Mailchimp,
        status: str = "subscribed",
        *,
        may_continue: Callable[[], bool] = lambda: True,
        answered_before: bool = False,
    ) -> None:
        def no_contacts(_: Sequence[str], /, *, by_id_only: bool) -> dict[str, list[ContactStatus]]:
            return {}

        def is_up() -> bool:
            try:
                session.ping()
            except Unavailable:
                return False
            return True

        isolation = Isolation(
            is_up, may_continue, lambda: answered_before, lambda: session.calls.retried
        )
        self.writer = Writer(session, "aud", status, SINCE, isolation, no_contacts, {})  # type: ignore[arg-type]

    def write(self, kind: ChunkKind, people: Sequence[Person], maybe_applied: bool) -> list[Result]:
        self.writer.write(kind, people, maybe_applied=maybe_applied)
        return [self.writer.results[person.address] for person in people]

    def untag(
        self, tag_id: int, addresses: Sequence[str], maybe_applied: bool = False
    ) -> list[Result]:
        self.writer.untag(tag_id, addresses, maybe_applied=maybe_applied)
        return [self.writer.results[address] for address in addresses]


def people(*names: str) -> list[Person]:
    return [Person(f"{name}@example.com", ("T",), {"FNAME": name}) for name in names]


def many(number: int) -> list[Person]:
    return people(*(f"p{n}" for n in range(number)))


def once(fault: Exception) -> Fault:
    faults = [fault]
    return lambda _: faults.pop() if faults else None


def outcomes(results: Iterable[object]) -> list[tuple[str, str]]:
    return [(result.outcome, result.code) for result in results]  # type: ignore[attr-defined]


LOST = Unavailable("noAnswer", maybe_applied=True)
CREATED, UPDATED = (Outcome.CREATED, ""), (Outcome.UPDATED, "")


def test_a_contact_gets_fields_and_tags_but_no_status() -> None:
    session = Mailchimp(ann="subscribed", bob="unsubscribed")

    results = writer(session, "pending").write(
        ChunkKind.ADD, people("ann", "bob", "cem"), maybe_applied=False
    )

    assert outcomes(results) == [UPDATED, UPDATED, CREATED]
    assert session.statuses["bob@example.com"] == "unsubscribed"
    assert [r.status for r in results] == ["subscribed", "unsubscribed", "pending"]
    assert not any(r.status_sent for r in results)


def test_people_created_by_a_call_with_a_lost_response_count_as_created() -> None:
    session = Mailchimp(old="subscribed")
    session.after = once(LOST)
    with pytest.raises(Unavailable):
        session.subscribe(
            "aud",
            [Member(p.address, {}, (), "subscribed") for p in people("new", "old")],
            update_existing=False,
        )

    results = writer(session).write(ChunkKind.ADD, people("new", "old", "more"), maybe_applied=True)

    assert outcomes(results) == [CREATED, UPDATED, CREATED]


def test_a_contact_whose_time_of_opt_in_the_update_sets_does_not_count_as_created() -> None:
    session = Mailchimp(old="subscribed", older="subscribed")
    session.opted_in["old@example.com"] = SINCE + timedelta(minutes=1)
    moment = {"$TIMESTAMP_OPT": (SINCE + timedelta(minutes=1)).isoformat()}
    sent = [Person("old@example.com", (), moment), Person("older@example.com", (), {})]

    results = writer(session).write(ChunkKind.ADD, sent, maybe_applied=True)

    assert outcomes(results) == [UPDATED, UPDATED]


@pytest.mark.parametrize("opted_in", [{}, {"old@example.com": "soon"}], ids=["missing", "no time"])
def test_a_repeated_undo_archives_no_contact_whose_opt_in_time_is_unknown(
    opted_in: dict[str, str],
) -> None:
    class WithoutTimes(Mailchimp):
        def subscribe(self, *given: Any, **options: Any) -> BatchAnswer:
            return replace(super().subscribe(*given, **options), opted_in=opted_in)

        def archive(self, audience_id: str, address: str) -> bool:
            return self.statuses.pop(address) is not None

    session = WithoutTimes(old="subscribed")

    (result,) = writer(session).write(ChunkKind.RESTORE, people("old"), maybe_applied=True)

    assert result.outcome is Outcome.UPDATED
    assert session.statuses == {"old@example.com": "subscribed"}


def test_a_bad_row_is_found_and_costs_no_other_row() -> None:
    session = Mailchimp()
    session.before = lambda sent: LOST if "p77@example.com" in sent else None

    results = writer(session).write(ChunkKind.ADD, many(500), maybe_applied=False)

    assert outcomes(results).count(CREATED) == 499
    assert outcomes(results)[77] == (Outcome.REJECTED, Code.CALL_FAILED)
    assert len(session.sizes) < 25


BAD = {
    "side by side": range(200, 240),
    "spread": range(0, 500, 12),
    "at both ends": (*range(20), *range(480, 500)),
    "most of them": [number for number in range(500) if number % 10],
}
FINAL = Refused("refused", status=409)


@pytest.mark.parametrize("where", BAD)
@pytest.mark.parametrize("failure", [LOST, FINAL], ids=["no answer", "a final answer"])
def test_many_bad_rows_cost_no_other_row_and_a_bounded_number_of_calls(
    where: str, failure: Exception
) -> None:
    session = Mailchimp()
    bad = {f"p{number}@example.com" for number in BAD[where]}
    session.before = lambda sent: failure if bad & set(sent) else None

    results = writer(session).write(ChunkKind.ADD, many(500), maybe_applied=False)

    accepted = {f"p{n}@example.com" for n, result in enumerate(results) if not result.code}
    assert accepted == set(session.statuses)
    assert len(accepted) == 500 - len(bad)
    # Halving: at most two calls a bad row and level, and the first levels are shared.
    levels = math.log2(500 / len(bad)) + 2
    assert session.calls.write <= 2 * len(bad) * levels + 30


def test_a_call_that_fails_although_it_is_applied_is_reported_as_applied() -> None:
    session = Mailchimp()
    session.after = lambda sent: LOST if "p3@example.com" in sent else None

    results = writer(session).write(ChunkKind.ADD, many(8), maybe_applied=False)

    assert set(outcomes(results)) == {CREATED}
    assert len(session.statuses) == 8


def test_a_lost_call_is_reported_as_applied_although_mailchimp_writes_values_in_another_form() -> (
    None
):
    class Rewriting(Mailchimp):
        def member(self, audience_id: str, address: str) -> MemberState | None:
            found = super().member(audience_id, address)
            return replace(found, fields={"PHONE": "(415) 555-0155"}) if found else None

    session = Rewriting(older="subscribed")
    session.after = lambda _: LOST
    sent = [
        Person(f"{name}@example.com", ("VIP",), {"PHONE": "415 555 0155"})
        for name in ("new", "older")
    ]

    results = writer(session).write(ChunkKind.ADD, sent, maybe_applied=False)

    # Whether the contact that was there before has the new values is unknown, so the next run sends them.
    assert outcomes(results) == [CREATED, (Outcome.REJECTED, Code.CALL_FAILED)]


def test_people_whom_a_response_omits_are_looked_up() -> None:
    session = Mailchimp(old="subscribed")
    session.omitted = {"new@example.com", "old@example.com", "bad@example.com"}
    session.refusals["bad@example.com"] = Refusal(Code.ADDRESS_REFUSED)

    added = writer(session).write(
        ChunkKind.ADD, people("new", "old", "bad", "more"), maybe_applied=False
    )
    updated = writer(session).write(ChunkKind.UPDATE, people("old", "more"), maybe_applied=False)

    assert outcomes(added) == [CREATED, UPDATED, (Outcome.REJECTED, Code.REFUSED), CREATED]
    assert outcomes(updated) == [UPDATED, UPDATED]


def test_an_older_contact_whom_the_repeated_response_omits_does_not_count_as_created() -> None:
    class OmitsUpdates(Mailchimp):
        def subscribe(self, *given: Any, update_existing: bool, **options: Any) -> BatchAnswer:
            self.omitted = {"old@example.com"} if update_existing else set()
            return super().subscribe(*given, update_existing=update_existing, **options)

    session = OmitsUpdates(old="subscribed")

    results = writer(session).write(ChunkKind.ADD, people("old"), maybe_applied=True)

    assert outcomes(results) == [UPDATED]


@pytest.mark.parametrize("kind", [ChunkKind.ADD, ChunkKind.UPDATE])
def test_an_archived_contact_whom_a_response_omits_does_not_count_as_sent(kind: ChunkKind) -> None:
    session = Mailchimp(gone="archived")
    session.omitted = {"gone@example.com"}

    results = writer(session).write(kind, people("gone", "more"), maybe_applied=False)

    assert outcomes(results) == [(Outcome.REJECTED, Code.REFUSED), CREATED]


def test_a_lane_that_has_to_stop_keeps_what_was_answered() -> None:
    session = Mailchimp()
    session.before = lambda sent: LOST if "p3@example.com" in sent else None
    go_on = iter([True] * 5)
    work = writer(session, may_continue=lambda: next(go_on, False))

    with pytest.raises(Interrupted):
        work.write(ChunkKind.ADD, many(64), maybe_applied=False)

    assert set(work.writer.results) == set(session.statuses)
    assert 0 < len(session.statuses) < 64


def test_an_outage_in_the_middle_keeps_what_was_answered() -> None:
    session = Mailchimp()
    session.before = lambda sent: LOST if "p3@example.com" in sent else None
    work = writer(session)
    session.after = lambda sent: setattr(session, "answers", False) if len(sent) == 16 else None

    with pytest.raises(Unavailable):
        work.write(ChunkKind.ADD, many(64), maybe_applied=False)

    assert set(work.writer.results) == set(session.statuses)


def test_a_chunk_of_bad_rows_is_rejected_if_the_run_has_answers_for_others() -> None:
    session = Mailchimp()
    session.before = lambda _: LOST

    results = writer(session, answered_before=True).write(
        ChunkKind.ADD, many(60), maybe_applied=False
    )

    assert set(outcomes(results)) == {(Outcome.REJECTED, Code.CALL_FAILED)}
    assert session.calls.write <= 120


def test_a_row_that_causes_the_refusal_of_the_whole_call_is_found() -> None:
    session = Mailchimp()
    no = Refused("refused", field="FNAME", status=400)
    session.before = lambda sent: no if "p3@example.com" in sent else None

    results = writer(session).write(ChunkKind.ADD, many(8), maybe_applied=False)

    assert outcomes(results)[3] == (Outcome.REJECTED, "refused")
    assert results[3].field == "FNAME"
    assert outcomes(results).count(CREATED) == 7


def test_an_outage_loses_no_rows() -> None:
    session = Mailchimp()
    session.before = lambda _: LOST
    session.answers = False

    with pytest.raises(Unavailable):
        writer(session).write(ChunkKind.ADD, many(500), maybe_applied=False)

    assert session.sizes == [500]


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("throttled", throttled=True, maybe_applied=True),
        Unavailable("unreachable"),
        Disconnected("keyInvalid", status=401),
        Refused(Code.PLAN_LIMIT, status=403),
        NotFound("missing"),
    ],
)
def test_a_failure_of_the_account_or_the_connection_is_raised_at_once(fault: Exception) -> None:
    session = Mailchimp()
    session.before = lambda _: fault

    with pytest.raises(type(fault)):
        writer(session).write(ChunkKind.ADD, many(500), maybe_applied=False)

    assert session.sizes == [500]


def test_refusals_of_single_rows_everywhere_are_not_attributed_to_the_rows() -> None:
    session = Mailchimp()
    session.before = lambda _: Refused("refused", status=400)

    with pytest.raises(Refused):
        writer(session).write(ChunkKind.ADD, many(500), maybe_applied=False)

    assert len(session.sizes) < 100


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(Code.REFUSED),
        Refusal(Code.FIELD_REQUIRED, "status"),
        Refusal(Code.ADDRESS_REFUSED),
    ],
)
def test_a_contact_deleted_in_mailchimp_is_added_again_with_the_status_for_new_people(
    refusal: Refusal,
) -> None:
    session = Mailchimp(ann="subscribed")
    session.refusal_without_status = refusal
    session.refusals["cem@example.com"] = Refusal(Code.FIELD_REFUSED, "FNAME")

    results = writer(session).write(
        ChunkKind.UPDATE, people("ann", "bob", "cem"), maybe_applied=False
    )

    assert outcomes(results) == [UPDATED, CREATED, (Outcome.REJECTED, Code.FIELD_REFUSED)]
    assert session.statuses["bob@example.com"] == "subscribed"


@pytest.mark.parametrize(
    ("reasons", "code", "fields"),
    [
        ({"AGE": "notANumber", "PHONE": "notAPhoneNumber"}, Code.VALUE_DROPPED, "AGE PHONE"),
        ({"NOTE": "cut"}, Code.VALUE_CUT, "NOTE"),
        ({"NOTE": "cut", "AGE": "notANumber"}, Code.VALUE_DROPPED, "AGE"),
    ],
)
def test_values_that_were_dropped_or_else_cut_are_named_in_the_outcome(
    reasons: dict[str, str], code: str, fields: str
) -> None:
    person = Person("ann@example.com", (), {}, tuple(Dropped(*one) for one in reasons.items()))

    (result,) = writer(Mailchimp()).write(ChunkKind.ADD, [person], maybe_applied=False)

    assert (result.outcome, result.code, result.field) == (Outcome.CREATED, code, fields)


def test_people_missing_from_the_response_do_not_count_as_sent() -> None:
    session = Mailchimp()
    session.subscribe = lambda *_, **__: BatchAnswer({}, {}, {})  # type: ignore[method-assign]

    results = writer(session).write(ChunkKind.ADD, people("ann"), maybe_applied=False)

    assert outcomes(results) == [(Outcome.REJECTED, Code.REFUSED)]


def test_a_deleted_tag_counts_as_removed_from_all_members() -> None:
    session = Mailchimp()
    session.tag_gone = True

    results = writer(session).untag(7, ["ann@example.com", "bob@example.com"])

    assert {result.outcome for result in results} == {Outcome.REMOVED}


@pytest.mark.parametrize("maybe_applied", [False, True])
def test_people_without_the_tag_are_distinguished_unless_an_earlier_call_may_have_removed_it(
    maybe_applied: bool,
) -> None:
    session = Mailchimp()
    session.without_tag = {"bob@example.com"}

    results = writer(session).untag(7, ["ann@example.com", "bob@example.com"], maybe_applied)

    assert [result.outcome for result in results] == [Outcome.REMOVED] * 2
    assert [result.code for result in results] == ["", "" if maybe_applied else TAG_ABSENT]


def test_a_missing_audience_is_distinguished_from_a_missing_tag() -> None:
    session = Mailchimp()
    session.audience_gone = True

    with pytest.raises(NotFound):
        writer(session).untag(7, ["ann@example.com"])
