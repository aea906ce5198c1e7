"""Every kind of record that the app at hand knows, and what its values are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from shared.app import App
from shared.settings import load

# All that is optional is there, so that no kind of record is missed.
_SETTINGS = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "MAILCHIMP_API_URL": "http://127.0.0.1:9",
    "CUSTOMER_INSIGHTS_INSTANCE_ID": "00000000-0000-0000-0000-000000000000",
    "ENTRA_TENANT_ID": "00000000-0000-0000-0000-000000000001",
    "ENTRA_CLIENT_ID": "00000000-0000-0000-0000-000000000002",
    "ENTRA_CLIENT_SECRET": "none",
}


class _Naming(App):
    """An app that only says which tables it asks for."""

    def table(self, name: str, value_type: type, columns: Any = None) -> Any:
        self.__dict__.setdefault("kinds", {})[name] = value_type
        return super().table(name, value_type, columns or (lambda _: {}))


def kinds() -> dict[str, type]:
    """By table: the type of its values."""
    app = _Naming(load(_SETTINGS))
    for owner in _Naming.__mro__:
        for name, member in vars(owner).items():
            if isinstance(member, cached_property):
                getattr(app, name)
    return app.__dict__["kinds"]


def read(kind: str, value: Any) -> Any:
    """A record of a kind, as JSON again after the app has read it."""
    codec = TypeAdapter(kinds()[kind])
    return codec.dump_python(codec.validate_python(value), mode="json")
