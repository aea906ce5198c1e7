"""Export definitions over HTTP."""

import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import NotFound, Unavailable
from shared.model.export import SegmentChoice
from shared.model.run import Mode, RunStatus, Trigger
from shared.segments.choosing.catalogue import AttributeInfo, SegmentInfo
from shared.web.authentication import Role
from tests.web.client import (
    call,
    export_body,
    faults,
    get,
    new_connection,
    new_export,
    send,
)
from tests.web.world import KEY, NOW, World


def test_missing_settings_have_safe_defaults() -> None:
    world = World()
    export = get(world, f"/api/exports/{new_export(world)}")
    assert export["newContacts"] == {"status": "audienceDefault", "consentAttribute": None}
    assert export["leavers"] == "removeTag"
    assert export["removalGuard"] == {"maxShare": 0.3}
    assert export["schedule"]["repeat"] == "everyRefresh"
    assert export["createdBy"] == export["updatedBy"] == "Ada"
    assert export["lastRun"] is None


def test_a_save_names_the_segments_whose_refresh_is_not_announced() -> None:
    world = World()
    body = export_body(new_connection(world), segments=[{"name": "New"}, {"name": "Segment_Vip"}])
    made = send(world, "POST", "/api/exports", body, 201)
    assert [each["code"] for each in made["findings"]] == ["refreshNotAnnounced"]
    assert "New" in made["findings"][0]["message"]
    path = f"/api/exports/{made['id']}"
    assert send(world, "PUT", path, made)["findings"] == made["findings"]
    off = send(world, "PUT", path, {**made, "schedule": {**made["schedule"], "enabled": False}})
    assert off["findings"] == []
    world.catalogue.broken = Unavailable("segmentsUnavailable")
    assert send(world, "PUT", path, made)["findings"] == []


def test_a_save_names_segments_and_attributes_that_are_not_in_the_landing_container() -> None:
    world = World()
    body = export_body(
        new_connection(world),
        mapping={"email": "Emial", "firstName": "FirstName"},
        newContacts={"consentAttribute": "MailingAgreed"},
    )
    made = send(world, "POST", "/api/exports", body, 201)
    [finding] = made["findings"]
    assert (finding["code"], finding["severity"]) == ("attributeUnknown", "warning")
    assert "Emial" in finding["message"]
    assert "or let Customer Insights export this one" in finding["message"]
    changed = {**made, "mapping": {"email": "Email"}, "exclusionSegments": ["Gone"]}
    [finding] = send(world, "PUT", f"/api/exports/{made['id']}", changed)["findings"]
    assert finding["code"] == "segmentMissing"
    assert "Gone" in finding["message"]


def test_names_in_decomposed_letters_are_those_of_the_landing_container() -> None:
    world = World()
    world.catalogue.segments = lambda: [SegmentInfo("골드", "골드", 3, NOW)]  # type: ignore[method-assign]
    world.catalogue.attributes = lambda _: [  # type: ignore[method-assign]
        AttributeInfo(unicodedata.normalize("NFD", "이메일"), "string", None, None)
    ]
    for form in ("NFC", "NFD"):
        body = export_body(
            new_connection(world),
            mapping={"email": unicodedata.normalize(form, "이메일")},
            segments=[{"name": unicodedata.normalize(form, "골드"), "tag": form}],
        )
        made = send(world, "POST", "/api/exports", body, 201)
        assert {finding["code"] for finding in made["findings"]} <= {"segmentShared"}
        assert made["segments"][0]["name"] == "골드"


