"""One person over all exports, over HTTP. The address is in the body and never in a URL."""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.access import AccessRoute, requires
from shared.web.application import people
from shared.web.authentication import Role
from shared.web.models.people import (
    EraseBody,
    PersonInExportList,
    ReceiptView,
    SearchBody,
    person_view,
)
from shared.web.parameters import CurrentContext

router = APIRouter(prefix="/api/people", route_class=AccessRoute, tags=["people"])


@router.post("/search", summary="Find out why a person is or is not in Mailchimp")
@requires(Role.ADMINISTRATOR)
def search(body: SearchBody, context: CurrentContext) -> PersonInExportList:
    """What each export has stored about an address, or about a profile. Exports that hold the person
    come first."""
    found = people.search(context, body)
    return PersonInExportList.listing(person_view(one, context.language) for one in found)


@router.post("/erase", summary="Erase a person everywhere")
@requires(Role.ADMINISTRATOR)
def erase(body: EraseBody, context: CurrentContext) -> ReceiptView:
    """Removes the person from all stored data. The person is not exported again."""
    receipt = people.erase(context, body.email, body.delete_in_mailchimp)
    return ReceiptView.model_validate(receipt)
