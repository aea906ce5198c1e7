"""Findings in groups of one kind. A page shows the first ones of a large group and folds the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.model.finding import Severity
from shared.web.models.runs import FindingView

# A group of up to this many findings is shown completely, and this many of a larger one.
_MOST_SHOWN = 5
_FIRST_SHOWN = 3


@dataclass(frozen=True)
class FindingGroup:
    """Findings with one severity and one code. The page shows `folded` when someone opens the group."""

    severity: Severity
    shown: Sequence[FindingView]
    folded: Sequence[FindingView]


def grouped(findings: Sequence[FindingView]) -> list[FindingGroup]:
    """The groups in the order of their first findings."""
    kinds: dict[tuple[Severity, str], list[FindingView]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.code), []).append(finding)
    groups = []
    for (severity, _), same in kinds.items():
        shown = len(same) if len(same) <= _MOST_SHOWN else _FIRST_SHOWN
        groups.append(FindingGroup(severity, same[:shown], same[shown:]))
    return groups