@pytest.mark.parametrize("tag", ["카페", None], ids=["a tag", "the name of the segment"])
def test_a_stored_tag_in_decomposed_letters_stays_when_the_export_is_saved(tag: str | None) -> None:
    """Mailchimp has the tag in this form, and takes the other one for another tag."""
    world = World()
    export = new_export(world, segments=[{"name": "카페", "tag": tag}])
    stored = world.services.definitions.read(export)
    old = unicodedata.normalize("NFD", "카페")
    segments = (SegmentChoice(old, old if tag else None),)
    world.exports.keep(export, replace(stored.value, segments=segments))
    body = get(world, f"/api/exports/{export}")
    saved = send(world, "PUT", f"/api/exports/{export}", {**body, "displayName": "Renamed"})
    assert saved["segments"] == [{"name": "카페", "tag": old}]
    other = [{"name": "카페", "tag": "다른 카페"}]
    saved = send(world, "PUT", f"/api/exports/{export}", {**saved, "segments": other})
    assert saved["segments"] == other


def test_saving_does_not_start_a_run() -> None:
    world = World()
    new_export(world)
    assert not world.runs.kept


def test_a_complete_definition_is_returned_unchanged() -> None:
    world = World()
    body = export_body(
        new_connection(world),
        mapping={
            "email": "Email",
            "firstName": None,
            "lastName": "LastName",
            "attributes": [
                {"attribute": "City", "mergeField": "CITY", "create": None},
                {
                    "attribute": "Born",
                    "mergeField": "BORN",
                    "create": {"name": "Born on", "type": "date"},
                },
            ],
        },
        segments=[{"name": "A", "tag": None}, {"name": "B", "tag": "Bee"}],
        newContacts={"status": "pending", "consentAttribute": "Agreed"},
        leavers="keepTag",
        removalGuard={"maxShare": 1},
        schedule={
            "enabled": False,
            "repeat": "weekly",
            "days": ["monday", "friday"],
            "times": ["06:00"],
            "timeZone": "Asia/Seoul",
        },
    )
    made = send(world, "POST", "/api/exports", body, 201)
    assert {name: made[name] for name in body} == body


def test_a_response_can_be_changed_and_sent_back() -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    path = f"/api/exports/{new_export(world, connection)}"
    read = call(world, "GET", path)
    body: Any = read.json()
    world.pass_time(60)
    bob = world.seen_by(Role.CONTRIBUTOR)
    changed = call(bob, "PUT", path, {**body, "displayName": "Daily news"})
    shown: Any = changed.json()
    assert (changed.status, shown["displayName"]) == (200, "Daily news")
    assert (shown["createdBy"], shown["updatedBy"]) == ("Ada", "Bob")
    assert shown["createdAt"] < shown["updatedAt"]
    assert shown["id"] == body["id"]
    assert changed.headers["ETag"] != read.headers["ETag"]


def test_two_users_do_not_overwrite_each_others_changes() -> None:
    world = World()
    path = f"/api/exports/{new_export(world)}"
    read = call(world, "GET", path)
    etag = {"If-Match": read.headers["ETag"]}
    body: Any = read.json()
    assert call(world, "PUT", path, {**body, "displayName": "Mine"}, etag).status == 200
    late = call(world, "PUT", path, {**body, "displayName": "Yours"}, etag)
    assert late.status == 412
    assert get(world, path)["displayName"] == "Mine"
    assert call(world, "DELETE", path, headers=etag).status == 412


def test_a_write_between_reading_and_writing_fails_with_if_match() -> None:
    world = World()
    export = new_export(world)
    read = call(world, "GET", f"/api/exports/{export}")
    body: Any = read.json()

    def meanwhile(key: str) -> None:
        world.exports.before_write = lambda key: None
        stored = world.exports.kept[key]
        world.exports.keep(key, replace(stored.value, display_name="Meanwhile"))

    world.exports.before_write = meanwhile
    etag = {"If-Match": read.headers["ETag"]}
    assert call(world, "PUT", f"/api/exports/{export}", body, etag).status == 412
    world.exports.before_write = meanwhile
    assert call(world, "PUT", f"/api/exports/{export}", body).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("kind", ["export", "connection"])
