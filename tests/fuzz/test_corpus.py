"""All stored inputs and mutations of them pass, and the targets detect planted faults.

`make fuzz` runs longer. corpus/README.md describes the inputs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.mailchimp import batch_response
from shared.messaging import messages
from shared.segments.finding import survey
from shared.segments.reading import exact_csv
from shared.web.application import audit
from tests.fuzz import plan
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, Target

# So many new inputs in the ordinary tests: about a second each.
_NEW = {
    "reader": 75,
    "model": 500,
    "plan": 12,
    "messages": 2_500,
    "answers": 250,
    "requests": 125,
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(name, path, id=f"{name}-{path.name}")
        for name, target in TARGETS.items()
        for path in target.corpus()
    ],
)
def test_inputs_that_once_failed_pass(name: str, path: Path) -> None:
    TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_mutated_known_inputs_break_no_rule(target: Target) -> None:
    dice = random.Random(20261101)
    known = [path.read_bytes() for path in target.corpus()]
    for _ in range(_NEW[target.name]):
        data = mutated(dice.choice(known), known, target.tokens, dice)
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"the input was {data!r}")
            raise


def _not_lower(real: Callable[..., Any]) -> Callable[..., Any]:
    def read_people(db: Any, *rest: Any) -> Any:
        counts = real(db, *rest)
        db.execute("UPDATE people SET address = upper(address)")
        return counts

    return read_people


def _kept_forgotten(real: Callable[..., Any]) -> Callable[..., Any]:
    def compared(db: Any, rules: Any) -> None:
        real(db, rules)
        db.execute("UPDATE changes SET kind = 'add' WHERE kind = 'kept'")

    return compared


_PLANTED: dict[str, tuple[str, Any, str, Callable[..., Any]]] = {
    "a row is lost": ("reader", exact_csv, "_split", lambda real: lambda *_: iter(())),
    "a location is not checked": (
        "model",
        survey,
        "blob_names",
        lambda real: lambda *_: ("secret/other.csv",),
    ),
    "an address is not lowered": ("plan", plan, "read_people", _not_lower),
    "a person to keep is added": ("plan", plan, "compare", _kept_forgotten),
    "a run is not checked": ("messages", messages, "_run", lambda real: lambda f: f.get("run")),
    "strangers are believed": (
        "answers",
        batch_response._Assignment,
        "_member_with",
        lambda real: lambda assignment, _: assignment._members[0],
    ),
    "an unexpected error is raised": ("requests", audit, "record", lambda real: None),
}


@pytest.mark.parametrize("fault", _PLANTED)
def test_a_planted_fault_is_detected(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, module, what, planted = _PLANTED[fault]
    target = TARGETS[name]
    monkeypatch.setattr(module, what, planted(getattr(module, what)))

    def breaks(path: Path) -> bool:
        try:
            target.run(path.read_bytes())
        except Exception:
            return True
        return False

    assert any(breaks(path) for path in target.corpus())
