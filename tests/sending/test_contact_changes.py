"""Changes of contacts are reported correctly although the responses of Mailchimp omit people."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.model.audience import BatchAnswer, CallCounts, Member
from shared.model.outcome import Code, Outcome
from shared.sending.contact_changes import ContactChanges
from shared.sending.isolate import Isolation
from shared.sending.result import Result


class OmittingMailchimp:
    """A session whose responses to calls with a status omit all members.

    `applies`: calls with a status change the contact. `omits_all`: responses to calls without a status omit the members too.
    """

    def __init__(self, *, applies: bool, omits_all: bool) -> None:
        self.calls = CallCounts()
        self.applies, self.omits_all = applies, omits_all
        self.status = "subscribed"

    def subscribe(
        self, audience_id: str, members: Sequence[Member], **options: bool
    ) -> BatchAnswer:
        before = self.status
        if self.applies and any(one.status is not None for one in members):
            self.status = "unsubscribed"
        included = [one for one in members if one.status is None and not self.omits_all]
        return BatchAnswer({}, {one.address: before for one in included}, {})

    def status_of(self, audience_id: str, address: str) -> str:
        return self.status


@pytest.mark.parametrize("omits_all", [True, False])
@pytest.mark.parametrize(
    ("applies", "expected"),
    [
        (True, Result(Outcome.REMOVED, status="unsubscribed")),
        (False, Result(Outcome.REJECTED, Code.CALL_FAILED)),
    ],
)
def test_a_person_whom_the_response_omits_counts_as_unsubscribed_only_if_the_contact_is(
    applies: bool, expected: Result, omits_all: bool
) -> None:
    session = OmittingMailchimp(applies=applies, omits_all=omits_all)
    isolation = Isolation(lambda: True, lambda: True, lambda: False, lambda: 0)
    changes = ContactChanges(session, "aud", isolation, lambda *_, **__: {}, {})  # type: ignore[arg-type]

    changes.unsubscribe(["ann@example.com"], maybe_applied=False)

    assert changes.results == {"ann@example.com": expected}