def test_a_write_at_the_same_moment_names_what_someone_else_changed(kind: str, method: str) -> None:
    world = World()
    connection = new_connection(world)
    bodies: dict[str, Any] = {
        "export": export_body(connection, displayName="Mine"),
        "connection": {"displayName": "Mine"},
    }
    records = world.exports if kind == "export" else world.connections
    made = new_export(world, connection) if kind == "export" else connection
    path = f"/api/{kind}s/{made}"
    etag = {"If-Match": call(world, "GET", path).headers["ETag"]}

    def meanwhile(key: str) -> None:
        records.before_write = lambda key: None
        records.keep(key, replace(records.kept[key].value, display_name="Meanwhile"))

    records.before_write = meanwhile
    answer = call(world, method, path, bodies[kind] if method == "PUT" else None, etag)
    detail = f"Someone else has changed the {kind}. Reload it and try again."
    assert (answer.status, answer.json()["detail"]) == (412, detail)
    assert get(world, path)["displayName"] == "Meanwhile"


def test_a_new_definition_needs_a_connection_but_may_lose_it_later() -> None:
    world = World()
    answer = call(world, "POST", "/api/exports", export_body(None))
    assert list(faults(answer)) == ["connectionId"]
    export = new_export(world)
    detached = send(world, "POST", f"/api/exports/{export}/detach-connection")
    assert detached["connectionId"] is None
    changed = send(world, "PUT", f"/api/exports/{export}", {**detached, "displayName": "Later"})
    assert changed["displayName"] == "Later"
    assert send(world, "POST", f"/api/exports/{export}/runs", status=409)["code"] == "noConnection"


def test_a_contributor_moves_an_export_to_shared_connections_only() -> None:
    world = World()
    shared = new_connection(world, "Shared", sharedWith=["Contributor"])
    export = new_export(world, shared)
    bob = world.seen_by(Role.CONTRIBUTOR)
    body = get(bob, f"/api/exports/{export}")
    send(bob, "PUT", f"/api/exports/{export}", {**body, "displayName": "By Bob"})
    other = new_connection(world, "Other")
    answer = call(bob, "PUT", f"/api/exports/{export}", {**body, "connectionId": other})
    assert list(faults(answer)) == ["connectionId"]


def test_one_tag_has_one_owner() -> None:
    world = World()
    connection = new_connection(world)
    first = new_export(world, connection, displayName="First")
    body = export_body(connection, segments=[{"name": "Other"}, {"name": "X", "tag": "vip"}])
    answer = call(world, "POST", "/api/exports", body)
    assert answer.status == 409
    assert list(faults(answer)) == ["segments[1].tag"]
    assert "First" in str(answer.json())
    assert len(world.exports.kept) == 1
    elsewhere = new_export(world, connection, audienceId="ffff", displayName="Elsewhere")
    body = get(world, f"/api/exports/{elsewhere}")
    answer = call(world, "PUT", f"/api/exports/{elsewhere}", {**body, "audienceId": "a1b2c3d4e5"})
    assert answer.status == 409
    assert get(world, f"/api/exports/{elsewhere}")["audienceId"] == "ffff"
    own = get(world, f"/api/exports/{first}")
    send(world, "PUT", f"/api/exports/{first}", own)


def test_a_tag_with_the_name_of_a_saved_segment_is_refused_at_save() -> None:
    world = World()
    connection = new_connection(world)
    path = f"/api/connections/{connection}/mailchimp/api-key"
    send(world, "PUT", path, {"apiKey": KEY})
    world.accounts[KEY].saved_segments = ["vip", "Gold"]

    refused = call(world, "POST", "/api/exports", export_body(connection))
    world.accounts[KEY].revoked = True  # then no one knows, and a run checks it again
    send(world, "POST", "/api/exports", export_body(connection), 201)

    assert refused.status == 400
    assert "saved segment" in faults(refused)["segments[0].tag"]


