"""People are unsubscribed and counted once, whatever the responses say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.model.audience import BatchAnswer, CallCounts, Member
from shared.model.outcome import Code, Outcome
from shared.sending.contact_changes import ContactChanges
from shared.sending.isolate import Isolation
from shared.sending.result import Result


class ForgetfulMailchimp:
    """A session whose responses to calls with a status omit all members; `applies`: these calls have an effect.

    `names`: the responses to calls without a status name the members.
    """

    def __init__(self, applies: bool, names: bool) -> None:
        self.calls = CallCounts()
        self.applies, self.names = applies, names
        self.status = "subscribed"

    def subscribe(
        self, audience_id: str, members: Sequence[Member], **options: bool
    ) -> BatchAnswer:
        before = self.status
        if self.applies and any(one.status is not None for one in members):
            self.status = "unsubscribed"
        named = [one for one in members if one.status is None and self.names]
        return BatchAnswer({}, {one.address: before for one in named}, {})

    def status_of(self, audience_id: str, address: str) -> str:
        return self.status


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize(
    ("applies", "expected"),
    [
        (True, Result(Outcome.REMOVED, status="unsubscribed")),
        (False, Result(Outcome.REJECTED, Code.CALL_FAILED)),
    ],
)
def test_a_person_whom_the_response_omits_is_unsubscribed_if_mailchimp_says_so(
    applies: bool, expected: Result, names: bool
) -> None:
    session = ForgetfulMailchimp(applies, names)
    isolation = Isolation(lambda: True, lambda: True, lambda: False, lambda: 0)
    changes = ContactChanges(session, "aud", isolation, lambda *_, **__: {}, {})  # type: ignore[arg-type]

    changes.unsubscribe(["ann@example.com"], maybe_applied=False)

    assert changes.results == {"ann@example.com": expected}
