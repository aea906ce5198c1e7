"""The audience after an export matches the rows exactly, and every row has one outcome."""

from collections import Counter
from pathlib import Path

import pytest

from sandbox import samples, wrap
from sandbox.samples import Flaws, Sample
from tests.e2e.running_app import (
    CHANGE_TAG,
    SUBSCRIBE,
    ContactState,
    ExportScenario,
    actual_audience,
    contact_state,
    every_row_has_one_outcome,
    expected_audience,
    writes,
)

FLAWS = Flaws(missing=0.01, malformed=0.01, short=0.004, long=0.004, untidy=0.05, shared=0.05)
LOYALTY = Path(__file__).parents[3] / "shared" / "samples" / "Customer-Loyalty.txt"


def repeated(sample: Sample) -> int:
    """Rows of readable profiles beyond their first: one for each further segment."""
    return sum(
        len(sample.member_of(number)) - 1
        for number in sample.numbers
        if sample.member_of(number) and sample.flaw(number) == samples.GOOD
    )


@pytest.mark.hosted
def test_the_audience_matches_the_rows_exactly(scenario: ExportScenario) -> None:
    sample = scenario.sample(1000, 0.3, 0.6, 0.2, flaws=FLAWS)
    scenario.refresh(sample)
    scenario.define(sample)

    first = scenario.run()

    totals = samples.totals(sample)
    counts = first["counts"]
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert first["status"] == "completedWithWarnings"  # some rows were rejected
    assert counts["sourceRows"] == totals.rows.total()
    assert counts["rejected"] == totals.rejected.total() > 0
    assert counts["distinct"] == counts["new"] == counts["created"] == totals.distinct
    assert counts["sharedAddress"] == totals.shared > 0
    assert every_row_has_one_outcome(first, repeated(sample))
    assert first["consentProof"] == {
        "kept": 0,
        "statusesChanged": 0,
        "unsubscribed": 0,
        "archived": 0,
    }
    assert {s["name"]: s["inMailchimp"] for s in first["segments"]} == totals.people
    assert {s["name"]: s["members"] for s in first["segments"]} == totals.people
    assert first["progress"]["percent"] == 100

    rows = scenario.outcomes(first)
    assert Counter(row["outcome"] for row in rows) == {
        "created": totals.distinct + totals.shared,
        "rejected": totals.rejected.total(),
    }
    winners = [row["email"] for row in rows if not row["code"]]
    assert len(winners) == len(set(winners)) == totals.distinct
    assert sum(row["code"] == "sharedAddress" for row in rows) == totals.shared

    with scenario.calls() as calls:
        second = scenario.run()
    assert writes(calls) == {}
    assert second["calls"]["write"] == 0
    assert second["counts"]["unchanged"] == totals.distinct
    assert second["counts"]["created"] == second["counts"]["updated"] == 0
    assert every_row_has_one_outcome(second, repeated(sample))
    assert actual_audience(scenario.audience) == expected_audience(sample)