def test_an_audience_that_does_not_exist_is_refused_at_save() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    world.accounts[KEY].deleted.add("0badc0ffee")
    body = export_body(connection, displayName="B", audienceId="0badc0ffee")
    for method, path in (("POST", "/api/exports"), ("PUT", f"/api/exports/{export}")):
        answer = call(world, method, path, body)
        assert answer.status == 400
        assert list(faults(answer)) == ["audienceId"]


def test_a_tag_claimed_twice_at_the_same_moment_has_one_owner() -> None:
    world = World()
    first = new_export(world)
    other = replace(world.exports.kept[first].value, id="late", display_name="Late")

    def meanwhile(key: str) -> None:
        world.exports.before_write = lambda key: None
        rival = replace(other, segments=(SegmentChoice("S", "Fresh"),))
        world.exports.keep("late", rival)

    world.exports.before_write = meanwhile
    connection = other.connection_id
    body = export_body(connection, segments=[{"name": "X", "tag": "fresh"}])
    assert call(world, "POST", "/api/exports", body).status == 409
    assert set(world.exports.kept) == {first, "late"}
    world.exports.delete("late")
    world.exports.before_write = meanwhile
    changed = {**get(world, f"/api/exports/{first}"), "segments": body["segments"]}
    assert call(world, "PUT", f"/api/exports/{first}", changed).status == 409
    assert get(world, f"/api/exports/{first}")["segments"] == [
        {"name": "Segment_Vip", "tag": "VIP"}
    ]


@pytest.mark.parametrize("way", ["create", "change", "copy"])
@pytest.mark.parametrize("rival_id", ["aaa", "zzz"])
def test_of_two_requests_for_a_tag_at_the_same_moment_one_succeeds(way: str, rival_id: str) -> None:
    """A double click: each sees what the other one has written. The one with the larger id gives up."""
    world = World()
    export = new_export(world)
    stored = world.exports.kept[export].value
    tag = "VIP (copy)" if way == "copy" else "Fresh"
    waited: list[float] = []

    def write_rival(key: str) -> None:
        world.exports.before_write = lambda key: None
        rival = replace(stored, id=rival_id, segments=(SegmentChoice("S", tag),))
        world.exports.keep(rival_id, rival)

    def rival_gives_up(seconds: float) -> None:
        waited.append(seconds)
        world.exports.delete(rival_id)

    definitions = replace(world.services.definitions, sleep=rival_gives_up)
    world.serve(replace(world.services, definitions=definitions))
    world.exports.before_write = write_rival
    body: Any = export_body(stored.connection_id, segments=[{"name": "X", "tag": tag}])
    if way == "create":
        status = call(world, "POST", "/api/exports", body).status
    elif way == "change":
        status = call(world, "PUT", f"/api/exports/{export}", body).status
    else:
        status = call(world, "POST", f"/api/exports/{export}/duplicate").status
    tags = [s.tag for each in world.exports.kept.values() for s in each.value.segments]
    assert tags.count(tag) == 1
    assert (status, waited) == (
        (409, []) if rival_id == "aaa" else (200 if way == "change" else 201, [0.1])
    )


@pytest.mark.parametrize(("language", "name"), [("en", "copy"), ("ko", "사본")])
def test_a_copy_has_its_own_tags_and_no_schedule(language: str, name: str) -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/duplicate"
    answer = call(world, "POST", path, headers={"Accept-Language": language})
    copied: Any = answer.json()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/exports/{copied['id']}"
    assert copied["displayName"] == f"Weekly news ({name})"
    assert copied["segments"] == [{"name": "Segment_Vip", "tag": f"VIP ({name})"}]
    assert copied["schedule"]["enabled"] is False
    again = call(world, "POST", path, headers={"Accept-Language": language}).json()
    assert again["segments"][0]["tag"] == f"VIP ({name} 2)"


def test_a_copy_with_long_names_stays_within_the_limits() -> None:
    world = World()
    export = new_export(world, displayName="n" * 200, segments=[{"name": "A", "tag": "t" * 100}])
    copied = send(world, "POST", f"/api/exports/{export}/duplicate", status=201)
    assert len(copied["displayName"]) == 200
    assert len(copied["segments"][0]["tag"]) == 100


