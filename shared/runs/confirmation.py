"""What a person is asked to confirm about a run that waits, and the run as it is after the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace

from shared.model.finding import Finding, Reason
from shared.model.run import GUARDS, REMOVAL_GUARD, WITH_PEOPLE, Run

# Findings about what waits for a confirmation -> those about the same changes after it.
_AFTER_CONFIRMATION = {"formerHeld": "formerPlanned", "unsubscribesHeld": "unsubscribesPlanned"}


def with_confirmation(run: Run) -> Run:
    """A waiting run with what a person confirms: every reason that it lists, and the numbers of people that it shows."""
    reasons = _reasons_of(run)
    code = run.reason.code if run.reason else ""
    others = {one.code for one in reasons} - {code}
    members = {
        one.values.get("segment", ""): int(one.values["people"])
        for one in reasons
        if one.code in WITH_PEOPLE
    }
    return replace(
        run,
        confirmed=(*run.confirmed, code, *sorted(others)),
        confirmed_new=max(run.confirmed_new, run.counts.new),
        confirmed_members={**run.confirmed_members, **members},
    )


def question_of(run: Run) -> str:
    """What a person is asked to confirm, as a text to compare: the reasons that a run lists, and its number of new people."""
    reasons = (json.dumps([one.code, one.values], sort_keys=True) for one in _reasons_of(run))
    return json.dumps([run.id, run.counts.new, *sorted(reasons)])


def _reasons_of(run: Run) -> list[Finding | Reason]:
    """Why a run waits: the findings of the guards, which may include its reason, and then its reason."""
    guards = [one for one in run.findings if one.code in GUARDS]
    return [*guards, *([run.reason] if run.reason else [])]


def findings_after_confirmation(
    findings: Iterable[Finding], confirmed: Collection[str]
) -> tuple[Finding, ...]:
    """The findings of a run. Once the removals are confirmed, those about what waited no longer ask for a confirmation."""
    if REMOVAL_GUARD not in confirmed:
        return tuple(findings)
    return tuple(
        Finding(one.severity, _AFTER_CONFIRMATION[one.code], one.values)
        if one.code in _AFTER_CONFIRMATION
        else one
        for one in findings
    )
