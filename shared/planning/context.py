"""What the steps of one plan share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.model.chunk import Chunk
from shared.model.finding import Finding
from shared.model.plan import Plan
from shared.planning.audience.client import AudienceClient
from shared.planning.dependencies import PlanDependencies
from shared.planning.request import PlanRequest
from shared.runs.plan_uploads import PlanUploads

UnstoredPlan = tuple[Plan, list[Chunk]]
"""A plan that is not stored yet, with its chunks."""


@dataclass
class PlanContext:
    """The request and the services of one plan, its database, local folder and uploads, and the findings of its steps so far."""

    request: PlanRequest
    dependencies: PlanDependencies
    audience: AudienceClient
    db: DuckDBPyConnection
    scratch: Path
    uploads: PlanUploads
    findings: list[Finding] = field(default_factory=list)
