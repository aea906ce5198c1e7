"""A request as the routes receive it, and the checks that they share: paging, booleans, body, `fields`.

A wrong request is answered as by Mailchimp: 400 with all fields that are wrong.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.mailchimp.problems import Problem, invalid
from sandbox.mailchimp.state import Account, Audience

if TYPE_CHECKING:
    from sandbox.mailchimp.world import World

_KINDS = {"string": str, "array": list, "object": dict, "boolean": bool}
_GOT = {str: "string", list: "array", dict: "object", bool: "boolean", type(None): "NULL"}


@dataclass(slots=True)
class ApiRequest:
    """One authenticated call, `received` at this time. The route sets `members` to the number of its contacts."""

    world: World
    account: Account
    method: str
    path: str
    query: dict[str, str]
    raw: bytes
    received: float
    takes_gzip: bool
    members: int = 0
    writes: bool = False
    parsed: Any = field(default=None)

    def audience(self, audience_id: str) -> Audience:
        """The audience of this account, or 404."""
        found = self.account.audiences.get(audience_id)
        if found is None:
            raise Problem("ResourceNotFound", "missing")
        return found

    def body(self) -> dict[str, Any]:
        """The JSON object in the body, or 400."""
        try:
            parsed = orjson.loads(self.raw or b"{}")
        except orjson.JSONDecodeError:
            raise Problem("JSONParseError", "json") from None
        if not isinstance(parsed, dict):
            raise invalid("", "schema.type", want="object", got=_got(parsed))
        self.parsed = parsed
        return parsed

    def page(self) -> tuple[int, int]:
        """`count` (default 10, at most 1000) and `offset`, or 400."""
        count = self._number("count", 10)
        if count > 1000:
            raise invalid("count", "page.count")
        return count, self._number("offset", 0)

    def flag(self, name: str) -> bool:
        """A boolean of the query, or 400."""
        value = self.query.get(name, "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise invalid(name, "schema.type", want="boolean", got="string")
        return value in ("true", "1")

    def time(self, name: str) -> float | None:
        """An ISO 8601 time of the query in seconds since 1970, or 400."""
        value = self.query.get(name)
        if not value:
            return None
        try:
            parsed = datetime.datetime.fromisoformat(value.replace(" ", "+"))
        except ValueError:
            raise invalid(name, "schema.type", want="date-time", got="string") from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=datetime.UTC)
        return parsed.timestamp()

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """A value of the query that must be in a list, or 400."""
        value = self.query.get(name)
        if value is not None and value not in allowed:
            raise invalid(name, "schema.enum", values=", ".join(allowed))
        return value

    def cut(self, answer: dict[str, Any]) -> bytes:
        """The response as JSON, reduced to `fields` and without `exclude_fields` of the query."""
        return orjson.dumps(
            projected(answer, self.query.get("fields"), self.query.get("exclude_fields"))
        )

    def _number(self, name: str, default: int) -> int:
        value = self.query.get(name)
        if value is None or value == "":
            return default
        if not value.isascii() or not value.isdigit():
            raise invalid(name, "schema.type", want="integer", got="string")
        return int(value)


def _got(value: Any) -> str:
    return _GOT.get(type(value), "number")


class Shape:
    """Collects the errors of a body, so that one response contains all of them."""

    def __init__(self) -> None:
        """Create it without errors."""
        self.errors: list[tuple[str, str, dict[str, object]]] = []

    def required(self, where: dict[str, Any], name: str, kind: str, *, at: str = "") -> None:
        """`name` is required, and of this JSON kind."""
        if where.get(name) is None or (kind == "string" and where[name] == ""):
            self.errors.append((at + name, "schema.blank", {}))
        else:
            self.optional(where, name, kind, at=at)

    def optional(self, where: dict[str, Any], name: str, kind: str, *, at: str = "") -> None:
        """`name` is optional, and must be of this JSON kind."""
        if name in where and not isinstance(where[name], _KINDS[kind]):
            self.add_wrong_kind(at + name, kind, where[name])

    def add_wrong_kind(self, name: str, kind: str, value: Any) -> None:
        """Note a value of another kind."""
        self.errors.append((name, "schema.type", {"want": kind, "got": _got(value)}))

    def strings(self, where: dict[str, Any], name: str, *, at: str = "") -> None:
        """`name` is optional, and must be an array of strings."""
        self.optional(where, name, "array", at=at)
        if isinstance(where.get(name), list):
            for number, item in enumerate(where[name]):
                if not isinstance(item, str):
                    self.add_wrong_kind(f"{at}{name}.item:{number}", "string", item)

    def one_of(
        self, where: dict[str, Any], name: str, allowed: tuple[str, ...], at: str = ""
    ) -> None:
        """`name` is optional, and must be one of these values."""
        if name in where and where[name] not in allowed:
            self.errors.append((at + name, "schema.enum", {"values": ", ".join(allowed)}))

    def check(self) -> None:
        """400 with all errors, when there are any."""
        if self.errors:
            raise Problem("InvalidResource", "invalid.detail", errors=self.errors)


def projected(value: dict[str, Any], fields: str | None, exclude: str | None) -> dict[str, Any]:
    """A response reduced to `fields` and without `exclude_fields` (comma-separated dotted paths)."""
    if fields:
        value = _only(value, _tree(fields))
    if exclude:
        value = _without(value, _tree(exclude))
    return value


def _tree(paths: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths.split(","):
        node = tree
        for part in filter(None, path.strip().split(".")):
            node = node.setdefault(part, {})
    return tree


def _only(value: Any, tree: dict[str, Any]) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_only(item, tree) for item in value]
    if isinstance(value, dict):
        return {k: _only(value[k], sub) for k, sub in tree.items() if k in value}
    return value


def _without(value: Any, tree: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_without(item, tree) for item in value]
    if isinstance(value, dict):
        return {
            k: _without(v, tree[k]) if k in tree else v
            for k, v in value.items()
            if not (k in tree and not tree[k])
        }
    return value
