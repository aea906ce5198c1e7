"""One call as an endpoint sees it: who, what, in which language, and the desk to do it at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson
from pydantic import ValidationError

from shared.errors import Fault
from shared.web.audit import changes, entry_of, key_of
from shared.web.http import JSON, Request
from shared.web.models.base import Body, faults_of, parse_parts
from shared.web.needs import Desk
from shared.web.principal import Principal, Role
from shared.web.problem import HttpProblem

__all__ = ["ANYBODY", "Call", "etag_of"]

B = TypeVar("B", bound=Body)
C = TypeVar("C")

# Who calls a route that is open to everybody.
ANYBODY = Principal("", "", None)


@dataclass(frozen=True)
class Call:
    """One call. `params` are the variables of the path."""

    request: Request
    desk: Desk
    principal: Principal
    params: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    trace_id: str = ""

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.params["id"]

    def require(self, role: Role) -> None:
        """Raise a 403 unless the caller has the role."""
        if not self.principal.may(role):
            raise HttpProblem(403, "forbidden", values={"role": role.label})

    def body(self, model: type[B]) -> B:
        """The JSON body, whole. 400 with every fault by field."""
        raw = self._json_object()
        try:
            return model.model_validate_json(raw)
        except ValidationError as invalid:
            raise HttpProblem(400, "badRequest", faults=faults_of(invalid)) from None

    def body_or(self, default: B) -> B:
        """The JSON body, or `default` when there is none."""
        return self.body(type(default)) if self.request.body.strip() else default

    def parts(self, parts: type[B], whole: type[B]) -> tuple[B, list[Fault], set[str]]:
        """What of the body can be read, the faults of the rest, and the names of what is missing."""
        value, faults = parse_parts(parts, whole, self._json_object())
        return value, faults, {fault.field.partition(".")[0].partition("[")[0] for fault in faults}

    def _json_object(self) -> bytes:
        if self.request.content_type != JSON:
            raise HttpProblem(415, "unsupportedMediaType")
        try:
            content = orjson.loads(self.request.body)
        except ValueError:
            raise HttpProblem(400, "malformed") from None
        if not isinstance(content, dict):
            raise HttpProblem(400, "notAnObject")
        if not _is_shallow(content):
            raise HttpProblem(400, "malformed")
        return self.request.body

    def number(self, name: str, default: int, most: int, least: int = 1) -> int:
        """A whole number of the query, from `least` to `most`."""
        given = self.request.query.get(name)
        if given is None:
            return default
        if given.isascii() and given.isdigit() and len(given) < 7 and least <= int(given) <= most:
            return int(given)
        values = {"least": str(least), "most": str(most)}
        message = f"Must be a whole number from {least} to {most}."
        raise HttpProblem(400, "badRequest", faults=[Fault(name, message, "number_range", values)])

    def choice(self, name: str, choices: Mapping[str, C]) -> C | None:
        """One of the values of the query that have names."""
        given = self.request.query.get(name)
        if not given:
            return None
        if given in choices:
            return choices[given]
        expected = ", ".join(choices)
        fault = Fault(name, f"Must be one of: {expected}.", "enum", {"expected": expected})
        raise HttpProblem(400, "badRequest", faults=[fault])

    def matched(self, etag: str) -> str | None:
        """The storage ETag that a write must find, None when the caller does not care.

        412 when the caller's If-Match names another state.
        """
        given = self.request.header("if-match")
        if given is None:
            return None
        if given.strip() == "*" or etag_of(etag) in [tag.strip() for tag in given.split(",")]:
            return etag
        raise HttpProblem(412, "changed")

    def audit(
        self,
        action: str,
        subject_id: str,
        subject_name: str = "",
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Record a change that this caller has made."""
        entry = entry_of(
            self.principal,
            action,
            subject_id,
            subject_name,
            changes(before, after),
            at=self.desk.clock(),
            entry_id=self.desk.new_id(),
            trace_id=self.trace_id,
        )
        self.desk.audit.create(key_of(entry), entry)


def _is_shallow(value: object, deepest: int = 20) -> bool:
    """Whether JSON nests at most this deep; no model of ours comes near."""
    level: list[object] = [value]
    for _ in range(deepest):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def etag_of(storage_etag: str) -> str:
    """The ETag that callers see: the storage's own says too much and is not always quoted."""
    return f'"{hashlib.sha256(storage_etag.encode()).hexdigest()[:24]}"'
