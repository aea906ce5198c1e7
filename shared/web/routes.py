"""Routes: which path and method does what, for whom. A row of a table each.

A route without a role is open to everybody and must say so (`role=None`); every other one names
the lowest role that may call it. `there` says whether the house can do it at all: a route whose
use case is missing is neither served nor described.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule

from shared.web.call import Call
from shared.web.http import Response
from shared.web.needs import Desk
from shared.web.principal import Role
from shared.web.problem import HttpProblem

__all__ = ["Param", "Route", "RouteMap"]


def _always(_desk: Desk) -> bool:
    return True


@dataclass(frozen=True)
class Param:
    """A query parameter, for the description."""

    name: str
    about: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True)
class Route:
    """One row of the table.

    `template` has its variables as `{id}`. `takes` and `gives` are the JSON of the body and of
    the answer; `gives_list` wraps it as `{"value": [...]}`. `media` is what else is answered.
    A page is for people: what goes wrong there is said in HTML.
    """

    method: str
    template: str
    role: Role | None
    endpoint: Callable[[Call], Response]
    about: str
    takes: type[BaseModel] | None = None
    takes_optional: bool = False
    gives: type[BaseModel] | None = None
    gives_list: bool = False
    status: int = 200
    params: Sequence[Param] = ()
    media: str | None = None
    etag: bool = False
    there: Callable[[Desk], bool] = _always
    is_page: bool = False


class _Id(BaseConverter):
    """An id of ours or Mailchimp's; anything else is not found."""

    regex = "[A-Za-z0-9_-]{1,64}"


@lru_cache(maxsize=8)
def _compiled(rows: tuple[tuple[str, str], ...]) -> MapAdapter:
    """The matcher for methods and templates; its endpoints are their places."""
    rules = [
        Rule(
            template.replace("{", "<id:").replace("}", ">"),
            methods=[method],
            endpoint=place,
        )
        for place, (method, template) in enumerate(rows)
    ]
    return Map(
        rules,
        converters={"id": _Id},
        strict_slashes=False,
        merge_slashes=False,
        redirect_defaults=False,
    ).bind("localhost")


class RouteMap:
    """Finds the route for a path and method."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._map = _compiled(tuple((route.method, route.template) for route in routes))

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and the variables of its path. HttpProblem 404, or 405 with Allow.

        HEAD asks for what GET would answer.
        """
        try:
            place, params = self._map.match(path, method)
        except NotFound:
            raise HttpProblem(404, "notFound") from None
        except MethodNotAllowed as refused:
            allowed = ", ".join(sorted(refused.valid_methods or ()))
            raise HttpProblem(405, "methodNotAllowed", headers={"Allow": allowed}) from None
        return self.routes[place], params
