"""The part of the export form about accidents: how many contacts a run may add.

`_export_guards.html` shows it. An empty number is no limit; an empty share is the default share.
"""

from __future__ import annotations

from typing import Any

from shared.web.pages.forms import Form

__all__ = ["guard_fields"]


def guard_fields(form: Form) -> dict[str, Any]:
    """The growth guard and the contact budget."""
    guard: dict[str, Any] = {"maxContacts": _whole(form.get("growthContacts"))}
    if share := form.get("growthShare"):
        guard["maxShare"] = _share(share)
    return {"growthGuard": guard, "contactBudget": _whole(form.get("contactBudget"))}


def _share(percent: str) -> object:
    """Percent as people write it, as a share; anything but a number is refused when it is saved."""
    try:
        return float(percent) / 100
    except ValueError:
        return percent


def _whole(number: str) -> object:
    try:
        return int(number) if number else None
    except ValueError:
        return number
