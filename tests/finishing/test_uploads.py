"""The outcomes of a run are uploaded while it is still being finished."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import Unavailable
from shared.finishing import finish_steps
from shared.finishing.mailchimp_check import MailchimpCheck
from shared.model.names import outcomes_table
from shared.model.run import RunStatus
from shared.people.erasures import Erasure, Erasures
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.waiting import MOST_SECONDS

SAMPLE = Sample(6, (Segment("A"),), seed=3)


def test_the_outcomes_are_uploaded_while_tags_are_compared(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
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
        while_comparing.append(uploaded.wait(MOST_SECONDS))
        return check(*given)

    monkeypatch.setattr(deployment.app.files, "upload", uploading)
    monkeypatch.setattr(MailchimpCheck, "check", checking)

    ended = deployment.run_to_end(started.id)

    assert ended.status is RunStatus.SUCCESSFUL
    assert while_comparing == [True]


def test_a_file_for_customer_insights_that_cannot_be_uploaded_is_reported(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    monkeypatch.setattr(deployment.app.outcome_files, "upload", unavailable)

    ended = deployment.run()

    assert ended.status is RunStatus.SUCCESSFUL
    assert "outcomesNotHandedBack" in {finding.code for finding in ended.findings}
    # Without its file, no model.json describes the run.
    assert deployment.store.containers["outcomes"] == {}


def test_a_finish_whose_ledger_could_not_be_downloaded_is_repeated(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    deployment.run()
    download = finish_steps.download_ledger
    tries: list[bool] = []

    def downloading(*given: Any) -> Any:
        tries.append(True)
        return download(*given) if len(tries) > 1 else unavailable()

    monkeypatch.setattr(finish_steps, "download_ledger", downloading)

    ended = deployment.run()

    assert (ended.status, ended.counts.unchanged, len(tries)) == (RunStatus.SUCCESSFUL, 6, 2)
    assert len(deployment.result_of(ended).ledger) == 6


def test_a_person_erased_after_the_outcomes_were_uploaded_is_removed_from_them_after_the_run(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    app = deployment.app
    app.__dict__["erasures"] = Erasures(app.erasures.records, lambda: bytes(32))
    check = MailchimpCheck.check
    receipts: list[Erasure] = []

    def checking(*given: Any) -> Any:
        receipts.append(app.eraser.erase(SAMPLE.address(1), in_mailchimp=False, by=""))
        return check(*given)

    monkeypatch.setattr(MailchimpCheck, "check", checking)

    ended = deployment.run()
    app.eraser.complete()

    assert receipts[0].waits_for == (ended.id,)
    result = deployment.result_of(ended)
    assert SAMPLE.address(1) not in {row[1] for row in result.outcomes}
    assert SAMPLE.address(1) not in {row[0] for row in result.ledger}
    (file,) = [
        blob
        for name, blob in deployment.store.containers["outcomes"].items()
        if name.endswith(".csv")
    ]
    assert len(file.splitlines()) == 1 + 5


def unavailable(*_: Any) -> Any:
    raise Unavailable("storageNoAnswer", resource="fake", error="Lost")
