"""One person over all exports: why they are (not) in Mailchimp, and how to erase them.

The address is never recorded: not in a URL, a log or the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import Conflict, Unavailable
from shared.web.application import audit
from shared.web.caller import Caller
from shared.web.services import ErasureReceipt, PersonInExport, Services

__all__ = ["erase", "search"]


def search(
    services: Services, caller: Caller, email: str, customer_id: str
) -> Sequence[PersonInExport]:
    """What every export has stored about an address, or about a profile."""
    found = services.search(email, customer_id)
    audit.record(services, caller, "person.search", "-", "", None, {"found": len(found)})
    return found


def erase(
    services: Services, caller: Caller, email: str, delete_in_mailchimp: bool
) -> ErasureReceipt:
    """Erase a person everywhere, with a receipt. Conflict or Unavailable if Mailchimp is not finished."""
    try:
        receipt = services.erase(email, delete_in_mailchimp, caller.name)
    except (Conflict, Unavailable) as unfinished:
        # Everything except Mailchimp is done at this point, which is a change, too.
        after = {"unfinished": unfinished.code}
        audit.record(services, caller, "person.erase", "-", "", None, after)
        raise
    done = {"deleteInMailchimp": delete_in_mailchimp, "exports": receipt.exports}
    audit.record(services, caller, "person.erase", receipt.id, "", None, done)
    return receipt
