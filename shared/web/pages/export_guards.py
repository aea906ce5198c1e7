"""The part of the export form about accidents: how many contacts a run may add.

`_export_guards.html` shows it. An empty number is no limit; an empty share is the default share.
"""

from __future__ import annotations

from typing import Any

from shared.web.pages.forms import Form

__all__ = ["guard_fields"]


def guard_fields(form: Form) -> dict[str, Any]:
    """The growth guard and the contact budget."""
    guard: dict[str, Any] = {"maxContacts": form.whole_number("growthContacts")}
    if form.get("growthShare"):
        guard["maxShare"] = form.share("growthShare")
    return {"growthGuard": guard, "contactBudget": form.whole_number("contactBudget")}
