"""Consent belongs to people and addresses: from the files of a segment to the audience and the outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox import wrap
from tests.e2e.running_app import ExportScenario, codes

COLUMNS = ("CustomerId", "EMail", "FirstName", "City", "Consent")
MAPPING = {
    "email": "EMail",
    "firstName": "FirstName",
    "attributes": [
        {"attribute": "City", "mergeField": "CITY", "create": {"name": "City", "type": "text"}}
    ],
}
Row = tuple[str, str, str, str, str]


def row(number: int, consent: str = "yes", **values: str) -> Row:
    name = values.get("name", f"p{number}")
    email = values.get("email", f"p{number}@example.com")
    return (str(number), email, name, values.get("city", ""), consent)


class Group:
    """A scenario with one or two segments of the columns above."""

    def __init__(self, scenario: ExportScenario, **more: Any) -> None:
        self.scenario = scenario
        self.names = [scenario.named("People"), scenario.named("More")]
        self.more: dict[str, Any] = {"newContacts": {"consentAttribute": "Consent"}, **more}

    def run(self, *segments: Sequence[Sequence[str]], mode: str = "export") -> dict[str, Any]:
        """Customer Insights writes the segments, and the export runs."""
        names = self.names[: len(segments)]
        self.scenario.refresh_table(
            {
                name: wrap.Table(COLUMNS, tuple(map(tuple, rows)))
                for name, rows in zip(names, segments, strict=True)
            }
        )
        if not self.scenario.export:
            self.scenario.define(names, mapping=MAPPING, **self.more)
        elif [one["name"] for one in self.scenario.export["segments"]] != names:
            self.change(segments=[{"name": name} for name in names])
        return self.scenario.run(mode)

    def change(self, **more: Any) -> None:
        """Edit the export."""
        scenario = self.scenario
        given = {key: scenario.export[key] for key in (
            "displayName", "connectionId", "audienceId", "mapping", "segments", "newContacts",
            "schedule",
        )}  # fmt: skip
        scenario.export = scenario.api.call(
            "PUT", f"/api/exports/{scenario.export['id']}", {**given, **more}
        ).json()

    def outcomes(self, run: dict[str, Any]) -> dict[str, tuple[str, str]]:
        return {
            line["customerId"]: (line["outcome"], line["code"])
            for line in self.scenario.outcomes(run)
        }

    def person(self, number: int) -> Any:
        return self.scenario.audience.members().get(f"p{number}@example.com")


def test_a_withdrawal_removes_the_tags_and_stops_the_data_in_the_run_that_sees_it(
    scenario: ExportScenario,
) -> None:
    group = Group(scenario, leavers="keepTag")
    group.run([row(n) for n in range(4)])
    # 2 of 4 withdraw, which the removal guard would hold; one has a new name, one a new address.
    later = [row(0, "no"), row(1, "no", name="new"), row(2, "no", email="new2@example.com"), row(3)]

    run = group.run(later)

    assert run["status"] == "successful"
    assert group.outcomes(run) | {"2": ""} == {
        "0": ("kept", "consentWithdrawn"),
        "1": ("kept", "consentWithdrawn"),
        "2": "",
        "3": ("unchanged", ""),
    }
    assert [group.person(n).tags for n in range(3)] == [frozenset()] * 3
    assert group.person(3).tags == {group.names[0]}
    assert group.person(1).merge_fields["FNAME"] == "p1"
    assert "new2@example.com" not in scenario.audience.members()
    assert run["counts"]["removed"] == 3
    assert "consentWithdrawn" in codes(run)

    again = group.run(later, mode="full")
    assert again["counts"]["removed"] == again["counts"]["updated"] - 1 == 0
    assert group.run([row(n) for n in range(4)])["counts"]["updated"] == 3
    assert group.person(0).tags == {group.names[0]}


def test_a_decision_under_one_address_applies_to_the_next_address(
    scenario: ExportScenario,
) -> None:
    group = Group(scenario)
    group.run([row(n) for n in range(4)])
    scenario.audience.unsubscribe("p0@example.com")
    scenario.audience.add("p1@example.com", status="cleaned")
    moved = [row(n, email=f"q{n}@example.com") for n in range(3)]

    run = group.run([*moved, row(3)])
    if run["status"] == "awaitingConfirmation":
        run = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/confirm"))

    found = group.outcomes(run)
    assert found["0"] == ("kept", "unsubscribed")
    assert "q0@example.com" not in scenario.audience.members()
    # A bounced address may be replaced, and so may one that still works.
    assert scenario.audience.members()["q1@example.com"].status == "subscribed"
    assert scenario.audience.members()["q2@example.com"].tags == {group.names[0]}
    assert group.person(2).tags == frozenset()
    assert "addressChanged" in codes(run)
    # Remembered, although the address is not in the source any more.
    assert group.outcomes(group.run([row(0, email="r0@example.com"), *moved[1:], row(3)]))["0"] == (
        "kept", "unsubscribed",
    )  # fmt: skip


def test_a_no_of_one_profile_applies_to_a_shared_address_and_the_outcome_names_the_chosen_profile(
    scenario: ExportScenario,
) -> None:
    group = Group(scenario)
    shared = [row(1, email="a@example.com"), row(2, "no", email="A@example.com")]
    both = [row(3, email="b@example.com"), row(4, email="b@example.com")]
    # Person 5 says no in another row, under another address.
    split = [row(5, email="c@example.com"), row(6, email="c@example.com")]

    run = group.run([*shared, *both, *split], [row(5, "no", email="d@example.com")])

    assert group.outcomes(run) == {
        "1": ("kept", "noConsent"),
        "2": ("kept", "noConsent"),
        "3": ("created", ""),
        "4": ("created", "sharedAddress"),
        "5": ("kept", "noConsent"),
        "6": ("kept", "noConsent"),
    }
    assert scenario.audience.members().keys() == {"b@example.com"}
    reasons = {line["customerId"]: line["reason"] for line in scenario.outcomes(run)}
    for loser, winner in (("2", "1"), ("4", "3"), ("6", "5")):
        assert reasons[loser].endswith(f"The other profile is {winner}.")
    assert "other profile" not in reasons["3"] + reasons["1"] + reasons["5"]


def test_a_consent_attribute_that_forbids_email_is_inverted(scenario: ExportScenario) -> None:
    meaning = {"consentAttribute": "Consent", "consentMeaning": "yesMustNotBeMailed"}
    group = Group(scenario, newContacts=meaning)

    run = group.run([row(1, "True"), row(2, "False"), row(3, ""), row(4, "maybe")])

    assert {key: outcome for key, (outcome, _) in group.outcomes(run).items()} == {
        "1": "kept", "2": "created", "3": "created", "4": "kept",
    }  # fmt: skip
    assert "consentMeaningDoubtful" in codes(run)


def test_transactional_people_of_the_export_are_updated_and_stay_transactional(
    scenario: ExportScenario,
) -> None:
    group = Group(scenario, newContacts={"status": "transactional"})
    scenario.audience.add("p2@example.com", status="transactional")
    group.run([row(1), row(2)])

    group.change(newContacts={"status": "subscribed"})
    run = group.run([row(1, name="Ada"), row(2)], [row(1, name="Ada")])

    assert group.person(1).status == "transactional"
    assert group.person(1).merge_fields["FNAME"] == "Ada"
    assert group.person(1).tags == set(group.names)
    assert group.outcomes(run) == {"1": ("updated", ""), "2": ("kept", "transactional")}
    assert "statusNotReached" in codes(run)
    assert "tagCountDiffers" not in codes(run)


def test_people_archived_by_an_undo_are_added_again_only_on_request(
    scenario: ExportScenario,
) -> None:
    group = Group(scenario)
    people = [row(1), row(2)]
    scenario.audience.add("p3@example.com", status="archived")
    created = group.run([*people, row(3)])
    undo = scenario.api.post(f"/api/runs/{created['id']}/undo", {"archiveCreated": True})
    scenario.wait(undo)
    assert scenario.audience.statuses() == {"archived": 3}

    again = group.run([*people, row(3)])
    assert again["counts"]["kept"] == 3
    assert again["status"] == "completedWithWarnings"
    assert {"archivedByUndo", "segmentReachesNoOne"} <= set(codes(again))

    started = scenario.api.post(f"/api/exports/{scenario.export['id']}/runs", {"addArchived": True})
    run = scenario.wait(started)
    assert scenario.audience.statuses() == {"subscribed": 2, "archived": 1}
    assert run["counts"]["created"] == 2
    assert not {"archivedByUndo", "tagCountDiffers"} & set(codes(run))
    assert group.run([*people, row(3)])["counts"]["unchanged"] == 2


def test_a_value_that_the_export_never_sent_is_never_emptied(scenario: ExportScenario) -> None:
    group = Group(scenario)
    group.run([row(1), row(2, city="Ulm"), row(3, city="Bonn")])
    scenario.audience.add("p1@example.com", merge_fields={"CITY": "typed by hand"})

    group.run([row(1), row(2), row(3, city="Bonn")], [row(1), row(2), row(3, city="Bonn")])
    full = group.scenario.run("full")

    assert full["counts"]["updated"] == 3
    assert group.person(1).merge_fields["CITY"] == "typed by hand"
    assert group.person(2).merge_fields.get("CITY", "") == ""
    assert group.person(3).merge_fields["CITY"] == "Bonn"


def test_a_row_that_cannot_be_read_takes_no_tag(scenario: ExportScenario) -> None:
    group = Group(scenario)
    group.run([row(n) for n in range(4)])
    broken = (*row(0), "one cell too many")

    run = group.run([broken, row(1), row(2), (*row(3)[:1], "not an address", *row(3)[2:])])

    assert [group.person(n).tags for n in range(4)] == [{group.names[0]}] * 4
    assert run["counts"]["removed"] == 0
    assert "tagsKeptForUnreadableRows" in codes(run)
    assert group.run([row(1), row(2), row(3)])["counts"]["removed"] == 1
