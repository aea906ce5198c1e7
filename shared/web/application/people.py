"""One person: why they are (not) in Mailchimp, how to send them now, and how to erase them.

The address is never recorded: not in a URL, a log or the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import Conflict, NotFound, Unavailable
from shared.model.one_person import ChosenPerson, SentPerson
from shared.model.run import Mode, Run
from shared.people.erasures import Erasure, address_key
from shared.people.search import PersonInExport
from shared.web.application import audit
from shared.web.context import Context
from shared.web.models.people import SearchBody


def search(context: Context, person: SearchBody) -> Sequence[PersonInExport]:
    """What every export has stored about an address, or about a profile."""
    found = context.services.search.find(person.email or "", person.customer_id or "")
    holding = sum(one.has_person for one in found)
    audit.record(context, "person.search", "-", after={"found": holding})
    return found


def send(context: Context, export_id: str, wanted: SearchBody) -> Run:
    """Start a run that sends one person of an export. NotFound, Conflict while another run is active."""
    address = address_key(wanted.email) if wanted.email else ""
    person = ChosenPerson(address, wanted.customer_id or "")
    run = context.services.one_person.start(export_id, context.caller.name, person)
    audit.record(context, "run.sendPerson", run.id, after={"exportId": export_id})
    return run


def sent(context: Context, run_id: str) -> Sequence[SentPerson]:
    """What a run sent of one person, beside what Mailchimp has. The read is recorded. NotFound."""
    run = context.services.runs.read(run_id)
    if run.mode is not Mode.ONE_PERSON:
        raise NotFound("sentPersonGone")
    found = context.services.one_person.sent(run.id)
    audit.record(context, "run.readPerson", run.id)
    return found


def erase(context: Context, email: str, delete_in_mailchimp: bool) -> Erasure:
    """Erase a person everywhere, with a receipt. Conflict or Unavailable if Mailchimp is not finished."""
    try:
        receipt = context.services.eraser.erase(email, delete_in_mailchimp, context.caller.name)
    except (Conflict, Unavailable) as unfinished:
        # Everything except Mailchimp is done at this point, which is a change, too.
        after = {"unfinished": unfinished.code}
        audit.record(context, "person.erase", "-", after=after)
        raise
    done = {"deleteInMailchimp": delete_in_mailchimp, "exports": receipt.exports}
    audit.record(context, "person.erase", receipt.id, after=done)
    return receipt
