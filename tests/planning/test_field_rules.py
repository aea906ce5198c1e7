"""Rows are sent again when someone changes the merge fields in Mailchimp that they were refused for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import requests

from sandbox.mailchimp.state import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.run import Run, RunStatus
from shared.sending.run_checks import VALID_SECONDS
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import Row, RowDeployment, person

_MAPPING = Mapping(
    "EMail",
    "FirstName",
    attributes=(AttributeMapping("Size", "SIZE", FieldToCreate("Size", "dropdown")),),
)


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(
        new_deployment(), columns=("CustomerId", "EMail", "FirstName", "Consent", "Size")
    )
    made.define(mapping=_MAPPING)
    made.deployment.audience.state.merge_fields[90] = MergeField(
        90, "SIZE", "Size", "dropdown", options={"choices": ["Small"]}
    )
    return made


def field(rows: RowDeployment, tag: str) -> MergeField:
    fields = rows.deployment.audience.state.merge_fields.values()
    return next(one for one in fields if one.tag == tag)


def run_with_change(
    rows: RowDeployment, people: Sequence[Row], change: Callable[[], object]
) -> Run:
    """Run the export; `change` is called when the plan is made, and before the first person is sent."""
    rows.source.segments = {"People": list(people)}
    deployment = rows.deployment
    started = deployment.app.starter.start(EXPORT)
    deployment.plan(started.id)
    change()
    deployment.clock.forward(VALID_SECONDS)
    return deployment.run_to_end(started.id)


def rename(rows: RowDeployment, tag: str, new: str) -> None:
    sandbox, audience = rows.deployment.sandbox, rows.deployment.audience
    url = f"{sandbox.api_url}/lists/{audience.id}/merge-fields/{field(rows, tag).merge_id}"
    answer = requests.patch(url, json={"tag": new}, auth=("test", sandbox.api_key), timeout=30)
    answer.raise_for_status()


def test_rows_without_a_required_value_are_sent_when_the_field_is_optional_again(
    rows: RowDeployment,
) -> None:
    field(rows, "FNAME").required = True
    people = [person(1, FirstName=""), person(2, Size="Small")]
    refused = rows.run(*people)
    assert rows.outcomes(refused)["p1@example.com"] == ("rejected", "fieldRequired")
    assert not rows.run(*people).calls.write

    field(rows, "FNAME").required = False
    run = rows.run(*people)

    assert rows.outcomes(run) == {
        "p1@example.com": ("created", None),
        "p2@example.com": ("unchanged", None),
    }
    assert not rows.run(*people).calls.write


def test_values_that_were_no_choice_are_sent_when_someone_adds_the_choice(
    rows: RowDeployment,
) -> None:
    people = [person(1, Size="Large"), person(2, Size="Small")]
    dropped = rows.run(*people)
    assert rows.outcomes(dropped)["p1@example.com"] == ("created", "valueDropped")
    assert not rows.run(*people).calls.write

    field(rows, "SIZE").options["choices"] = ["Small", "Large"]
    run = rows.run(*people)

    assert rows.outcomes(run) == {
        "p1@example.com": ("updated", None),
        "p2@example.com": ("unchanged", None),
    }
    assert rows.values(1)["SIZE"] == "Large"
    assert not rows.run(*people).calls.write


def test_a_choice_that_is_removed_during_a_run_refuses_people_in_this_run_only(
    rows: RowDeployment,
) -> None:
    people = [person(1, Size="Small")]

    refused = run_with_change(
        rows, people, lambda: field(rows, "SIZE").options.update(choices=["Large"])
    )
    run = rows.run(*people)

    assert rows.outcomes(refused)["p1@example.com"] == ("rejected", "fieldRefused")
    assert rows.outcomes(run)["p1@example.com"] == ("created", "valueDropped")


def test_a_field_that_is_required_during_a_run_only_refuses_people_in_this_run_only(
    rows: RowDeployment,
) -> None:
    people = [person(1), person(2)]
    fields = rows.deployment.audience.state.merge_fields

    def add_required() -> None:
        fields[91] = MergeField(91, "STORE", "Store", "text", required=True)

    refused = run_with_change(rows, people, add_required)
    fails = rows.run(*people)
    del fields[91]
    run = rows.run(*people)

    assert set(rows.outcomes(refused).values()) == {("rejected", "fieldRequired")}
    assert fails.reason is not None
    assert fails.reason.code == "requiredFieldsUnmapped"
    assert set(rows.outcomes(run).values()) == {("created", None)}


def test_the_values_of_a_field_whose_tag_changes_during_a_run_arrive_with_the_next_run(
    rows: RowDeployment,
) -> None:
    people = [person(1, Size="Small"), person(2)]

    run_with_change(rows, people, lambda: rename(rows, "SIZE", "FIT"))
    assert "FIT" not in rows.values(1)
    rows.run(*people)

    assert rows.values(1)["FIT"] == "Small"
    assert not rows.run(*people).calls.write


@pytest.mark.parametrize(
    ("present", "warns"), [(27, False), (28, False), (29, True), (30, True), (31, False)]
)
def test_a_preview_warns_if_the_plan_may_not_allow_the_new_merge_fields(
    rows: RowDeployment, present: int, warns: bool
) -> None:
    rows.deployment.sandbox.set(merge_field_limit=80 if present > 30 else 29)
    fields = rows.deployment.audience.state.merge_fields
    for number in range(present - len(fields)):
        fields[100 + number] = MergeField(100 + number, f"F{number}", f"Field {number}", "text")
    create = AttributeMapping("Consent", "CONSENT", FieldToCreate("Consent", "text"))
    rows.define(mapping=Mapping("EMail", "FirstName", attributes=(create,)))

    preview, run = rows.preview(person(1)), rows.run(person(1))

    over = [one for one in preview.findings if one.code == "mergeFieldsOverLimit"]
    assert [one.values for one in over] == ([{"fields": str(present + 1)}] if warns else [])
    assert (run.status is RunStatus.FAILED) == warns
    if warns:
        assert run.reason is not None
        assert run.reason.code == "mergeFieldLimit"


def test_a_field_that_exists_with_another_type_is_used_and_reported(rows: RowDeployment) -> None:
    fields = rows.deployment.audience.state.merge_fields
    fields[91] = MergeField(91, "POINTS", "Points", "text")
    create = AttributeMapping("Size", "PTS", FieldToCreate("Points", "number"))
    rows.define(mapping=Mapping("EMail", "FirstName", attributes=(create,)))

    run = rows.run(person(1, Size="12"))

    found = [one.values for one in run.findings if one.code == "mergeFieldOtherType"]
    assert found == [{"tag": "POINTS", "found": "text", "type": "number"}]
    assert run.status is RunStatus.SUCCESSFUL
    assert rows.values(1)["POINTS"] == "12"
