"""Segments, the refresh schedule, people and the audit trail over HTTP."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.errors import Conflict, TimeUp, Unavailable
from shared.exports.definitions import Definitions
from shared.model.export import Schedule
from shared.model.finding import Reason
from shared.people.search import PersonInExport
from shared.segments.choosing.catalogue import SegmentInfo
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, faults, get, new_connection, new_export, send
from tests.web.world import NOW, World

SCHEDULE = {
    "enabled": True,
    "repeat": "weekly",
    "days": ["monday"],
    "times": ["06:00"],
    "timeZone": "Asia/Seoul",
}
PERSON = "ada@contoso.example"


def test_the_refresh_jobs_of_customer_insights_are_listed() -> None:
    assert get(World(), "/api/refresh-jobs")["value"] == [
        {
            "id": "job-1",
            "operation": "all",
            "kind": "scheduled",
            "status": "successful",
            "endedAt": "2026-11-23T09:00:00.000Z",
        }
    ]


def test_segments_and_attributes_match_the_catalogue() -> None:
    world = World()
    segment = get(world, "/api/segments")["value"][0]
    assert segment == {
        "name": "Segment_Vip",
        "displayName": "VIP",
        "memberCount": 1200,
        "refreshedAt": "2026-11-23T09:00:00.000Z",
        "complete": True,
        "reason": None,
    }
    assert get(world, "/api/attributes?segment=New")["value"][0]["suggestedFor"] == "email"
    suggested = {
        each["name"]: each.get("suggestedConsentMeaning")
        for each in get(world, "/api/attributes")["value"]
    }
    assert suggested == {
        "Email": None,
        "FirstName": None,
        "MailingAgreed": "yesMayBeMailed",
        "DoNotBulkEmail": "yesMustNotBeMailed",
    }
    assert get(world, "/api/attributes?segment=None", 404)["code"] == "segmentNotFound"


def test_problems_of_segments_are_shown_in_the_readers_language() -> None:
    world = World()
    world.catalogue.faults = [Reason("modelNotJson", values={"where": "a/model.json"})]
    world.catalogue.segments = lambda: [  # type: ignore[method-assign]
        SegmentInfo(
            "Bad",
            "Bad",
            None,
            None,
            complete=False,
            reason=Reason("tableFormatUnsupported", values={"folder": "in/Bad", "format": "Delta"}),
        )
    ]
    found = get(world, "/api/segments")
    assert found["findings"] == [
        {
            "severity": "warning",
            "code": "modelNotJson",
            "message": "a/model.json is not valid JSON.",
        }
    ]
    assert found["value"][0]["reason"]["code"] == "tableFormatUnsupported"
    assert "in/Bad is a table in the format Delta" in found["value"][0]["reason"]["message"]
    korean = get(world, "/api/segments", Accept_Language="ko")
    assert "Delta 테이블" in korean["value"][0]["reason"]["message"]
    assert "a/model.json" in korean["findings"][0]["message"]
    page = Browser(world)
    page.open("/setup/export")
    assert "in/Bad is a table in the format Delta" in page.text
    assert "a/model.json is not valid JSON." in page.text


def test_the_refresh_schedule_is_off_by_default() -> None:
    world = World()
    assert get(world, "/api/schedule")["enabled"] is False
    assert send(world, "PUT", "/api/schedule", SCHEDULE) == SCHEDULE
    assert get(world, "/api/schedule") == SCHEDULE


def test_two_users_do_not_overwrite_each_others_schedule() -> None:
    world = World()
    etag = {"If-Match": call(world, "GET", "/api/schedule").headers["ETag"]}
    assert call(world, "PUT", "/api/schedule", SCHEDULE, etag).status == 200
    assert call(world, "PUT", "/api/schedule", SCHEDULE, etag).status == 412
    assert call(world, "PUT", "/api/schedule", SCHEDULE).status == 200


def test_a_schedule_written_at_the_same_moment_is_used() -> None:
    world = World()

    def meanwhile(key: str) -> None:
        world.schedule.before_write = lambda key: None
        world.schedule.keep(key, Schedule(enabled=False))

    for _ in range(2):
        etag = {"If-Match": call(world, "GET", "/api/schedule").headers["ETag"]}
        world.schedule.before_write = meanwhile
        assert call(world, "PUT", "/api/schedule", SCHEDULE, etag).status == 412
    world.schedule.before_write = meanwhile
    assert call(world, "PUT", "/api/schedule", SCHEDULE).status == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"repeat": "everyRefresh"}, "repeat"),
        ({"days": ["Montag"]}, "days[0]"),
        ({"times": []}, "times"),
        ({"times": ["06:00"] * 5}, "times"),
        ({"timeZone": None}, "timeZone"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_faults_of_a_schedule_are_reported_by_field(change: dict[str, Any], field: str) -> None:
    answer = call(World(), "PUT", "/api/schedule", {**SCHEDULE, **change})
    assert (answer.status, list(faults(answer))) == (400, [field])


def test_an_unreadable_value_of_a_schedule_does_not_hide_other_faults() -> None:
    body = {
        "enabled": True,
        "repeat": "everyRefresh",
        "days": ["Montag", "monday"],
        "times": ["25:00", 7, "06:00", "06:00"],
        "timeZone": "Mars/Base",
    }
    answer = call(World(), "PUT", "/api/schedule", body)
    assert answer.status == 400
    assert sorted(faults(answer)) == [
        "days[0]",
        "repeat",
        "timeZone",
        "times[0]",
        "times[1]",
        "times[3]",
    ]
    assert faults(answer)["times[1]"] == "Must be text."


@pytest.mark.parametrize("body", [{}, {"times": []}, {"times": "06:00", "days": 1}])
def test_what_is_missing_in_a_schedule_is_the_only_fault_of_its_field(body: dict[str, Any]) -> None:
    answer = call(World(), "PUT", "/api/schedule", body)
    fields = [fault["field"] for fault in answer.json()["errors"]]
    assert answer.status == 400
    assert sorted(fields) == sorted({"enabled", "repeat", "times", "timeZone", *body})


def sighted() -> World:
    world = World()
    world.people.known[PERSON] = [
        PersonInExport("e1", "Weekly", ("VIP",), "unsubscribed", "kept", "unsubscribed", NOW)
    ]
    return world


def test_a_search_shows_the_reason_as_text() -> None:
    found = send(sighted(), "POST", "/api/people/search", {"email": PERSON.upper()})["value"]
    assert found[0]["reason"].startswith("The person has unsubscribed")
    assert found[0]["exportName"] == "Weekly"
    assert send(sighted(), "POST", "/api/people/search", {"email": "x@y.z"}) == {"value": []}


def test_a_removed_person_is_named_nowhere_and_the_removal_has_a_receipt() -> None:
    world = sighted()
    body = {"email": PERSON, "deleteInMailchimp": True}
    receipt = send(world, "POST", "/api/people/erase", body)
    assert receipt["exports"] == 1
    assert not world.people.known
    world.pass_time(1)
    send(world, "POST", "/api/people/search", {"email": PERSON})
    assert PERSON not in str(world.audit.kept)
    assert [e["action"] for e in get(world, "/api/audit")["value"]] == [
        "person.search",
        "person.erase",
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Conflict("notDeletedInMailchimp", exports="Weekly"), 409),
        (Unavailable("noAnswer", retry_after=5), 503),
    ],
)
def test_an_erasure_that_mailchimp_did_not_complete_is_recorded(
    error: Exception, status: int
) -> None:
    def erase(email: str, in_mailchimp: bool, by: str) -> None:
        raise error

    world = World()
    world.people.erase = erase
    body = {"email": PERSON, "deleteInMailchimp": True}
    send(world, "POST", "/api/people/erase", body, status)
    entry = get(world, "/api/audit")["value"][0]
    assert entry["changes"][0]["after"] in ('"notDeletedInMailchimp"', '"noAnswer"')


@pytest.mark.parametrize("email", ["", "nobody", 5, "@" * 400])
def test_an_address_has_a_valid_form(email: object) -> None:
    answer = call(World(), "POST", "/api/people/search", {"email": email})
    assert (answer.status, list(faults(answer))) == (400, ["email"])
    assert str(email) not in str(faults(answer)) or not email


@pytest.mark.parametrize("body", [{}, {"email": None}, {"email": PERSON, "customerId": "C-1"}])
def test_a_search_names_either_an_address_or_a_profile(body: dict[str, object]) -> None:
    answer = call(World(), "POST", "/api/people/search", body)
    assert (answer.status, list(faults(answer).values())) == (
        400,
        ["Give either an email address or a CustomerId."],
    )


@pytest.mark.parametrize("customer_id", ["C-1", "C" * 500], ids=["usual", "longest"])
def test_a_search_by_profile_shows_what_was_sent(customer_id: str) -> None:
    world = World()
    world.people.known[PERSON] = [
        PersonInExport(
            *("e1", "Weekly", ("VIP",), "subscribed", "updated", "", NOW, PERSON, customer_id),
            tags=("VIP",),
            values=(("CITY", "Seoul"),),
            sent_at=NOW,
        )
    ]
    [found] = send(world, "POST", "/api/people/search", {"customerId": customer_id})["value"]
    assert (found["email"], found["customerId"], found["tags"]) == (PERSON, customer_id, ["VIP"])
    assert found["values"] == [{"field": "CITY", "value": "Seoul"}]
    assert found["sentAt"] == found["at"]
    assert PERSON not in str(world.audit.kept)


def test_every_change_leaves_an_entry_with_before_and_after() -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    export = new_export(world, connection)
    world.pass_time(1)
    body = get(world, f"/api/exports/{export}")
    bob = world.seen_by(Role.CONTRIBUTOR)
    send(bob, "PUT", f"/api/exports/{export}", {**body, "leavers": "keepTag"})
    newest = get(world, "/api/audit?top=1")["value"][0]
    assert newest["action"] == "export.update"
    assert newest["actorName"] == "Bob"
    assert newest["subjectId"] == export
    assert newest["subjectName"] == "Weekly news"
    assert newest["changes"] == [
        {"field": "leavers", "before": '"removeTag"', "after": '"keepTag"'}
    ]


def test_every_successful_change_is_recorded() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    send(world, "PUT", f"/api/connections/{connection}", {"displayName": "X"})
    send(world, "POST", f"/api/exports/{export}/duplicate", status=201)
    run = send(world, "POST", f"/api/exports/{export}/runs", status=202)
    send(world, "POST", f"/api/runs/{run['id']}/cancel", status=202)
    send(world, "PUT", "/api/schedule", SCHEDULE)
    call(world, "GET", f"/api/runs/{run['id']}/outcomes.csv")
    world.runs.kept.clear()
    send(world, "DELETE", f"/api/connections/{connection}/mailchimp")
    send(world, "DELETE", f"/api/connections/{connection}?detachExports=true", status=204)
    send(world, "DELETE", f"/api/exports/{export}", status=204)
    actions = {entry.value.action for entry in world.audit.kept.values()}
    assert actions == {
        "connection.create",
        "connection.connect",
        "connection.update",
        "connection.disconnect",
        "connection.delete",
        "export.create",
        "export.detach",
        "export.delete",
        "run.start",
        "run.cancel",
        "run.download",
        "schedule.update",
    }


def test_a_start_is_recorded_with_the_mode_of_the_run_that_it_returns() -> None:
    world = World()
    path = f"/api/exports/{new_export(world)}/runs"
    run = send(world, "POST", path, status=202)
    again = send(world, "POST", path, {"mode": "preview"}, status=202)
    assert (again["id"], again["mode"]) == (run["id"], "export")
    entries = [
        entry for entry in get(world, "/api/audit")["value"] if entry["action"] == "run.start"
    ]
    modes = [
        change["after"]
        for entry in entries
        for change in entry["changes"]
        if change["field"] == "mode"
    ]
    assert modes == ['"export"'] * 2


def test_a_failed_change_is_not_recorded() -> None:
    world = World()
    call(world, "POST", "/api/connections", {"displayName": "X"})
    call(world, "DELETE", "/api/exports/none")
    assert not world.audit.kept


def test_the_audit_trail_is_listed_newest_first_in_pages() -> None:
    world = World()
    for second in range(5):
        world.now = NOW.replace(second=second)
        body = {**SCHEDULE, "times": [f"0{second}:00"]}
        send(world, "PUT", "/api/schedule", body)
    page = get(world, "/api/audit?top=3")
    assert [entry["at"][17:19] for entry in page["value"]] == ["04", "03", "02"]
    # An entry that is added meanwhile repeats none of the first page.
    world.now = NOW.replace(second=9)
    send(world, "PUT", "/api/schedule", {**SCHEDULE, "times": ["09:00"]})
    rest = get(world, page["nextLink"])
    assert [entry["at"][17:19] for entry in rest["value"]] == ["01", "00"]
    assert "nextLink" not in rest
    assert "skip" not in page["nextLink"]


def test_an_application_is_distinguished_from_a_person() -> None:
    world = World()
    machine = world.services.authenticator.developer
    assert machine is not None
    authenticator = replace(
        world.services.authenticator, developer=replace(machine, is_application=True)
    )
    world.serve(replace(world.services, authenticator=authenticator))
    send(world, "PUT", "/api/schedule", SCHEDULE)
    assert get(world, "/api/audit")["value"][0]["isApplication"] is True


def test_a_removed_connection_is_recorded_although_its_exports_cannot_be_read_again() -> None:
    world = World()
    connection = new_connection(world)
    using = world.services.definitions.using

    def using_before(connection_id: str, **more: Any) -> Any:
        if connection_id not in world.connections.kept:
            raise TimeUp("requestTimeUp")
        return using(connection_id, **more)

    definitions = cast("Definitions", SimpleNamespace(using=using_before))
    connections = replace(world.services.connections, definitions=definitions)
    world.serve(replace(world.services, connections=connections))

    assert call(world, "DELETE", f"/api/connections/{connection}").status == 503

    assert "connection.delete" in [one.value.action for one in world.audit.kept.values()]


@pytest.mark.parametrize("what", ["disconnect", "delete"])
def test_a_change_is_recorded_although_what_follows_it_fails(what: str) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)

    def fail(*_: object) -> int:
        raise TimeUp("requestTimeUp")

    world.runs.stop_sending = fail  # type: ignore[method-assign]
    world.serve(
        replace(world.services, definitions=replace(world.services.definitions, delete_data=fail))
    )
    path, action = {
        "disconnect": (f"/api/connections/{connection}/mailchimp", "connection.disconnect"),
        "delete": (f"/api/exports/{export}", "export.delete"),
    }[what]

    assert call(world, "DELETE", path).status == 503

    assert action in [one.value.action for one in world.audit.kept.values()]
