"""Finds the function for a method and a path.

Templates as in ASP.NET: `{id}`, `{id?}`, `{id:int}`, `{*rest}`; matching ignores case and a slash at
the end. As in the real host, a method that is not declared is 404, and a GET route does not
answer HEAD. Older hosts try functions in the order of their names, newer ones the more specific
route first; `ambiguous` names the pairs for which the order matters.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from devhost.functions import Function, StartError

RESERVED = ("admin", "runtime")
_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<checks>(?::[^{}?]+)*)(?P<opt>\??)\}")
_CHECKS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]*",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


@dataclass(frozen=True)
class Route:
    """One HTTP function with its template; `specificity` sorts the more specific one first."""

    function: Function
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    specificity: tuple[int, ...]

    def parameters(self, method: str, path: str) -> dict[str, str] | None:
        """The route parameters if this route answers, else None; `path` as `read_path` gives it."""
        if self.methods and method.upper() not in self.methods:
            return None
        found = self.pattern.fullmatch(path.strip("/") if path.strip("/") else "")
        if not found or "//" in path:
            return None
        # An optional part that matches nothing is absent.
        return {name: value for name, value in found.groupdict().items() if value}


class Routes:
    """The HTTP functions of an app."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        routes = [
            _route(one, prefix) for one in functions if one.trigger.type.lower() == "httptrigger"
        ]
        self.all = sorted(routes, key=lambda one: (one.specificity, one.function.name.lower()))

    def find(self, method: str, path: str) -> tuple[Function, Mapping[str, str]] | None:
        """The function for a request and its route parameters; None means 404."""
        for route in self.all:
            parameters = route.parameters(method, path)
            if parameters is not None:
                return route.function, parameters
        return None

    def ambiguous(self) -> Iterator[tuple[Route, Route]]:
        """Pairs that older hosts route differently: (the more specific route, the route that hides it)."""
        for first, second in itertools.combinations(self.all, 2):
            by_name = second.function.name.lower() < first.function.name.lower()
            meet = not first.methods or not second.methods or first.methods & second.methods
            if by_name and meet and second.pattern.fullmatch(_example(first.template)):
                yield first, second


def _route(function: Function, prefix: str) -> Route:
    settings = function.trigger.settings
    template = (settings.get("route") or function.name).strip("/")
    if template.split("/")[0].lower() in RESERVED and not prefix:
        msg = f"Function {function.name}: a route must not begin with admin or runtime."
        raise StartError(msg)
    if prefix:
        template = f"{prefix}/{template}"
    segments = template.split("/")
    pattern, specificity = "", []
    for number, segment in enumerate(segments):
        text, weight = _segment(segment, function, first=number == 0)
        pattern += text
        specificity.append(weight)
    methods = settings.get("methods") or ()
    names = frozenset(str(getattr(one, "value", one)).upper() for one in methods)
    return Route(
        function,
        template,
        names,
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        (*specificity, 9),  # a shorter template after a longer one
    )


def _segment(segment: str, function: Function, *, first: bool) -> tuple[str, int]:
    """One segment as a pattern with its leading slash, and how specific it is (0 = literal)."""
    slash = "" if first else "/"
    whole = _PARAMETER.fullmatch(segment)
    if whole is None:
        if "{" not in segment:
            return slash + re.escape(segment), 0
        text, end = slash, 0
        for found in _PARAMETER.finditer(segment):
            text += re.escape(segment[end : found.start()])
            text += f"(?P<{found['name']}>[^/]+?)"
            end = found.end()
        return text + re.escape(segment[end:]), 1
    name = whole["name"]
    if whole["rest"]:
        return (f"(?P<{name}>.*)" if first else f"(?:/(?P<{name}>.*))?"), 4
    group = f"(?P<{name}>{_checked(whole['checks'], function)})"
    weight = 2 if whole["checks"] else 3
    if whole["opt"]:
        return (f"(?:{group})?" if first else f"(?:/{group})?"), weight
    return slash + group, weight


def _checked(checks: str, function: Function) -> str:
    text = "[^/]+"
    for check in filter(None, checks.split(":")):
        length = re.fullmatch(r"(maxlength|minlength|length)\((\d+)\)", check)
        if length:
            least, most = {
                "maxlength": ("0", length[2]),
                "minlength": (length[2], ""),
                "length": (length[2], length[2]),
            }[length[1]]
            text = f"[^/]{{{least},{most}}}"
        elif check in _CHECKS:
            text = _CHECKS[check]
        else:
            msg = f"Function {function.name}: this host does not support the route check :{check}."
            raise StartError(msg)
    return text


def _example(template: str) -> str:
    return re.sub(_PARAMETER, "x", template)
