"""An evaluated configuration of the deployment: its resources as Azure would receive them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.check.compiler import GROUP, SUBSCRIPTION
from infra.check.expressions import resolved


def at(value: Any, *path: str) -> Any:
    """The value at a path of names, None where the path ends."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


@dataclass(frozen=True)
class Resource:
    """One resource. `name` is the last part of a nested name; `scope` the resource it extends."""

    type: str
    name: str
    id: str
    body: Mapping[str, Any] = field(repr=False)

    @property
    def scope(self) -> str:
        """The id of the resource that an extension (role assignment, diagnostics) is on."""
        return self.id.rpartition("/providers/")[0]

    @property
    def group(self) -> str:
        """Its resource group."""
        return self.id.split("/")[4]

    def get(self, *path: str) -> Any:
        """A value of the resource, or None."""
        return at(self.body, *path)

    def __str__(self) -> str:
        return f"{self.type.rpartition('/')[2]} {self.name}"


@dataclass(frozen=True)
class Deployment:
    """`given` are the parameters that the configuration sets, `template` the compiled template."""

    name: str
    given: Mapping[str, Any]
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    diagnostics: tuple[str, ...]
    template: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def of(self, kind: str) -> list[Resource]:
        """All resources of a type."""
        return [one for one in self.resources if one.type == kind]

    def named(self, kind: str, prefix: str) -> Resource | None:
        """The resource of a type whose name begins with `name`, or None."""
        return next((one for one in self.of(kind) if one.name.startswith(prefix)), None)

    def children(self, parent: Resource, kind: str) -> list[Resource]:
        """Resources of a type below another one."""
        return [one for one in self.of(kind) if one.id.startswith(f"{parent.id}/")]

    @property
    def private(self) -> bool:
        """Whether state and vaults are behind private endpoints."""
        return bool(self.given.get("privateNetworking"))

    @property
    def own_landing(self) -> bool:
        """Whether the landing account is created by this deployment."""
        return not self.given.get("existingSegmentsAccountName")


def parse(
    name: str,
    text: str,
    given: Mapping[str, Any],
    template: Mapping[str, Any] | None = None,
) -> Deployment:
    """A deployment from the JSON text of its snapshot."""
    content = json.loads(text)
    return Deployment(
        name=name,
        given=given,
        resources=tuple(_resources(content["predictedResources"])),
        outputs=resolved(content["outputs"]),
        diagnostics=tuple(content["diagnostics"]),
        template=template or {},
    )


def _resources(listed: list[dict[str, Any]]) -> Iterator[Resource]:
    for one in listed:
        known = not one["id"].startswith("[")
        body = resolved(one)
        names = str(body["name"]).split("/")
        namespace, *types = one["type"].split("/")
        path = "".join(f"/{kind}/{part}" for kind, part in zip(types, names, strict=True))
        ours = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{namespace}{path}"
        yield Resource(one["type"], names[-1], one["id"] if known else ours, body)