def test_an_export_with_an_active_run_cannot_be_removed_or_detached() -> None:
    world = World()
    export = new_export(world)
    run = send(world, "POST", f"/api/exports/{export}/runs", status=202)
    assert send(world, "DELETE", f"/api/exports/{export}", status=409)["code"] == "exportRunning"
    send(world, "POST", f"/api/exports/{export}/detach-connection", status=409)
    world.runs.move(run["id"], status=RunStatus.SUCCESSFUL)
    send(world, "DELETE", f"/api/exports/{export}", status=204)
    get(world, f"/api/exports/{export}", 404)


def test_the_last_run_is_the_newest_of_any_kind() -> None:
    world = World()
    export = new_export(world)
    first = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(first.id, status=RunStatus.SUCCESSFUL)
    world.runs.start(export, Trigger.SCHEDULE, Mode.PREVIEW, "")
    shown = get(world, "/api/exports")["value"][0]["lastRun"]
    assert (shown["trigger"], shown["mode"], shown["status"]) == ("schedule", "preview", "queued")


@pytest.mark.parametrize(
    ("mapping", "fields"),
    [
        ({"email": "E", "attributes": [{"attribute": "A", "mergeField": "EMAIL"}]}, ["[0]"]),
        (
            {
                "email": "E",
                "firstName": "F",
                "attributes": [{"attribute": "A", "mergeField": "FNAME"}],
            },
            ["[0]"],
        ),
        ({"email": "E", "attributes": [{"attribute": "A", "mergeField": "FNAME"}]}, []),
        ({"email": "E", "attributes": [{"attribute": "A", "mergeField": "ABCDEFGHIJK"}]}, ["[0]"]),
        ({"email": "E", "attributes": [{"attribute": "A", "mergeField": "\u0130"}]}, ["[0]"]),
        ({"email": "E", "attributes": [{"attribute": "A", "mergeField": ""}]}, ["[0]"]),
    ],
)
def test_a_merge_field_has_at_most_one_attribute(
    mapping: dict[str, Any], fields: list[str]
) -> None:
    world = World()
    body = export_body(new_connection(world), mapping=mapping)
    answer = call(world, "POST", "/api/exports", body)
    assert list(faults(answer)) == [f"mapping.attributes{f}.mergeField" for f in fields]
    assert answer.status == (400 if fields else 201)


@pytest.mark.parametrize("share", [-0.1, 1.01, 1e300, "0.3", None, True])
def test_a_share_is_between_0_and_1(share: object) -> None:
    world = World()
    body = export_body(new_connection(world), removalGuard={"maxShare": share})
    answer = call(world, "POST", "/api/exports", body)
    assert (answer.status, list(faults(answer))) == (400, ["removalGuard.maxShare"])


def test_an_invalid_schedule_is_refused_by_field() -> None:
    world = World()
    schedule = {"repeat": "daily", "times": ["06:00", "25:00"], "timeZone": "UTC"}
    answer = call(
        world, "POST", "/api/exports", export_body(new_connection(world), schedule=schedule)
    )
    assert answer.status == 400
    assert all(field.startswith("schedule.times") for field in faults(answer))
    assert faults(answer)


