"""Classic automations of an account, which can only be listed. The API has no list of customer journeys.

https://mailchimp.com/developer/marketing/api/automation/list-automations/
"""

from __future__ import annotations

from typing import Any

from sandbox.mailchimp import render
from sandbox.mailchimp.request import ApiRequest
from sandbox.mailchimp.state import AUTOMATION_STATUSES, Automation


def listing(request: ApiRequest) -> bytes:
    """GET /automations."""
    count, offset = request.page()
    status = request.choice("status", AUTOMATION_STATUSES)
    found = [one for one in request.account.automations if status in (None, one.status)]
    answer = {
        "automations": [_shown(request, one) for one in found[offset : offset + count]],
        "total_items": len(found),
        "_links": [],
    }
    return request.cut(answer)


def _shown(request: ApiRequest, automation: Automation) -> dict[str, Any]:
    audience = request.account.audiences.get(automation.audience_id)
    url = f"{request.world.url}/3.0/automations"
    started = automation.status != "save"
    return {
        "id": automation.id,
        "create_time": render.moment(automation.created),
        "start_time": render.moment(automation.created) if started else "",
        "status": automation.status,
        "emails_sent": 0,
        "recipients": {
            "list_id": automation.audience_id,
            "list_is_active": audience is not None,
            "list_name": audience.name if audience else "",
            "segment_opts": {},
            "store_id": "",
        },
        "settings": {"title": automation.title, "from_name": "Sandbox", "reply_to": ""},
        "tracking": {"opens": True, "html_clicks": True, "text_clicks": True},
        "trigger_settings": {
            "workflow_type": automation.workflow_type,
            "workflow_title": automation.title,
            "workflow_emails_count": 1,
        },
        "_links": [
            render.link("self", f"{url}/{automation.id}", "GET"),
            render.link("parent", url, "GET"),
        ],
    }
