"""The outcomes of a run are uploaded while it is still being finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.finishing.mailchimp_check import MailchimpCheck
from shared.model.names import outcomes_table
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment

SAMPLE = Sample(6, (Segment("A"),), seed=3)


def test_the_outcomes_are_uploaded_while_tags_are_compared(
    new_deployment: Callable[[], SimulatedDeployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    started = deployment.app.starter.start(EXPORT)
    uploaded = threading.Event()
    while_comparing: list[bool] = []
    upload, check = deployment.app.files.upload, MailchimpCheck.check

    def uploading(path: Path, name: str) -> None:
        upload(path, name)
        if name == outcomes_table(started.id):
            uploaded.set()

    def checking(*given: Any) -> Any:
        while_comparing.append(uploaded.wait(10))
        return check(*given)

    monkeypatch.setattr(deployment.app.files, "upload", uploading)
    monkeypatch.setattr(MailchimpCheck, "check", checking)

    ended = deployment.run_to_end(started.id)

    assert ended.status is RunStatus.SUCCESSFUL
    assert while_comparing == [True]
