"""A preview has the outcomes of the run: by outcome, code and field, except Mailchimp's own refusals."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from shared.errors import NotFound
from shared.model.export import (
    AttributeMapping,
    Evidence,
    FieldToCreate,
    Mapping,
    OnAddressChange,
    OnWithdrawal,
    SegmentChoice,
)
from shared.model.finding import Finding
from shared.model.names import outcomes_table
from shared.model.run import Run
from shared.runs.outcomes import OutcomePage
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import Row, RowDeployment, person
from tests.planning.test_audience_size import SEEDS

ADDRESSES = ("", "n/a", "a@", "two@@example.com", "한글@example.com", "x" * 70 + "@example.com")
VALUES = {
    "Score": ("1", "2.5", "many", "", "1e999", "１２"),
    "Born": ("1980-05-06", "06/05/1980", "never", "", "2023-02-30"),
    "Phone": ("+82 2 123 4567", "no phone", ""),
    "City": ("Seoul", "=1+1", "x" * 400, "", "\x00\x07", "🙂" * 90),
}


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), ("CustomerId", "EMail", "FirstName", "Consent", *VALUES))
    types = (("Score", "number"), ("Born", "date"), ("City", "text"))
    made.define(
        mapping=Mapping(
            "EMail",
            "FirstName",
            attributes=(
                *(
                    AttributeMapping(name, name.upper(), FieldToCreate(name, t))
                    for name, t in types
                ),
                AttributeMapping("Phone", "PHONE"),
            ),
        )
    )
    return made


def hostile(dice: random.Random) -> list[Row]:
    """People with unusable addresses and values, shared addresses, and no consent."""
    found = []
    for number in range(40):
        address = f"p{dice.randrange(60)}@example.com"
        if dice.random() < 0.2:
            address = dice.choice(ADDRESSES)
        values = {name: dice.choice(choices) for name, choices in VALUES.items()}
        found.append(
            {
                "CustomerId": str(number),
                "EMail": address,
                "FirstName": dice.choice(["Ada", "", "x" * 300]),
                "Consent": dice.choice(["yes", "yes", "no", ""]),
                **values,
            }
        )
    return found


def outcomes(rows: RowDeployment, run: Run) -> Counter[tuple[object, ...]]:
    table = rows.deployment.store.blobs[outcomes_table(run.id)]
    return Counter(rows.deployment._table(table, "outcome, code, field"))


def dropped(run: Run) -> list[Finding]:
    return [finding for finding in run.findings if finding.code == "valuesDropped"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_preview_has_the_outcomes_of_the_run(rows: RowDeployment, seed: int) -> None:
    dice = random.Random(seed)
    audience = rows.deployment.audience
    for number in range(10):
        status = dice.choice(["unsubscribed", "cleaned", "archived", "subscribed"])
        audience.add(f"p{number}@example.com", status=status)
    calls = rows.deployment.sandbox.calls
    for _ in range(2):
        segment = hostile(dice)
        writes = calls.count("POST")
        preview = rows.preview(*segment)
        assert calls.count("POST") == writes

        run = rows.run(*segment)

        assert run.counts.created + run.counts.updated
        assert outcomes(rows, preview) == outcomes(rows, run)
        assert dropped(preview) == dropped(run)


def test_sample_people_of_a_preview_are_as_the_run_leaves_them(rows: RowDeployment) -> None:
    def people(count: int, **values: str) -> list[Row]:
        return [person(n, **values) for n in range(count)]

    app, audience = rows.deployment.app, rows.deployment.audience
    rows.run(*people(12, City="Seoul"))
    audience.add("p3@example.com", tags=["By hand"], merge_fields={"LNAME": "Kept"})
    segment = [person(n, City="Busan" if n < 8 else "Seoul") for n in range(3, 30)]
    preview = rows.preview(*segment)

    samples = app.outcomes.samples(preview.id)
    rows.run(*segment)

    assert Counter(sample.kind for sample in samples).keys() == {"new", "changed", "leaving"}
    assert len(samples) == 20
    members = audience.members()
    for sample in samples:
        member = members[sample.address]
        assert set(sample.tags_after) == member.tags
        assert sample.status_after == member.status
        after = {field.tag: field.after for field in sample.fields if field.after}
        assert after == member.merge_fields
        assert (sample.status == "") == (sample.kind == "new")
    assert next(s for s in samples if s.address == "p0@example.com").tags_after == ()


def test_the_difference_of_a_preview_has_old_and_new_values_of_everyone_who_changes(
    rows: RowDeployment,
) -> None:
    app, audience = rows.deployment.app, rows.deployment.audience
    rows.run(*(person(n, City="Seoul", Score="1") for n in range(4)))
    segment = [person(0), person(2, City="Busan", Score="many"), person(3, City="Seoul", Score="1")]
    segment.append(person(9, City="=1+1"))
    preview = rows.preview(*segment)

    fields, found = app.differences.read(preview.id)
    people = {one.email.partition("@")[0]: one for one in found}
    values = {name: dict(zip(fields, one.fields, strict=True)) for name, one in people.items()}
    run = rows.run(*segment)

    assert run.counts.unchanged == 1
    assert {name: one.kind for name, one in people.items()} == {
        "p0": "changed",
        "p1": "leaving",
        "p2": "changed",
        "p9": "new",
    }
    assert values["p0"]["CITY"] == ("Seoul", "")
    assert values["p2"]["CITY"] == ("Seoul", "Busan")
    assert values["p2"]["SCORE"] == ("1", "1"), "a value that does not fit leaves the field alone"
    assert values["p9"]["CITY"] == ("", "=1+1")
    assert (people["p1"].tags_before, people["p1"].tags_after) == (("People",), ())
    assert (people["p9"].tags_before, people["p9"].tags_after) == ((), ("People",))
    for address, contact in audience.members().items():
        name = address.partition("@")[0]
        if name in people:
            assert set(people[name].tags_after) == contact.tags
            after = {tag: new for tag, (_, new) in values[name].items() if new}
            assert after == {tag: str(value) for tag, value in contact.merge_fields.items()}
    app.eraser.erase("p2@example.com", False, "Kim")
    with pytest.raises(NotFound):
        app.differences.read(preview.id)


def test_a_preview_works_while_there_are_erased_people(rows: RowDeployment) -> None:
    rows.deployment.app.eraser.erase("p1@example.com", False, "Kim")

    run = rows.preview(person(0), person(1))

    assert run.reason is None
    assert run.counts.new == 1
    assert rows.outcomes(run) == {"p0@example.com": ("created", None), None: ("kept", "erased")}


def test_sample_people_whose_contact_changes_have_their_status_and_evidence_after_the_run(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment(), ("CustomerId", "EMail", "FirstName", "Consent", "From"))
    rows.define(
        mapping=Mapping("EMail", "FirstName", evidence=Evidence(ip_opt="From")),
        on_withdrawal=OnWithdrawal.UNSUBSCRIBE,
        on_address_change=OnAddressChange.ARCHIVE,
    )
    first = {"From": "203.0.113.1"}
    rows.run(*(person(n, **first) for n in range(8)))
    moved = person(0, EMail="new0@example.com", **first)
    rows.run(moved, *(person(n, **first) for n in range(1, 8)))
    segment = [moved, person(1, "no"), person(2, From="203.0.113.2")]
    segment += [person(n, **first) for n in range(3, 8)]
    app = rows.deployment.app
    preview = rows.preview(*segment)

    samples = {sample.address: sample for sample in app.outcomes.samples(preview.id)}
    rows.run(*segment)

    assert samples.keys() == {f"p{n}@example.com" for n in (0, 1, 2)}
    assert [samples[f"p{n}@example.com"].status_after for n in range(3)] == [
        "archived",
        "unsubscribed",
        "subscribed",
    ]
    assert [rows.status(n) for n in range(3)] == ["archived", "unsubscribed", "subscribed"]
    changed = {f.tag: (f.now, f.after) for f in samples["p2@example.com"].fields}
    assert changed["ip_opt"] == ("203.0.113.1", "203.0.113.2")


def test_people_who_are_sent_and_lose_a_tag_are_not_shown_as_leaving(rows: RowDeployment) -> None:
    rows.define(segments=(SegmentChoice("People"), SegmentChoice("Vip")))
    people = [person(n) for n in range(60)]
    rows.run(*people, Vip=people)
    changed = [person(n, FirstName="New") for n in range(60)]
    app = rows.deployment.app
    preview = rows.preview(*changed, Vip=[])

    samples = app.outcomes.samples(preview.id)

    assert {sample.kind for sample in samples} == {"changed"}
    assert {sample.tags_after for sample in samples} == {("People",)}
    page = app.outcomes.page(preview.id, "updated", "", "", 50, 20)
    assert (len(page.rows), page.total) == (10, 60)
    assert app.outcomes.page(preview.id, "updated", "", "", 100, 20) == OutcomePage((), 60)
    assert app.outcomes.page(preview.id, "rejected", "", "", 0, 20) == OutcomePage((), 0)


def test_a_preview_shows_that_people_lose_a_tag_that_the_export_has_no_more(
    rows: RowDeployment,
) -> None:
    rows.run(person(0), person(1))
    rows.change(segments=(SegmentChoice("People", "Customers"),))
    app = rows.deployment.app
    preview = rows.preview(person(0))

    expected = {
        "p0@example.com": (("People",), ("Customers",)),
        "p1@example.com": (("People",), ()),
    }
    samples = app.outcomes.samples(preview.id)
    assert {one.address: (one.tags, one.tags_after) for one in samples} == expected
    _, differences = app.differences.read(preview.id)
    assert {one.email: (one.tags_before, one.tags_after) for one in differences} == expected
    rows.run(person(0))
    contacts = rows.deployment.audience.members()
    assert {address: tuple(one.tags) for address, one in contacts.items()} == {
        address: after for address, (_, after) in expected.items()
    }


def test_a_preview_has_the_people_without_a_required_value_and_later_runs_name_the_field(
    rows: RowDeployment,
) -> None:
    audience = rows.deployment.audience
    (field,) = [f for f in audience.state.merge_fields.values() if f.tag == "FNAME"]
    field.required = True
    audience.add("p3@example.com", merge_fields={"FNAME": "Ada"})
    segment = [person(n, FirstName="" if n else "Ada") for n in range(4)]

    preview = rows.preview(*segment)
    first, second = rows.run(*segment), rows.run(*segment)

    refused = ("rejected", "fieldRequired", "FNAME")
    assert outcomes(rows, first)[refused] == first.counts.rejected == 2
    assert outcomes(rows, second)[refused] == 2
    assert outcomes(rows, preview)[refused] == preview.counts.rejected
    found = [f.values for f in preview.findings if f.code == "requiredValuesMissing"]
    assert found == [{"field": "FNAME", "people": str(preview.counts.rejected)}]


def test_a_required_field_that_cannot_be_emptied_is_reported(rows: RowDeployment) -> None:
    rows.run(person(0), person(1))
    (field,) = [f for f in rows.deployment.audience.state.merge_fields.values() if f.tag == "FNAME"]
    field.required = True
    segment = [person(0, FirstName=""), person(1)]

    emptied, again = rows.run(*segment), rows.run(*segment)

    assert rows.values(0)["FNAME"] == "P0"
    assert rows.outcomes(emptied)["p0@example.com"] == ("updated", "valueDropped")
    assert rows.outcomes(again)["p0@example.com"] == ("unchanged", "valueDropped")
