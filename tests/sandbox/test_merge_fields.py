"""Merge fields: their tags, their limit, and which values each type takes."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call, person

Subscribe = Callable[..., Any]


def make(call: Call, name: str, kind: str = "text", **more: Any) -> Any:
    return call("POST", "LIST/merge-fields", {"name": name, "type": kind} | more)


def test_a_new_audience_has_four_merge_fields(call: Call) -> None:
    fields = call("GET", "LIST/merge-fields").json()["merge_fields"]

    assert [(f["tag"], f["type"]) for f in fields] == [
        ("FNAME", "text"),
        ("LNAME", "text"),
        ("ADDRESS", "address"),
        ("PHONE", "phone"),
    ]


def test_fields_come_in_pages_of_ten(call: Call) -> None:
    for number in range(8):
        make(call, f"Field {number}")

    first = call("GET", "LIST/merge-fields").json()

    assert (len(first["merge_fields"]), first["total_items"]) == (10, 12)


@pytest.mark.parametrize(
    "tag", ["ELEVENCHARS", "WITH SPACE", "ÄÖ", "A-B", "EMAIL", "FNAME", "fname"]
)
def test_invalid_tags_are_refused(call: Call, tag: str) -> None:
    answer = make(call, "Field", tag=tag)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "tag")


def test_a_merge_tag_is_upper_case_or_generated(call: Call) -> None:
    assert make(call, "Tier", tag="tier_1").json()["tag"] == "TIER_1"
    assert make(call, "Something").json()["tag"] == "MMERGE6"


def test_the_number_of_fields_is_limited(
    call: Call, sandbox: Sandbox, audience: AudienceView
) -> None:
    sandbox.set(merge_field_limit=5)

    assert [make(call, name).status_code for name in ("fifth", "sixth")] == [200, 400]
    assert len(audience.merge_tags()) == 5


def test_a_choice_needs_choices_and_a_type_must_be_known(call: Call) -> None:
    assert make(call, "Tier", "dropdown").status_code == 400
    assert make(call, "Tier", "int").status_code == 400


def test_the_type_of_a_merge_field_never_changes(call: Call) -> None:
    made = make(call, "Points", "number").json()

    patched = call("PATCH", f"LIST/merge-fields/{made['merge_id']}", {"type": "text", "name": "P"})

    assert (patched.json()["type"], patched.json()["name"]) == ("number", "P")


def test_values_belong_to_their_field(
    call: Call, subscribe: Subscribe, audience: AudienceView
) -> None:
    made = make(call, "Tier", tag="TIER").json()
    subscribe(person("ada@example.com", merge_fields={"TIER": "Gold", "FNAME": "Ada"}))

    renamed = call("PATCH", f"LIST/merge-fields/{made['merge_id']}", {"tag": "LEVEL"})
    assert renamed.status_code == 200
    assert audience.members()["ada@example.com"].merge_fields == {"LEVEL": "Gold", "FNAME": "Ada"}

    call("DELETE", f"LIST/merge-fields/{made['merge_id']}")
    assert audience.members()["ada@example.com"].merge_fields == {"FNAME": "Ada"}


OK_ADDRESS = {"addr1": "1 Street", "city": "Seoul", "state": "-", "zip": "04524"}


@pytest.mark.parametrize(
    ("country", "stored"), [("KR", "KR"), ("Corea", "US"), ("대한민국", "US"), (None, "US")]
)
def test_an_address_with_an_unknown_country_is_stored_with_the_default_one(
    call: Call, audience: AudienceView, country: str | None, stored: str
) -> None:
    address = OK_ADDRESS | ({"country": country} if country else {})
    call(
        "PUT",
        "LIST/members/ada@example.com",
        {
            "email_address": "ada@example.com",
            "status_if_new": "subscribed",
            "merge_fields": {"ADDRESS": address},
        },
    )
    found = audience.members()["ada@example.com"].merge_fields["ADDRESS"]
    assert isinstance(found, dict)
    assert found["country"] == stored


@pytest.mark.parametrize(
    ("kind", "options", "taken", "refused"),
    [
        ("text", {}, ["x", "x" * 255, "김" * 85, 5], ["x" * 256, "김" * 86, True, None, [], {}]),
        ("number", {}, [5, "5", "-1.5", 0, 2.25], ["five", "1,000", True, None, "nan"]),
        (
            "date",
            {"date_format": "DD/MM/YYYY"},
            ["2026-02-28", "28/02/2026"],
            ["2026-02-30", "02/28/2026", "2026-02-28T10:00:00Z", "today"],
        ),
        ("birthday", {}, ["02/29", "12/31", "1/5"], ["31/12", "1990-12-31", "12/31/1990"]),
        ("phone", {"phone_format": "US"}, ["404-555-0101"], ["+82 2 555 0101"]),
        ("phone", {}, ["+82 2 555 0101"], [True]),
        ("url", {}, ["https://example.com/a?b=c"], ["example.com", "ftp://example.com"]),
        ("zip", {}, ["12345"], ["1234", "04524-1"]),
        ("dropdown", {"choices": ["Gold", "Silver"]}, ["Gold"], ["gold", "Bronze"]),
        ("address", {}, [OK_ADDRESS], ["1 Street, Seoul", OK_ADDRESS | {"city": ""}]),
    ],
)
def test_each_type_accepts_its_values_and_refuses_others(
    call: Call, subscribe: Subscribe, kind: str, options: Any, taken: Any, refused: Any
) -> None:
    make(call, "Field", kind, tag="FIELD", options=options)

    good = [person(f"g{n}@example.com", merge_fields={"FIELD": v}) for n, v in enumerate(taken)]
    bad = [person(f"b{n}@example.com", merge_fields={"FIELD": v}) for n, v in enumerate(refused)]
    answer = subscribe(*good, *bad)

    assert answer["total_created"] == len(taken)
    assert [e["email_address"] for e in answer["errors"]] == [p["email_address"] for p in bad]
    assert {e["field"] for e in answer["errors"]} == {"FIELD"}
    assert all(e["field_message"] for e in answer["errors"])


def test_an_empty_string_clears_any_field(subscribe: Subscribe, audience: AudienceView) -> None:
    subscribe(person("ada@example.com", merge_fields={"FNAME": "Ada", "ADDRESS": OK_ADDRESS}))
    subscribe(person("ada@example.com", merge_fields={"FNAME": "", "ADDRESS": ""}))

    assert audience.members()["ada@example.com"].merge_fields == {}


def test_required_fields_are_checked_unless_skipped(call: Call, subscribe: Subscribe) -> None:
    # A default is for campaigns, and does not import a contact.
    make(call, "Tier", tag="TIER", required=True, default_value="None")

    refused = subscribe(person("ada@example.com"))
    skipped = subscribe(person("ada@example.com"), query="?skip_merge_validation=true")
    still_checked = subscribe(
        person("bob@example.com", merge_fields={"ADDRESS": "text"}),
        query="?skip_merge_validation=true",
    )

    assert refused["errors"][0]["field"] == "TIER"
    assert skipped["total_created"] == 1
    assert still_checked["error_count"] == 1


def test_unknown_merge_tags_are_ignored_or_refused(
    subscribe: Subscribe, sandbox: Sandbox, audience: AudienceView
) -> None:
    ada = person("ada@example.com", merge_fields={"NOPE": "x", "FNAME": "Ada"})

    assert subscribe(ada)["error_count"] == 0
    assert audience.members()["ada@example.com"].merge_fields == {"FNAME": "Ada"}
    sandbox.set(unknown_merge_tags="refuse")
    assert subscribe(ada)["errors"][0]["field"] == "NOPE"


def test_a_too_long_text_can_be_truncated(
    subscribe: Subscribe, sandbox: Sandbox, audience: AudienceView
) -> None:
    sandbox.set(long_text="truncate")

    subscribe(person("ada@example.com", merge_fields={"FNAME": "김" * 100}))

    assert audience.members()["ada@example.com"].merge_fields == {"FNAME": "김" * 85}
