"""All calls to one Mailchimp account.

https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

from shared.mailchimp.audiences import AudienceCalls
from shared.mailchimp.batch_calls import BatchCalls
from shared.mailchimp.member_lists import MemberListCalls
from shared.mailchimp.person_calls import PersonCalls
from shared.mailchimp.webhooks import WebhookCalls


class MailchimpSession(AudienceCalls, BatchCalls, MemberListCalls, PersonCalls, WebhookCalls):
    """Calls to one Mailchimp account, one at a time over one persistent connection.

    A session belongs to one thread: a lane of an export, or one request of a page. Every call may raise
    Unavailable after the retries of the transport (`maybe_applied` when its effect is unknown), Refused, or
    Disconnected when the grant is invalid. `calls` counts the calls.
    """

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
