"""Archives a contact, for any kind of chunk."""

from __future__ import annotations

from shared.errors import Disconnected, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.outcome import Code, Outcome
from shared.sending.result import Result, rejected


def archive(session: MailchimpSession, audience_id: str, address: str) -> Result:
    """Archive a contact. The result is `REMOVED`, or rejected if Mailchimp refuses to archive it."""
    try:
        session.archive(audience_id, address)
    except Disconnected:
        raise
    except Refused as refused:
        # An earlier try whose response was lost may have archived the contact.
        if session.status_of(audience_id, address) != Code.ARCHIVED:
            return rejected(refused)
    return Result(Outcome.REMOVED)