@pytest.mark.hosted
def test_a_refresh_sends_only_what_changed(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(400, 0.5, 0.7)
    scenario.run()
    later = sample.later(changed=0.02, arriving=40, leaving=30, moving=0.01)
    before, after = expected_audience(sample), expected_audience(later)
    gone = before.keys() - after.keys()
    new = after.keys() - before.keys()
    lost = {a: before[a].tags - (after[a].tags if a in after else frozenset()) for a in before}
    changed = {
        address
        for address in before.keys() & after.keys()
        if before[address].fields != after[address].fields
        or not after[address].tags <= before[address].tags
    }

    scenario.refresh(later)
    with scenario.calls() as calls:
        run = scenario.run()

    # A person who left keeps everything except the tag.
    stay = {a: contact_state("subscribed", dict(before[a].fields), ()) for a in gone}
    assert actual_audience(scenario.audience) == after | stay
    counts = run["counts"]
    assert counts["created"] == len(new)
    assert counts["updated"] == len(changed)
    assert counts["removed"] == counts["left"] == sum(bool(tags) for tags in lost.values())
    assert run["status"] == "successful"
    # One call for the new, one for the changed, one a tag for those who left it.
    assert writes(calls) == {SUBSCRIBE: 2, CHANGE_TAG: 2}
    assert run["calls"]["write"] == 4


def loyal(row: tuple[str, ...], tags: set[str]) -> ContactState:
    """The contact that must result from a row of Customer-Loyalty.txt."""
    fields: dict[str, object] = {"FNAME": row[2], "LNAME": row[3], "POINTS": int(row[9])}
    return contact_state("subscribed", fields, tags)


@pytest.mark.skipif(not LOYALTY.is_file(), reason="../shared/samples/Customer-Loyalty.txt missing")
def test_microsofts_sample_is_exported_and_then_only_its_changes(scenario: ExportScenario) -> None:
    name = scenario.named("Loyalty")
    whole = wrap.read(LOYALTY)
    table = wrap.Table(whole.columns, whole.rows[:1002])
    at = table.columns.index("EMail")
    scenario.refresh_table({name: table})
    scenario.define(
        [name],
        mapping={
            "email": "EMail",
            "firstName": "FirstName",
            "lastName": "LastName",
            "attributes": [
                {
                    "attribute": "RewardPoints",
                    "mergeField": "POINTS",
                    "create": {"name": "Points", "type": "number"},
                }
            ],
        },
    )
    with scenario.calls() as calls:
        first = scenario.run()
    assert actual_audience(scenario.audience) == {
        r[at].lower(): loyal(r, {name}) for r in table.rows
    }
    assert first["status"] == "successful"
    assert first["counts"]["sourceRows"] == first["counts"]["created"] == 1002
    assert every_row_has_one_outcome(first, 0)
    assert calls[SUBSCRIBE] == 11  # 1,002 people, 100 a call

    later = wrap.later(
        table, email="EMail", change="RewardPoints", key="LoyaltyId", changed=50 / (1002 - 50)
    )
    scenario.refresh_table({name: later})
    with scenario.calls() as calls:
        second = scenario.run()

    gone = {row[at].lower(): loyal(row, set()) for row in table.rows[:50]}
    there = {row[at].lower(): loyal(row, {name}) for row in later.rows}
    assert actual_audience(scenario.audience) == gone | there
    counts = second["counts"]
    assert (counts["new"], counts["changed"], counts["left"]) == (50, 50, 50)
    assert (counts["created"], counts["updated"], counts["removed"]) == (50, 50, 50)
    assert every_row_has_one_outcome(second, 0)
    assert writes(calls) == {SUBSCRIBE: 2, CHANGE_TAG: 1}

    with scenario.calls() as calls:
        third = scenario.run()
    assert writes(calls) == {}
    assert third["counts"]["unchanged"] == 1002


def test_a_preview_counts_and_writes_nothing(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(100, 0.5, 0.5)

    with scenario.calls() as calls:
        run = scenario.run("preview")

    assert writes(calls) == {}
    assert scenario.audience.members() == {}
    assert scenario.audience.tags() == {}
    assert run["status"] == "successful"
    assert run["counts"]["new"] == samples.totals(sample).distinct
    assert run["counts"]["created"] == 0

    after = scenario.run()
    assert after["counts"]["created"] == run["counts"]["new"]


def test_outcomes_contain_the_reason_and_neutralize_formulas(scenario: ExportScenario) -> None:
    name = scenario.named("Odd")
    rows = (
        ("=1+1", "=cmd@example.com", "fine"),
        ("id-2", "", "no address"),
        ("id-3", "not an address", "malformed"),
        ("id-4", "refused@example.com", "refused by Mailchimp"),
        ("id-5", "twin@example.com", "winner"),
        ("id-6", " TWIN@example.com ", "loser"),
    )
    scenario.running_app.sandbox.set(refused_addresses=["refused@example.com"])
    scenario.refresh_table({name: wrap.Table(("CustomerId", "EMail", "FirstName"), rows)})
    scenario.define([name], mapping={"email": "EMail", "firstName": "FirstName"})

    run = scenario.run()

    found = {row["customerId"]: row for row in scenario.outcomes(run)}
    assert {key: (row["outcome"], row["code"]) for key, row in found.items()} == {
        "'=1+1": ("created", ""),
        "id-2": ("rejected", "addressMissing"),
        "id-3": ("rejected", "addressMalformed"),
        "id-4": ("rejected", "addressRefused"),
        "id-5": ("created", ""),
        "id-6": ("created", "sharedAddress"),
    }
    assert found["'=1+1"]["email"] == "'=cmd@example.com"
    assert all(row["reason"] and row["action"] for row in found.values() if row["code"])
    rejected = scenario.outcomes(run, "rejected")
    assert sorted(row["customerId"] for row in rejected) == ["id-2", "id-3", "id-4"]
    assert scenario.audience.members().keys() == {"=cmd@example.com", "twin@example.com"}
    assert scenario.audience.member("twin@example.com").merge_fields == {"FNAME": "winner"}

    # A permanent refusal is remembered, and only a retry tries again.
    with scenario.calls() as calls:
        scenario.run()
    assert writes(calls) == {}
    scenario.running_app.sandbox.set(refused_addresses=[])
    retried = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/retry"))
    assert retried["trigger"] == "retry"
    assert retried["counts"]["created"] == 1
    assert "refused@example.com" in scenario.audience.members()
