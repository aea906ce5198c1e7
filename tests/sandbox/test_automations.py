"""Classic automations are listed in pages of ten, by status; other words of a status are refused."""

from __future__ import annotations

from pathlib import Path

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call


def test_automations_are_listed_by_status_and_in_pages(
    call: Call, sandbox: Sandbox, audience: AudienceView, tmp_path: Path
) -> None:
    for number in range(11):
        sandbox.automation(audience, f"Welcome {number}")
    sandbox.automation(audience, "Draft", status="save")
    sandbox.save(tmp_path / "state")
    sandbox.load(tmp_path / "state")

    first = call("GET", "/automations").json()
    drafts = call("GET", "/automations?status=save&fields=automations.settings.title").json()

    assert (len(first["automations"]), first["total_items"]) == (10, 12)
    assert first["automations"][0]["recipients"]["list_id"] == audience.id
    assert drafts == {"automations": [{"settings": {"title": "Draft"}}]}
    assert call("GET", "/automations?status=archived").status_code == 400
    assert call("GET", "/automations?count=1001").status_code == 400
