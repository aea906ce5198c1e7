"""What a form about a person shows when its export was removed meanwhile."""

from __future__ import annotations

from starlette.responses import Response

from shared.web.pages.forms import FormErrors
from shared.web.pages.render import Page


def removed_export(page: Page, typed: str) -> Response:
    """The response to a form of an export that someone has removed. Shows what was typed, so that it can be copied."""
    return page.render("people/removed_export.html", errors=FormErrors(404), typed=typed)
