"""A run says that Mailchimp lost values, because someone changed a merge field while the run sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox.mailchimp import Fault
from sandbox.mailchimp.state import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.finding import Reason
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, codes, person


def _field(deployment: SimulatedDeployment, tag: str) -> MergeField:
    fields = deployment.audience.state.merge_fields.values()
    return next(field for field in fields if field.tag == tag)


def _delete(deployment: SimulatedDeployment, tag: str = "FNAME") -> None:
    del deployment.audience.state.merge_fields[_field(deployment, tag).merge_id]


def _change_tag(deployment: SimulatedDeployment) -> None:
    _field(deployment, "FNAME").tag = "GIVEN"


@pytest.mark.parametrize("change", [_delete, _change_tag])
def test_a_merge_field_that_is_lost_while_a_run_sends_is_reported_and_sent_by_the_next_run(
    change: Callable[[SimulatedDeployment], None], rows: RowDeployment
) -> None:
    changed = rows.while_sending(lambda _: change(rows.deployment))

    run = rows.run(person(1), person(2))

    assert changed
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert _lost(run) == ["FNAME"]
    after = rows.run(person(1), person(2))
    assert after.counts.updated == 2
    assert "mergeFieldGone" not in codes(after)


def test_a_lost_merge_field_that_the_export_does_not_create_is_named_by_the_next_run(
    rows: RowDeployment,
) -> None:
    rows.change(
        mapping=Mapping("EMail", attributes=(AttributeMapping("FirstName", merge_field="LNAME"),))
    )
    rows.while_sending(lambda _: _delete(rows.deployment, "LNAME"))

    assert _lost(rows.run(person(1), person(2))) == ["LNAME"]

    values = {"tag": "LNAME", "attribute": "FirstName"}
    assert rows.run(person(1), person(2)).reason == Reason("mergeFieldMissing", values)


def test_a_run_that_only_removes_tags_loses_no_values(rows: RowDeployment) -> None:
    rows.run(person(1), person(2))
    changed = rows.while_sending(lambda _: _delete(rows.deployment))

    run = rows.run(person(1))

    assert changed
    assert run.counts.removed == 1
    assert run.status is RunStatus.SUCCESSFUL
    assert codes(run) == {}


def test_a_merge_field_that_is_lost_is_reported_if_the_tags_cannot_be_read(
    rows: RowDeployment,
) -> None:
    def change(_: Run) -> None:
        _delete(rows.deployment)
        rows.deployment.sandbox.arm(Fault("500", "GET", r"/segments/\d+$", times=None))

    changed = rows.while_sending(change)

    run = rows.run(person(1), person(2))

    assert changed
    assert set(codes(run)) == {"tagsNotChecked", "mergeFieldGone"}


def test_a_new_merge_field_that_mailchimp_does_not_list_yet_is_not_reported_as_deleted(
    rows: RowDeployment,
) -> None:
    choice = AttributeMapping("FirstName", "GIVEN", FieldToCreate("Given name"))
    rows.change(mapping=Mapping("EMail", attributes=(choice,)))
    rows.deployment.sandbox.set(fields_listed_after_seconds=60)

    run = rows.run(person(1), person(2))

    assert run.counts.created == 2
    assert "mergeFieldGone" not in codes(run)


@pytest.mark.parametrize("kind", ["500", "200-html"])
def test_a_run_whose_merge_fields_cannot_be_read_at_the_end_is_successful(
    kind: str, rows: RowDeployment
) -> None:
    fault = Fault(kind, "GET", "/merge-fields", times=None)
    changed = rows.while_sending(lambda _: rows.deployment.sandbox.arm(fault))

    run = rows.run(person(1), person(2))

    assert changed
    assert fault.affected
    assert run.status is RunStatus.SUCCESSFUL


def test_a_merge_field_that_was_lost_before_an_undo_is_not_reported_again(
    rows: RowDeployment,
) -> None:
    run = rows.run(person(1), person(2))
    _delete(rows.deployment)

    undo = rows.deployment.undo(run)

    assert "mergeFieldGone" not in codes(undo)


def _lost(run: Run) -> list[str]:
    return [found.values["tag"] for found in run.findings if found.code == "mergeFieldGone"]
