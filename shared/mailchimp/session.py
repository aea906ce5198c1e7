"""A session: the calls to one Mailchimp account, over one connection.

A session belongs to one thread: a lane of an export, or one request of a page.
https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

from shared.mailchimp.audiences import AudienceCalls
from shared.mailchimp.members import BatchCalls
from shared.mailchimp.pages import MemberListCalls
from shared.mailchimp.persons import PersonCalls
from shared.mailchimp.webhooks import WebhookCalls

__all__ = ["Session"]


class Session(AudienceCalls, BatchCalls, MemberListCalls, PersonCalls, WebhookCalls):
    """Implements MailchimpSession of model/ports.py over one persistent connection."""

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
