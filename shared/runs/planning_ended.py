"""The exception for a run that ends or waits without a plan, with its state and reason."""

from __future__ import annotations

from shared.model.figures import AudienceSize, Counts
from shared.model.finding import Finding, Reason
from shared.model.run import RunStatus


class PlanningEnded(Exception):
    """The run ends (or waits) without a plan."""

    def __init__(
        self,
        status: RunStatus,
        reason: Reason,
        counts: Counts | None = None,
        findings: tuple[Finding, ...] = (),
        audience_size: AudienceSize | None = None,
        definition: str = "",
    ) -> None:
        super().__init__(reason.code)
        self.status = status
        self.reason = reason
        self.counts = counts or Counts()
        self.findings = findings
        self.audience_size = audience_size
        self.definition = definition
