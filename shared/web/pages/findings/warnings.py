"""Why a run is "Completed with warnings", in words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from shared.model.finding import Finding, Severity, number_in
from shared.model.run import Mode, Run, RunStatus
from shared.planning.selecting.retry import NOT_RETRIED
from shared.web.models.runs import in_words
from shared.web.texts import text

# The page of a run shows this many findings beside the status, and the others under "Findings".
MOST_FINDINGS = 3
_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with the most serious ones first, each kind in its order."""
    return sorted(findings, key=lambda finding: _FIRST.index(finding.severity))


def shown_findings(run: Run, most: int = MOST_FINDINGS) -> list[Finding]:
    """The findings that `warnings` shows."""
    return _serious(run)[:most] if _has_warnings(run) else []


def warnings(run: Run, language: str, most: int = MOST_FINDINGS) -> list[str]:
    """Why a run has warnings: numbers, and at most this many of its findings. Empty for a run with another status or with a reason."""
    if not _has_warnings(run):
        return []
    say = partial(_say, language)
    counts = run.counts
    numbers = {}
    # Rows that the run before rejected as well are no warning.
    if counts.rejected > number_in(run.findings, "rejectedBefore", "rows"):
        numbers["rejected"] = counts.rejected
    if run.mode is not Mode.PREVIEW:
        # Nor are the people that a retry omitted on purpose.
        numbers["notSent"] = counts.not_sent - number_in(run.findings, NOT_RETRIED, "people")
    # Contacts that were not archived have a finding.
    if run.mode not in (Mode.PREVIEW, Mode.ARCHIVE):
        numbers["keptTag"] = counts.left - counts.removed
    found = [in_words(finding, language) for finding in shown_findings(run, most)]
    numbered = [say(name, number=number) for name, number in numbers.items() if number > 0]
    rest = len(_serious(run)) - len(found)
    return [*numbered, *found, *([say("more", number=rest)] if rest else [])]


def _has_warnings(run: Run) -> bool:
    return run.status is RunStatus.COMPLETED_WITH_WARNINGS and run.reason is None


def _serious(run: Run) -> list[Finding]:
    return [one for one in by_severity(run.findings) if one.severity is not Severity.INFO]


def _say(language: str, name: str, **values: object) -> str:
    return text(language, f"pages.warnings.{name}", values)
