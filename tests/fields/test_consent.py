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
        ("NotOptedIn", MUST_NOT),
        ("DisallowEmail", MUST_NOT),
        ("GlobalUnsub", MUST_NOT),
        ("consent denied", MUST_NOT),
        ("without_consent", MUST_NOT),
        ("Newsletter abbestellt", MUST_NOT),
        ("désinscrit", MUST_NOT),
        ("메일 수신 안함", MUST_NOT),
        ("마케팅 미동의", MUST_NOT),
        ("광고 수신 취소", MUST_NOT),
        ("メール配信停止", MUST_NOT),
        ("拒收", MUST_NOT),
        ("마케팅 동의 여부", MAY),
        ("GDPR_OptIn", MAY),
        ("Reunion", None),
        ("City", None),
        ("Nomad", None),
        ("", None),
    ],
)
def test_a_name_suggests_a_meaning(name: str, meaning: ConsentMeaning | None) -> None:
    assert suggested_meaning(name) is meaning
