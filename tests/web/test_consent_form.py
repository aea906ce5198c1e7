"""The part of the export form about consent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.browser import Browser
from tests.web.client import get, new_export
from tests.web.world import World


def saved(**fields: object) -> dict[str, Any]:
    """The export after its form was saved with these fields."""
    world = World()
    export = new_export(world)
    form = Browser(world).open(f"/exports/{export}/edit")
    form.send(fields={"do": "save", "segment": ["Segment_Vip"], **fields})
    assert "Saved." in form.text
    exported: dict[str, Any] = get(world, f"/api/exports/{export}")
    return exported


@pytest.mark.parametrize(
    ("attribute", "chosen", "meaning"),
    [
        ("MailingAgreed", "", None),
        ("DoNotBulkEmail", "", "yesMustNotBeMailed"),
        ("DoNotBulkEmail", "yesMayBeMailed", None),
        ("MailingAgreed", "yesMustNotBeMailed", "yesMustNotBeMailed"),
    ],
)
def test_the_name_of_the_attribute_decides_until_a_meaning_is_chosen(
    attribute: str, chosen: str, meaning: str | None
) -> None:
    export = saved(consentAttribute=attribute, consentMeaning=chosen)

    assert export["newContacts"]["consentAttribute"] == attribute
    assert export["newContacts"].get("consentMeaning") == meaning


def test_the_form_shows_the_meaning_that_the_name_suggests() -> None:
    world = World()
    export = new_export(world)
    form = Browser(world).open(f"/exports/{export}/edit")
    form.send(fields={"do": "look", "consentAttribute": "DoNotBulkEmail"})

    assert '<option value="yesMustNotBeMailed" selected>' in form.html


def test_the_form_keeps_withdrawal_evidence_and_former_addresses() -> None:
    export = saved(
        consentAttribute="MailingAgreed",
        onWithdrawal="unsubscribe",
        onAddressChange="archive",
        timestampOpt="ConsentedAt",
        ipOpt="ConsentedFrom",
    )

    assert (export["onWithdrawal"], export["onAddressChange"]) == ("unsubscribe", "archive")
    assert export["mapping"]["evidence"] == {
        "timestampSignup": None,
        "ipSignup": None,
        "timestampOpt": "ConsentedAt",
        "ipOpt": "ConsentedFrom",
    }


def test_unsubscribing_needs_a_consent_attribute() -> None:
    world = World()
    form = Browser(world).open(f"/exports/{new_export(world)}/edit")
    form.send(fields={"do": "save", "segment": ["Segment_Vip"], "onWithdrawal": "unsubscribe"})

    assert "choose the consent attribute" in form.text


def test_an_empty_growth_share_is_the_default() -> None:
    export = saved(growthShare="", growthContacts="")

    assert export["growthGuard"]["maxShare"] == 1.0
