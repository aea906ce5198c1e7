"""Mailchimp's errors, as `application/problem+json`.

Titles and statuses are those of Mailchimp, which does not translate them: https://mailchimp.com/developer/marketing/docs/errors/
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"

TITLES = {
    "BadRequest": (400, "Bad Request"),
    "InvalidResource": (400, "Invalid Resource"),
    "JSONParseError": (400, "JSON Parse Error"),
    "MemberExists": (400, "Member Exists"),
    "MemberInComplianceState": (400, "Member In Compliance State"),
    "ForgottenEmail": (400, "Forgotten Email Not Subscribed"),
    "APIKeyMissing": (401, "API Key Missing"),
    "APIKeyInvalid": (401, "API Key Invalid"),
    "Forbidden": (403, "Forbidden"),
    "UserDisabled": (403, "User Disabled"),
    "ResourceNotFound": (404, "Resource Not Found"),
    "MethodNotAllowed": (405, "Method Not Allowed"),
    "RequestTooLarge": (413, "Request Entity Too Large"),
    "TooManyRequests": (429, "Too Many Requests"),
    "InternalServerError": (500, "Internal Server Error"),
}


class Problem(Exception):
    """An error response: a name of TITLES, a text key with its facts, and field errors.

    `errors` are pairs of a field and a text key (or a pair of text key and facts).
    """

    def __init__(
        self,
        name: str,
        key: str,
        *,
        errors: list[tuple[str, str, dict[str, object]]] | None = None,
        **facts: object,
    ) -> None:
        """Create it from its name, text key and facts."""
        super().__init__(name)
        self.name = name
        self.key = key
        self.facts = facts
        self.errors = errors or []

    @property
    def status(self) -> int:
        """The HTTP status."""
        return TITLES[self.name][0]

    def body(self, sentence: Callable[..., str], instance: str) -> bytes:
        """The JSON body; `sentence(key, **facts)` returns a text in the account's language."""
        status, title = TITLES[self.name]
        problem: dict[str, object] = {
            "type": TYPE,
            "title": title,
            "status": status,
            "detail": sentence(self.key, **self.facts),
            "instance": instance,
        }
        if self.errors:
            problem["errors"] = [
                {"field": field, "message": sentence(key, **facts)}
                for field, key, facts in self.errors
            ]
        return orjson.dumps(problem)


def invalid(field: str, key: str, **facts: object) -> Problem:
    """One field of the request is wrong: 400 Invalid Resource."""
    return Problem("InvalidResource", "invalid.detail", errors=[(field, key, facts)])
