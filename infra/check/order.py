"""Rules about the order of resources: a role assigned too late, or two changes of a site at once, fail a deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

BEFORE = {
    "roles": {"storage", "vault", "observability", "landing", "identity"},
    "app": {"roles", "network", "storage", "vault", "observability", "landing"},
    "events": {"roles", "storage", "landing"},
    "network": {"storage", "vault"},
    "landing": {"storage", "observability"},
    "alerts": {"vault", "observability"},
}
"""Module -> modules that must be complete before it begins."""


def check(template: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the compiled main template."""
    resources: Mapping[str, Any] = template["resources"]
    for module, earlier in BEFORE.items():
        for missing in sorted(earlier - _before(resources, module)):
            yield f"{missing} must be complete before {module}"
    app = resources["app"]["properties"]["template"]["resources"]
    parts = [
        name for name, one in app.items() if str(one["type"]).startswith("Microsoft.Web/sites/")
    ]
    for one, other in combinations(parts, 2):
        if one not in _before(app, other) and other not in _before(app, one):
            yield f"{one} and {other} must not change the site at the same time"
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