def test_an_unreadable_value_does_not_hide_the_faults_beside_it() -> None:
    world = World()
    body = export_body(
        new_connection(world),
        mapping={
            "email": 5,
            "attributes": [
                {"attribute": "City", "mergeField": "city"},
                {"attribute": "", "mergeField": "EMAIL", "color": "red"},
                {"mergeField": 7},
                "Town",
            ],
        },
        segments=[{"name": "A", "tag": "T" * 101}, {"name": 5}, {"name": ""}, {"name": "A"}],
        exclusionSegments=["A", 5],
        newContacts={"status": "unknown"},
        onWithdrawal="unsubscribe",
        schedule={"repeat": "hourly", "times": ["25:00"], "timeZone": "Mars/Base"},
    )
    answer = call(world, "POST", "/api/exports", body)
    assert answer.status == 400
    assert sorted(fault["field"] for fault in answer.json()["errors"]) == [
        "exclusionSegments[1]",
        "mapping.attributes[0].mergeField",
        "mapping.attributes[1].attribute",
        "mapping.attributes[1].color",
        "mapping.attributes[1].mergeField",
        "mapping.attributes[2].attribute",
        "mapping.attributes[2].mergeField",
        "mapping.attributes[3]",
        "mapping.email",
        "newContacts.status",
        "onWithdrawal",
        "schedule.repeat",
        "schedule.timeZone",
        "schedule.times[0]",
        "segments[0].tag",
        "segments[1].name",
        "segments[2].name",
        "segments[3].name",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        # What depends on the unreadable value is not known.
        (
            {"newContacts": {"consentAttribute": 5}, "onWithdrawal": "unsubscribe"},
            "newContacts.consentAttribute",
        ),
        ({"newContacts": 5, "onWithdrawal": "unsubscribe"}, "newContacts"),
        ({"schedule": {"repeat": "hourly"}}, "schedule.repeat"),
        ({"schedule": {"repeat": "hourly", "times": []}}, "schedule.repeat"),
        ({"segments": 5}, "segments"),
        ({"mapping": None}, "mapping"),
        ({"growthGuard": {"maxShare": "x"}}, "growthGuard.maxShare"),
    ],
)
def test_an_unreadable_value_causes_no_other_fault(changes: dict[str, Any], field: str) -> None:
    world = World()
    answer = call(world, "POST", "/api/exports", export_body(new_connection(world), **changes))
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_an_unreadable_value_does_not_hide_what_mailchimp_knows() -> None:
    world = World()
    connection = new_connection(world)
    world.accounts[KEY].deleted.add("0badc0ffee")
    body = export_body(connection, displayName=5, audienceId="0badc0ffee")
    answer = call(world, "POST", "/api/exports", body)
    assert sorted(faults(answer)) == ["audienceId", "displayName"]


def test_names_are_plain_text() -> None:
    world = World()
    body = export_body(new_connection(world), displayName="a\nb")
    answer = call(world, "POST", "/api/exports", body)
    assert faults(answer) == {"displayName": "Must not contain control characters."}


@pytest.mark.parametrize("way", ["create", "change", "copy"])
def test_an_export_whose_connection_is_deleted_while_it_is_written_is_detached(way: str) -> None:
    world = World()
    connection = new_connection(world)
    path = "/api/exports"
    body: Any = export_body(connection)
    if way == "change":
        path = f"{path}/{new_export(world)}"
    elif way == "copy":
        path, body = f"{path}/{new_export(world, connection)}/duplicate", None

    def delete(key: str) -> None:
        world.exports.before_write = lambda _: None
        send(world, "DELETE", f"/api/connections/{connection}?detachExports=true", status=204)

    world.exports.before_write = delete
    if way == "change":
        shown = send(world, "PUT", path, body)
    else:
        shown = send(world, "POST", path, body, 201)
    assert shown["connectionId"] is None
    assert {each.value.connection_id for each in world.exports.kept.values()} == {None}


def test_a_connection_that_is_deleted_before_its_audience_is_checked_is_named() -> None:
    world = World()
    connection = new_connection(world)

    class DeletedBefore:
        def for_request(self, connection_id: str) -> Any:
            world.services.connections.remove(connection_id, "Ada", detach_exports=True)
            raise NotFound("connectionNotFound")

    world.serve(replace(world.services, sessions=DeletedBefore()))
    answer = call(world, "POST", "/api/exports", export_body(connection))
    assert answer.status == 400
    assert list(faults(answer)) == ["connectionId"]
