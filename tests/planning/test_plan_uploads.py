"""The files of a plan are uploaded while it is still being made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.model.run import RunStatus
from shared.planning import new_plan
from tests.faults.simulated_deployment import SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person


def test_the_files_of_a_plan_are_uploaded_while_its_changes_are_counted(
    new_deployment: Callable[[], SimulatedDeployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    files = rows.deployment.app.files
    uploaded = {name: threading.Event() for name in ("lines.jsonl", "changes.parquet")}
    while_counting: list[bool] = []
    upload, count = files.upload, new_plan.count_changes

    def uploading(path: Path, name: str) -> None:
        upload(path, name)
        if path.name in uploaded:
            uploaded[path.name].set()

    def counting(*given: Any) -> Any:
        while_counting.extend(event.wait(10) for event in uploaded.values())
        return count(*given)

    monkeypatch.setattr(files, "upload", uploading)
    monkeypatch.setattr(new_plan, "count_changes", counting)

    run = rows.run(person(0), person(1))

    assert run.status is RunStatus.SUCCESSFUL
    assert while_counting == [True, True]
