"""All kinds of records of the current app, with the types of their values."""

from __future__ import annotations

import json
from functools import cache, cached_property
from typing import Any

from shared.app import App, build
from shared.model.plan import plan_from_json, plan_to_json
from shared.settings import load
from shared.storage.records import TableRecords

# All optional settings, so that every kind of record is used.
_SETTINGS = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "MAILCHIMP_API_URL": "http://127.0.0.1:9",
    "CUSTOMER_INSIGHTS_INSTANCE_ID": "00000000-0000-0000-0000-000000000000",
    "ENTRA_TENANT_ID": "00000000-0000-0000-0000-000000000001",
    "ENTRA_CLIENT_ID": "00000000-0000-0000-0000-000000000002",
    "ENTRA_CLIENT_SECRET": "none",
}


# Fields of plans that no version of the app has ever read. They were written by version 1.0.0.
_NEVER_READ = {"removals_held"}


@cache
def kinds() -> dict[str, type]:
    """Return the type of the values of each table."""
    found: dict[str, type] = {}

    def table(name: str, value_type: type, columns: Any = lambda _: {}) -> Any:
        found[name] = value_type
        return TableRecords(app.clients, name, value_type, columns)

    app = build(load(_SETTINGS), table=table)
    for name, part in vars(App).items():
        if isinstance(part, cached_property):
            getattr(app, name)
    return found


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """Return the paths of JSON values that are missing or different in another value."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            one
            for name, value in before.items()
            for one in (
                lost(value, after[name], f"{where}.{name}")
                if name in after
                else [f"{where}.{name}"]
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [one for at, (b, a) in pairs for one in lost(b, a, f"{where}[{at}]")]
    return [] if before == after else [where]


def lost_of_plan(before: dict[str, Any], data: bytes) -> list[str]:
    """Return the paths of values of a stored plan that are missing or different when `data` is read as a plan."""
    read = json.loads(plan_to_json(plan_from_json(data)))
    return lost({n: value for n, value in before.items() if n not in _NEVER_READ}, read)
