"""What the steps of one plan share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.model.chunk import Chunk
from shared.model.plan import Plan, PlanFiles
from shared.model.run import Finding
from shared.planning.audience.client import AudienceClient
from shared.planning.dependencies import PlanDependencies
from shared.planning.request import PlanRequest

UnstoredPlan = tuple[Plan, PlanFiles, list[Chunk]]
"""A plan that is not stored yet, with its files and chunks."""


@dataclass
class PlanContext:
    """The request and the services of one plan, its database and folder, and the findings of its steps so far."""

    request: PlanRequest
    dependencies: PlanDependencies
    audience: AudienceClient
    db: DuckDBPyConnection
    scratch: Path
    findings: list[Finding] = field(default_factory=list)
