"""The page on which a person replaces or deletes the list of excluded people of an export."""

from __future__ import annotations

import re

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.exclusions import ExclusionList
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import exclusions
from shared.web.authentication import Role
from shared.web.pages.forms import NO_ERRORS, Form, FormErrors, SentForm, Upload
from shared.web.pages.people.removed_export import removed_export
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_PAGE = "/exports/{id:id}/exclusions"


def _shown(
    page: Page, export_id: str, form: Form | None = None, errors: FormErrors = NO_ERRORS
) -> Response:
    read = page.attempt(lambda: exclusions.read(page.context, export_id), only_reads=True)
    if isinstance(read, FormErrors):
        # The page repairs a damaged list.
        listed, errors = ExclusionList(), errors if errors.message else read
    else:
        listed = read
    saved = "\n".join((*listed.addresses, *listed.customers))
    # A form with a file has no entries: the page shows the list as it is now.
    sent = form.get("entries") if form and form.has("entries") else None
    return page.render(
        "people/exclusions.html",
        errors=errors,
        export=page.services.definitions.read(export_id).value,
        entries=saved if sent is None else sent,
        saved=saved if errors.is_outdated and sent is not None else None,
        # After an error for another reason, the list may have changed since the form was opened.
        etag=form.get("etag") if form and not errors.is_outdated else exclusions.etag(listed),
    )


@router.get(_PAGE)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def show(export_id: Id, page: CurrentPage) -> Response:
    """The list, one person in each line."""
    return _shown(page, export_id)


@router.post(_PAGE)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def save(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Replace the list, or delete it when no line is left."""
    # Several entries may be on a line.
    entries = re.sub(r"[,;\t]", "\n", form.get("entries"))
    return _save(page, export_id, entries.encode(), form)


@router.get(f"{_PAGE}/file")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def show_again(export_id: Id) -> Response:
    """Return to the list. After a refused upload, the page has this URL, and changing its language requests it."""
    return redirect(f"/exports/{export_id}/exclusions")


@router.post(f"{_PAGE}/file")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def upload(export_id: Id, page: CurrentPage, sent: Upload) -> Response:
    """Replace the list by a CSV file."""
    return _save(page, export_id, sent.data, sent.form)


def _save(page: Page, export_id: str, data: bytes, form: Form) -> Response:
    if page.services.definitions.find(export_id) is None:
        return removed_export(page, form.get("entries"))

    def saved() -> bool:
        if data.strip():
            exclusions.put(page.context, export_id, data, form.etag)
        else:
            exclusions.delete(page.context, export_id, form.etag)
        return True

    result = page.attempt(saved)
    if isinstance(result, FormErrors):
        return _shown(page, export_id, form, result)
    return redirect(f"/exports/{export_id}?done=saved")
