"""Outcomes of a real run, by reason and page by page, are the rows of its download."""

from __future__ import annotations

from collections import Counter

import pytest

from sandbox.samples import Flaws, Sample, Segment
from shared.errors import NotFound
from shared.workspace import workspace
from tests.faults.simulated_deployment import NewDeployment
from tests.web.client import request

SAMPLE = Sample(
    80, (Segment("A", 1.0), Segment("B", 0.5)), Flaws(missing=0.1, malformed=0.2, short=0.1), 5
)


def test_reasons_and_pages_contain_every_rejected_row_once(new_deployment: NewDeployment) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    run = deployment.run()
    reader = deployment.app.outcomes
    rows = list(reader.rows(run.id, "rejected"))
    assert len(rows) > 3
    assert reader.exist(run.id)

    reasons = reader.reasons(run.id, "rejected", 2)
    assert {reason.code: reason.count for reason in reasons} == Counter(row.code for row in rows)
    assert [reason.count for reason in reasons] == sorted(
        (reason.count for reason in reasons), reverse=True
    )
    for reason in reasons:
        expected = [row for row in rows if row.code == reason.code][:2]
        assert list(reason.samples) == expected

    read = []
    for skip in range(0, len(rows) + 2, 2):
        page = reader.page(run.id, "rejected", "", "", skip, 2)
        assert page.total == len(rows)
        read += page.rows
    assert read == rows
    code = reasons[0].code
    of_code = reader.page(run.id, "rejected", code, "", 0, 100)
    assert list(of_code.rows) == [row for row in rows if row.code == code]
    known = next(row for row in rows if row.customer_id)
    found = reader.page(run.id, "rejected", "", known.customer_id.upper(), 0, 100)
    assert known in found.rows
    assert all(known.customer_id.lower() in row.customer_id.lower() for row in found.rows)
    assert reader.page(run.id, "rejected", "", "100%_'", 0, 10).rows == ()


def test_outcomes_that_are_not_stored_have_no_pages(new_deployment: NewDeployment) -> None:
    reader = new_deployment().app.outcomes
    assert not reader.exist("f00")
    with pytest.raises(NotFound):
        reader.reasons("f00", "rejected", 2)
    with pytest.raises(NotFound):
        reader.page("f00", "rejected", "", "", 0, 2)


def test_an_undo_is_possible_for_the_newest_run_that_sent_something(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    first = deployment.run()
    undo = deployment.app.undo
    assert undo.is_possible(first)
    nothing_new = deployment.run()
    assert not undo.is_possible(nothing_new)
    reversed_ = deployment.undo(first)
    assert not undo.is_possible(reversed_)
    assert not undo.is_possible(deployment.app.commands.read(first.id))


def test_pages_and_downloads_do_not_wait_for_a_run_that_is_being_planned(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    run = deployment.run()
    web = deployment.app.web
    paths = (f"/runs/{run.id}", f"/api/runs/{run.id}/outcomes.csv", f"/api/runs/{run.id}", "/runs")

    with workspace():  # as long as a run is being planned or finished
        responses = [request(web, "GET", f"http://localhost{path}") for path in paths]

    assert [response.status for response in responses] == [200] * len(paths)
