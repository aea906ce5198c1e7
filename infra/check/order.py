"""Rules about the order of resources: a role that is assigned after its use fails the first deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BEFORE = {
    "roles": {"storage", "vault", "observability", "landing", "identity"},
    "app": {"roles", "network", "storage", "vault", "landing"},
    "events": {"roles", "storage", "landing"},
    "network": {"storage", "vault"},
    "landing": {"storage", "observability"},
}
"""Module -> modules that must be complete before it begins."""


def check(template: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the compiled main template."""
    resources: Mapping[str, Any] = template["resources"]
    for module, earlier in BEFORE.items():
        for missing in sorted(earlier - _before(resources, module)):
            yield f"{missing} must be complete before {module}"
    app = resources["app"]["properties"]["template"]["resources"]
    if "settings" not in _before(app, "signIn"):
        yield "the settings must be complete before sign-in: it names one of them"


def _before(resources: Mapping[str, Any], name: str) -> set[str]:
    """Everything that a resource waits for, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in resources.get(waiting.pop(), {}).get("dependsOn", ()):
            if one not in found:
                found.add(one)
                waiting.append(one)
    return found
