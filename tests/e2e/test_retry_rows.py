"""A retry sends exactly the failed rows, regardless of changes since."""

from collections import Counter

from sandbox import wrap
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import (
    ExportScenario,
    actual_audience,
    codes,
    every_row_has_one_outcome,
    expected_audience,
    writes,
)
from tests.waiting import until

COLUMNS = ("CustomerId", "EMail", "FirstName")


def retry(scenario: ExportScenario, run: dict) -> dict:
    return scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/retry"))


def table(scenario: ExportScenario, *rows: tuple[str, str, str]) -> dict[str, wrap.Table]:
    return {scenario.named("A"): wrap.Table(COLUMNS, rows)}


def define(scenario: ExportScenario) -> None:
    scenario.define([scenario.named("A")], mapping={"email": "EMail", "firstName": "FirstName"})


def test_a_retry_leaves_changed_rows_to_the_next_run(scenario: ExportScenario) -> None:
    n = scenario.number
    bad, good, leaver = (f"{name}{n}@example.com" for name in ("bad", "good", "leaver"))
    scenario.running_app.sandbox.set(refused_addresses=[bad])
    scenario.refresh_table(
        table(scenario, ("1", bad, "B"), ("2", good, "G"), ("3", leaver, "L"), ("4", "no", "N"))
    )
    define(scenario)
    run = scenario.run()
    assert run["counts"]["rejected"] == 2
    scenario.running_app.sandbox.set(refused_addresses=[])
    new, put_right = f"new{n}@example.com", f"right{n}@example.com"
    scenario.refresh_table(
        table(
            scenario,
            ("1", bad, "B"),
            ("2", good, "Changed"),
            ("5", new, "N"),
            ("4", put_right, "N"),
        )
    )

    with scenario.calls() as calls:
        retried = retry(scenario, run)

    assert retried["retryOf"] == run["id"]
    assert retried["status"] == "successful"
    assert sum(writes(calls).values()) == 1
    there = scenario.audience.members()
    assert set(there) == {bad, good, leaver, put_right}
    assert there[good].merge_fields == {"FNAME": "G"}
    assert there[leaver].tags == {scenario.named("A")}
    assert codes(retried) == ["notRetried"]
    assert every_row_has_one_outcome(retried, 0)
    rows = {row["email"]: (row["outcome"], row["code"]) for row in scenario.outcomes(retried)}
    assert rows == {
        bad: ("created", ""),
        put_right: ("created", ""),
        good: ("notSent", "notRetried"),
        new: ("notSent", "notRetried"),
    }

    after = scenario.run()
    assert (after["counts"]["created"], after["counts"]["updated"]) == (1, 1)
    assert after["counts"]["removed"] == 1


def test_a_profile_that_shared_the_address_of_a_failed_person_is_a_new_person_under_its_own(
    scenario: ExportScenario,
) -> None:
    bad, own = f"bad{scenario.number}@example.com", f"own{scenario.number}@example.com"
    scenario.running_app.sandbox.set(refused_addresses=[bad])
    scenario.refresh_table(table(scenario, ("1", bad, "A"), ("2", bad, "B")))
    define(scenario)
    run = scenario.run()
    assert (run["counts"]["rejected"], run["counts"]["sharedAddress"]) == (1, 1)
    scenario.running_app.sandbox.set(refused_addresses=[])
    scenario.refresh_table(table(scenario, ("1", bad, "A"), ("2", own, "B")))

    retried = retry(scenario, run)

    assert set(scenario.audience.members()) == {bad}
    rows = {row["email"]: (row["outcome"], row["code"]) for row in scenario.outcomes(retried)}
    assert rows == {bad: ("created", ""), own: ("notSent", "notRetried")}
    assert scenario.run()["counts"]["created"] == 1


def test_permanently_refused_rows_are_retried_once_and_reported_again(
    scenario: ExportScenario,
) -> None:
    bad = f"bad{scenario.number}@example.com"
    scenario.running_app.sandbox.set(refused_addresses=[bad])
    scenario.refresh_table(
        table(scenario, ("1", bad, "B"), ("2", f"good{scenario.number}@x.com", "G"))
    )
    define(scenario)
    run = scenario.run()

    with scenario.calls() as calls:
        retried = retry(scenario, run)

    assert sum(writes(calls).values()) == 1
    assert retried["status"] == "completedWithWarnings"
    assert Counter((r["outcome"], r["code"]) for r in scenario.outcomes(retried)) == {
        ("rejected", "addressRefused"): 1,
        ("unchanged", ""): 1,
    }


def test_rows_that_failed_in_a_full_run_are_retried_although_nothing_changed(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(60)
    scenario.run()
    one = sorted(scenario.audience.members())[0]
    scenario.audience.add(one, merge_fields={"CITY": "By hand"})
    scenario.running_app.sandbox.arm(Fault("503-html", "POST", r"^/lists/\w+$", times=None))
    going = scenario.start("full")
    until(lambda: scenario.api.get(f"/api/runs/{going['id']}")["status"] == "sending")
    scenario.api.post(f"/api/runs/{going['id']}/cancel")
    run = scenario.wait(going)
    scenario.running_app.sandbox.disarm()
    assert (run["status"], run["counts"]["notSent"]) == ("canceled", 60)

    retried = retry(scenario, run)

    assert retried["status"] == "successful"
    assert retried["counts"]["updated"] == 60
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_a_retry_of_a_canceled_run_sends_exactly_the_rest(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(800)
    run = scenario.start_and_cancel()
    assert 0 < run["counts"]["created"] < 800
    scenario.refresh(sample.later(arriving=50))

    retried = retry(scenario, run)

    assert retried["counts"]["created"] == run["counts"]["notSent"]
    assert retried["counts"]["notSent"] == 50
    assert retried["counts"]["unchanged"] == run["counts"]["created"]
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_rows_sent_by_a_newer_run_are_not_sent_again(scenario: ExportScenario) -> None:
    bad = f"bad{scenario.number}@example.com"
    scenario.running_app.sandbox.set(refused_addresses=[bad])
    scenario.refresh_table(table(scenario, ("1", bad, "B")))
    define(scenario)
    run = scenario.run()
    scenario.running_app.sandbox.set(refused_addresses=[])
    scenario.refresh_table(table(scenario, ("1", bad, "Changed")))
    scenario.run()
    assert scenario.audience.members()[bad].merge_fields == {"FNAME": "Changed"}

    with scenario.calls() as calls:
        retried = retry(scenario, run)

    assert writes(calls) == {}
    assert retried["counts"]["unchanged"] == 1


def test_a_refresh_after_a_retry_starts_a_run(scenario: ExportScenario) -> None:
    bad = f"bad{scenario.number}@example.com"
    scenario.running_app.sandbox.set(refused_addresses=[bad])
    scenario.refresh_table(table(scenario, ("1", bad, "B")))
    define(scenario)
    run = scenario.run()
    scenario.running_app.sandbox.set(refused_addresses=[])
    scenario.refresh_table(
        table(scenario, ("1", bad, "B"), ("2", f"new{scenario.number}@x.com", "N"))
    )

    retry(scenario, run)

    ledger = scenario.running_app.parts.ledgers.read(scenario.export["id"])
    assert ledger is not None
    assert ledger.value.source_fingerprint == ""


def test_a_run_that_failed_before_reading_rows_is_retried_as_a_whole(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(10)
    scenario.define(sample)
    run = scenario.run()
    assert run["status"] == "failed"
    scenario.refresh(sample)

    retried = retry(scenario, run)

    assert retried["status"] == "successful"
    assert retried["counts"]["created"] == 10
