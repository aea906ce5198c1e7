"""Webhooks of an audience.

Mailchimp checks the address with a GET when a webhook is created. A `signing_secret`, if there is one, is only in
the response to the creation.
https://mailchimp.com/developer/marketing/api/list-webhooks/
"""

from __future__ import annotations

from urllib.parse import quote

from shared.errors import NotFound
from shared.mailchimp.calls import Calls, audience_path, within
from shared.mailchimp.response_values import list_in, text_in
from shared.model.audience import Webhook

_EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail")


class WebhookCalls(Calls):
    """Calls for the webhooks of an audience."""

    def webhooks(self, audience_id: str) -> list[Webhook]:
        """Read the webhooks of an audience."""
        with within(audience_id) as path:
            answer = self._transport.get(f"{path}/webhooks")
        return [
            Webhook(text_in(item, "id"), text_in(item, "url"))
            for item in list_in(answer, "webhooks")
        ]

    def create_webhook(self, audience_id: str, url: str) -> Webhook:
        """Create a webhook for changes of contacts by people. Refused for an unusable address.

        The app writes contacts itself, and an event for each of them would be useless. What other
        programs write is found by the sweep.
        """
        body = {
            "url": url,
            "events": {**dict.fromkeys(_EVENTS, True), "campaign": False},
            "sources": {"user": True, "admin": True, "api": False},
        }
        with within(audience_id) as path:
            answer = self._transport.write("POST", f"{path}/webhooks", body)
        return Webhook(text_in(answer, "id"), url, text_in(answer, "signing_secret"))

    def delete_webhook(self, audience_id: str, webhook_id: str) -> None:
        """Delete a webhook, if it exists."""
        path = f"{audience_path(audience_id)}/webhooks/{quote(webhook_id, safe='')}"
        try:
            self._transport.write("DELETE", path, None)
        except NotFound:
            return
