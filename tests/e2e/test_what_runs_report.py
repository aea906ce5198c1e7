"""A run that sent nothing because of refusals fails, known rejects cause no warning, and values that do not fit are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import wrap
from sandbox.mailchimp.state import MergeField
from tests.e2e.running_app import ExportScenario

COLUMNS = ("CustomerId", "EMail", "LastName", "Points", "Note")
POINTS = {
    "attribute": "Points",
    "mergeField": "POINTS",
    "create": {"name": "Points", "type": "number"},
}
NOTE = {"attribute": "Note", "mergeField": "NOTE", "create": {"name": "Note", "type": "text"}}


def row(
    number: int, email: str | None = None, points: str = "1", note: str = "n"
) -> tuple[str, ...]:
    address = f"w{number}@example.com" if email is None else email
    return (str(number), address, f"Name{number}", points, note)


def refreshed(scenario: ExportScenario, *rows: tuple[str, ...]) -> str:
    name = scenario.named("Reported")
    scenario.refresh_table({name: wrap.Table(COLUMNS, rows)})
    return name


def defined(scenario: ExportScenario, *rows: tuple[str, ...], **more: Any) -> None:
    mapping = {"email": "EMail", "lastName": "LastName", "attributes": [POINTS, NOTE]}
    scenario.define([refreshed(scenario, *rows)], **{"mapping": mapping, **more})


def findings(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in run["findings"]}


def test_a_run_whose_people_are_all_refused_fails_with_the_reason(
    scenario: ExportScenario,
) -> None:
    people = [row(n) for n in range(10)]
    defined(scenario, *people)
    for _, email, *_ in people:
        scenario.audience.add(email)
        scenario.audience.forget(email)

    for _ in range(2):  # also when the refusals are remembered and nothing is sent
        run = scenario.run()
        assert run["status"] == "failed"
        assert run["reason"]["code"] == "allRefused"
        assert run["reason"]["message"] == (
            "Mailchimp refused all 10 people. Nothing was sent. The most frequent reason: The person was permanently "
            "deleted from the audience and cannot be added again by an export. Check the rejected rows for what to correct."
        )
        korean = {"Accept-Language": "ko"}
        shown = scenario.api.call("GET", f"/api/runs/{run['id']}", headers=korean).json()
        assert "가장 많은 이유: 이 사람은 대상 그룹에서 영구히" in shown["reason"]["message"]
        assert run["counts"]["rejected"] == 10
        assert {line["code"] for line in scenario.outcomes(run)} == {"forgotten"}


def test_an_attribute_without_addresses_fails_the_run_and_takes_no_tag(
    scenario: ExportScenario,
) -> None:
    defined(scenario, row(1), row(2))
    scenario.run()
    mapping = {"email": "LastName"}
    body = {key: scenario.export[key] for key in (
        "displayName", "connectionId", "audienceId", "segments", "schedule",
    )}  # fmt: skip
    path = f"/api/exports/{scenario.export['id']}"
    scenario.api.call("PUT", path, {**body, "mapping": mapping, "removalGuard": {"maxShare": 1}})

    for mode in ("preview", "export"):
        run = scenario.run(mode)
        assert run["status"] == "failed"
        assert run["reason"]["code"] == "noAddresses"
        assert "LastName" in run["reason"]["message"]
    assert {line["code"] for line in scenario.outcomes(run)} == {"addressMalformed"}
    assert scenario.audience.tags() == {scenario.named("Reported"): 2}


def test_a_first_run_without_a_usable_address_creates_nothing_in_mailchimp(
    scenario: ExportScenario,
) -> None:
    def fields() -> set[str]:
        return {one.tag for one in scenario.audience.state.merge_fields.values()}

    before = fields()
    defined(scenario, row(1, ""), row(2, "nobody"))

    run = scenario.run()

    assert (run["status"], run["reason"]["code"]) == ("failed", "noAddresses")
    assert findings(run).keys() == set()
    assert run["calls"]["write"] == 0
    assert scenario.audience.tags() == {}
    assert fields() == before
    refreshed(scenario, row(1), row(2, "nobody"))
    assert scenario.run()["counts"]["created"] == 1
    assert scenario.audience.tags() == {scenario.named("Reported"): 1}


def test_a_segment_of_unreadable_rows_fails_the_run_and_takes_no_tag(
    scenario: ExportScenario,
) -> None:
    defined(scenario, row(1), row(2), row(3))
    scenario.run()
    before = scenario.audience.tags()
    refreshed(scenario, *[(*row(n), "one cell too many") for n in (1, 2, 3)])

    for mode in ("preview", "export", "full"):
        run = scenario.run(mode)
        assert (run["status"], run["reason"]["code"]) == ("failed", "noReadableRows")
        assert "3 rows" in run["reason"]["message"]
        (unreadable,) = (f for f in run["findings"] if f["code"] == "rowsUnreadable")
        assert "The row has more columns than the segment." in unreadable["message"]
        assert ".csv" in unreadable["message"]
        assert run["counts"]["rejected"] == 3
        assert run["calls"]["write"] == 0
    assert {line["code"] for line in scenario.outcomes(run)} == {"rowTooManyColumns"}
    assert scenario.audience.tags() == before


def test_rows_rejected_before_cause_no_warning_and_new_ones_do(
    scenario: ExportScenario,
) -> None:
    bad = [row(7, ""), row(8, "nobody"), row(8, "nobody")]
    defined(scenario, row(1), *bad)
    assert scenario.run()["status"] == "completedWithWarnings"

    refreshed(scenario, *bad, row(1, points="2"))
    same = scenario.run()
    refreshed(scenario, *bad, row(8, "nobody"), row(1, points="3"))
    more = scenario.run()

    assert same["status"] == "successful"
    assert same["counts"]["rejected"] == 3
    assert findings(same)["rejectedBefore"]["message"].startswith("3 rows")
    assert more["status"] == "completedWithWarnings"


def test_values_that_do_not_fit_a_field_are_a_warning_in_every_run(
    scenario: ExportScenario,
) -> None:
    people = [row(n, points="many") for n in range(3)]
    defined(scenario, *people, row(4, points="5"))

    preview, first, second = scenario.run("preview"), scenario.run(), scenario.run()

    for run in (preview, first, second):
        found = findings(run)["valuesDropped"]
        assert found["severity"] == "warning"
        assert "3 of 4" in found["message"]
        assert "POINTS" in found["message"]
        assert "A number has up to 15 digits" in found["message"]
        assert run["status"] == "completedWithWarnings"
    assert second["counts"]["unchanged"] == 4
    lines = {
        line["customerId"]: (line["code"], line["field"]) for line in scenario.outcomes(second)
    }
    assert lines == {str(n): ("valueDropped", "POINTS") for n in range(3)} | {"4": ("", "")}
    refreshed(scenario, *[row(n) for n in range(3)], row(4, points="5"))
    assert "valuesDropped" not in findings(scenario.run())


def test_segments_without_members_are_named(scenario: ExportScenario) -> None:
    full, empty, useless = (scenario.named(name) for name in ("Full", "Empty", "Useless"))
    no_rows = wrap.Table(COLUMNS, ())
    tables = {full: no_rows, empty: no_rows, useless: wrap.Table(COLUMNS, (row(9, "nobody"),))}
    scenario.refresh_table(tables)
    scenario.define([full, empty], mapping={"email": "EMail"})

    first = scenario.run()

    assert first["status"] == "successful"
    assert f": {full}, {empty}." in findings(first)["segmentsEmpty"]["message"]
    page = scenario.api.call("GET", f"/runs/{first['id']}").text
    assert "The segments have no members, so nothing was sent." in page

    scenario.refresh_table({**tables, full: wrap.Table(COLUMNS, (row(1),))})
    scenario.define(
        [{"name": name, "tag": f"{name} 2"} for name in (full, empty, useless)],
        mapping={"email": "EMail"},
    )
    for run in (scenario.run("preview"), scenario.run(), scenario.run()):
        # A row that cannot be sent is a member as well.
        assert f": {empty}." in findings(run)["segmentsEmpty"]["message"]


def test_a_run_says_how_many_people_mailchimp_asks_to_confirm(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    scenario = new_scenario(double_optin=True)
    defined(scenario, row(1), row(2))

    preview, run, again = scenario.run("preview"), scenario.run(), scenario.run()

    for found in (findings(preview), findings(run)):
        assert found["confirmationsByMail"]["message"].startswith(
            "Mailchimp asks 2 new contacts by email to confirm the subscription."
        )
    assert set(scenario.audience.statuses()) >= {"pending"}
    assert "confirmationsByMail" not in findings(again)


def test_empty_values_of_a_required_field_are_told_from_values_that_do_not_fit(
    scenario: ExportScenario,
) -> None:
    fields = scenario.audience.state.merge_fields
    fields[90] = MergeField(90, "POINTS", "Points", "number", required=True)
    defined(scenario, *[row(n, points=str(n)) for n in range(5)])
    assert scenario.run()["status"] == "successful"

    refreshed(scenario, row(0, points="many"), *[row(n, points="") for n in (1, 2)], row(3), row(4))
    for _ in range(2):  # also when nothing changes
        found = findings(scenario.run())["valuesDropped"]
        assert found["severity"] == "warning"
        assert found["message"].startswith("3 of 5 values do not fit the merge field POINTS")
        assert "A number has up to 15 digits" in found["message"]
        assert "The field is required and cannot be emptied." in found["message"]


def test_a_value_that_was_cut_is_sent(scenario: ExportScenario) -> None:
    defined(scenario, row(1, note="x" * 300), row(2, note="가" * 86), row(3))

    preview, run = scenario.run("preview"), scenario.run()

    for found in (findings(preview)["valuesCut"], findings(run)["valuesCut"]):
        assert found["severity"] == "info"
        assert found["message"] == (
            "2 values of the merge field NOTE are longer than 255 bytes, so only the beginning was sent."
        )
    assert run["status"] == "successful"
    assert "valuesCut" not in findings(scenario.run())
    line, other, _ = sorted(scenario.outcomes(run), key=lambda each: each["customerId"])
    assert (line["outcome"], line["code"], line["field"]) == ("created", "valueCut", "NOTE")
    assert other["code"] == "valueCut"
    members = scenario.audience.members()
    assert members["w1@example.com"].merge_fields["NOTE"] == "x" * 255
    assert members["w2@example.com"].merge_fields["NOTE"] == "가" * 85


def test_two_exports_that_write_one_field_report_it(scenario: ExportScenario) -> None:
    defined(scenario, row(1))
    first = scenario.run()
    other = {"email": "EMail", "lastName": "EMail", "attributes": [POINTS]}
    scenario.define(
        [{"name": scenario.named("Reported"), "tag": "Other"}], mapping=other, displayName="Second"
    )

    second = scenario.run()

    assert "fieldSharedWithExport" not in findings(first)
    assert "LNAME" in findings(second)["fieldSharedWithExport"]["message"]
    assert "POINTS" not in findings(second)["fieldSharedWithExport"]["message"]
