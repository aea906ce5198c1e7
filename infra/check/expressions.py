"""Makes the expressions readable that remain when a deployment is evaluated offline.

A snapshot leaves expressions that only Azure can evaluate: `[reference('.../id-x').clientId]`.
`resolved` evaluates what is known in the public cloud (`environment()`, `format`, `resourceId`) and
writes the rest as a placeholder: `<id-x.clientId>`, and `<landing.outputs.blobEndpoint>` for the
output of a module.
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_ENVIRONMENT = {
    "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
    "resourceManager": "https://management.azure.com/",
}
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|-?\d+|[A-Za-z_]\w*|.)")


@dataclass(frozen=True)
class _Unknown:
    """A value that only the deployment knows."""

    text: str


def resolved(value: Any) -> Any:
    """A value of a snapshot with every expression in it resolved; other values unchanged."""
    if isinstance(value, dict):
        return {resolved(name): resolved(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner) for inner in value]
    if isinstance(value, str) and value.startswith("[") and not value.startswith("[["):
        return _shown(_Reader(value[1:-1]).expression())
    return value


def _shown(value: Any) -> Any:
    return f"<{value.text}>" if isinstance(value, _Unknown) else value


class _Reader:
    """Reads and evaluates one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)

    def expression(self) -> Any:
        token = self._next()
        if token.startswith("'"):
            value: Any = token[1:-1].replace("''", "'")
        elif token.lstrip("-").isdigit():
            value = int(token)
        else:
            value = _call(token, self._arguments())
        while self._tokens and self._tokens[0] in (".", "["):
            index = self._index()
            value = _member(value, index)
        return value

    def _index(self) -> Any:
        if self._next() == ".":
            return self._next()
        index = self.expression()
        self._next()
        return index

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        if not self._tokens or self._tokens[0] != "(":
            return found
        while self._next() != ")":
            if self._tokens[0] == ")":
                continue
            found.append(self.expression())
        return found

    def _next(self) -> str:
        return str(self._tokens.pop(0))


def _member(value: Any, name: Any) -> Any:
    if isinstance(value, _Unknown):
        return value if name == "value" else _Unknown(f"{value.text}.{name}")
    try:
        return value[name]
    except (KeyError, IndexError, TypeError):
        return _Unknown(f"?.{name}")


def _call(name: str, arguments: list[Any]) -> Any:
    if name == "environment":
        return _ENVIRONMENT
    if name == "format":
        return re.sub(r"\{(\d+)\}", lambda at: str(_shown(arguments[int(at[1]) + 1])), arguments[0])
    if name == "resourceId" and all(isinstance(one, str) for one in arguments):
        subscription, group, kind, *names = arguments
        namespace, *types = kind.split("/")
        path = "".join(f"/{one}/{part}" for one, part in zip(types, names, strict=False))
        return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}{path}"
    if name == "reference" and isinstance(arguments[0], str):
        # The name of a module's deployment is its symbol and a hash.
        return _Unknown(arguments[0].rpartition("/")[2].partition("-<")[0])
    return _Unknown(f"{name}()")
