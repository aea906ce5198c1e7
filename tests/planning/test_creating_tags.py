"""Between reading the audience and creating a tag, a run reads only what can have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.mailchimp.state import Segment
from shared.model.run import RunStatus
from tests.planning.row_deployment import RowDeployment, person

SEGMENTS = "/lists/{list_id}/segments"


def test_the_names_of_saved_segments_are_read_once(rows: RowDeployment) -> None:
    run = rows.run(person(0))

    assert run.status is RunStatus.SUCCESSFUL
    calls = rows.deployment.sandbox.calls
    # The tags, the saved segments, and the tags again, which another run may have created.
    assert calls.count("GET", SEGMENTS) == 3
    assert calls.count("GET", "/automations") == 1


def test_a_saved_segment_that_was_created_meanwhile_is_named(rows: RowDeployment) -> None:
    deployment = rows.deployment
    state = deployment.audience.state
    saved = Segment(9_000, "People", "saved", 0, 0, conditions={})

    def call(ask: Callable[[], Any]) -> Any:
        if deployment.sandbox.calls.count("GET", SEGMENTS) >= 2:
            state.segments[saved.id] = saved
            state.names[saved.name.casefold()] = saved.id
        return ask()

    deployment.call = call

    run = rows.run(person(0))

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "tagNameOfSegment"
