"""The files of a plan are uploaded while it is still being made."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError, Unavailable
from shared.model.run import RunStatus
from shared.planning import new_plan
from tests.planning.row_deployment import RowDeployment, person
from tests.waiting import MOST_SECONDS


def test_the_files_of_a_plan_are_uploaded_while_its_changes_are_counted(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = rows.deployment.app.files
    uploaded = {name: threading.Event() for name in ("lines.jsonl", "changes.parquet")}
    while_counting: list[bool] = []
    upload, count = files.upload, new_plan.count_changes

    def uploading(path: Path, name: str) -> None:
        upload(path, name)
        if path.name in uploaded:
            uploaded[path.name].set()

    def counting(*given: Any) -> Any:
        while_counting.extend(event.wait(MOST_SECONDS) for event in uploaded.values())
        return count(*given)

    monkeypatch.setattr(files, "upload", uploading)
    monkeypatch.setattr(new_plan, "count_changes", counting)

    run = rows.run(person(0), person(1))

    assert run.status is RunStatus.SUCCESSFUL
    assert while_counting == [True, True]


def test_the_files_of_a_plan_that_fails_are_deleted(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ConfigError("segmentNotFound", segment="People")

    monkeypatch.setattr(new_plan, "count_changes", fail)

    run = rows.run(person(0), person(1))

    assert run.status is RunStatus.FAILED
    assert folders_of_plans(rows) == set()


def test_a_plan_with_a_file_that_could_not_be_uploaded_is_made_again(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = rows.deployment.app.files
    upload = files.upload
    failed: list[str] = []

    def uploading(path: Path, name: str) -> None:
        if path.name == "changes.parquet" and not failed:
            failed.append(name)
            raise Unavailable("storageNoAnswer", resource="fake", error="Lost")
        upload(path, name)

    monkeypatch.setattr(files, "upload", uploading)

    run = rows.run(person(0), person(1))

    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 2)
    (folder,) = folders_of_plans(rows)
    assert not failed[0].startswith(folder)


def folders_of_plans(rows: RowDeployment) -> set[str]:
    """The folders with the files of plans."""
    return {name.rpartition("/")[0] for name in rows.deployment.store.blobs if "/plan-" in name}
