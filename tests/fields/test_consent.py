"""The name of a consent attribute suggests what a yes means, if it suggests anything."""

import pytest

from shared.fields.consent import suggested_meaning
from shared.model.export import ConsentMeaning

MAY, MUST_NOT = ConsentMeaning.YES_MAY_BE_MAILED, ConsentMeaning.YES_MUST_NOT_BE_MAILED


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("MarketingConsent", MAY),
        ("EmailOptIn", MAY),
        ("allow_email", MAY),
        ("Subscribed", MAY),
        ("마케팅 수신 동의", MAY),
        ("DoNotEmail", MUST_NOT),
        ("donotbulkemail", MUST_NOT),
        ("Contact_DoNotAllowBulkEMails", MUST_NOT),
        ("OptOut", MUST_NOT),
        ("opted-out", MUST_NOT),
        ("EMailUnsubscribed", MUST_NOT),
        ("NoMarketing", MUST_NOT),
        ("ConsentWithdrawn", MUST_NOT),
        ("수신거부", MUST_NOT),
        ("동의 철회", MUST_NOT),
        ("City", None),
        ("Nomad", None),
        ("", None),
    ],
)
def test_a_name_suggests_a_meaning(name: str, meaning: ConsentMeaning | None) -> None:
    assert suggested_meaning(name) is meaning
