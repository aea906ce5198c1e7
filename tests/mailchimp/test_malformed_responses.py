"""Malformed responses: wrong types, large and deep documents, unknown members."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from shared.errors import ConfigError, ConnectorError, Disconnected, Refused, Unavailable
from shared.mailchimp.response_values import objects_in, status_in, text_in, whole_number_in
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Member
from shared.model.export import Export, Mapping, NewContacts, NewContactStatus
from shared.model.outcome import Code
from shared.planning.audience.found_audience import status_for_new
from tests.mailchimp import scripted_server

ADA = Member("ada@example.org", {"FNAME": "Ada"}, (), "subscribed")
ODD = [
    "[]",
    "1",
    '"text"',
    "true",
    "null",
    "1e400",
    "NaN",
    "-7",
    "9" * 400,
    "{}",
    "[[1]]",
    '[{"a": 1}, 5]',
    '"\\ud800"',
    "[" * 500 + "]" * 500,
    '"' + "x" * 100_000 + '"',
    "[" * 200_000,
]
CALLS = {
    "audiences": ("lists", lambda s: s.audiences()),
    "audience": ("stats", lambda s: s.audience("a1")),
    "account": ("account_id", lambda s: s.account()),
    "fields": ("merge_fields", lambda s: s.merge_fields("a1")),
    "options": ("options", lambda s: s.create_merge_field("a1", "T", "Name", "text")),
    "tags": ("segments", lambda s: s.tags("a1")),
    "tag": ("id", lambda s: s.tag("a1", 7)),
    "created": ("id", lambda s: s.create_tag("a1", "Gold")),
    "count": ("total_items", lambda s: s.count("a1", "subscribed")),
    "members_with_status": ("members", lambda s: list(s.members_with_status("a1", "unsubscribed"))),
    "written": ("new_members", lambda s: s.subscribe("a1", [ADA], update_existing=True)),
    "refused": ("errors", lambda s: s.subscribe("a1", [ADA], update_existing=True)),
    "untagged": ("total_removed", lambda s: s.untag("a1", 7, [ADA.address])),
    "status": ("status", lambda s: s.status_of("a1", ADA.address)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_a_value_of_another_type_is_an_error_or_missing(call, value, transport):
    part, ask = CALLS[call]
    rest = {
        "new_members": [],
        "updated_members": [],
        "errors": [],
        "merge_fields": [],
        "segments": [],
    }
    others = json.dumps({name: one for name, one in rest.items() if name != part})[1:-1]
    body = f'{{"{part}": {value}, "total_items": 0, {others}}}'
    if part == "total_items":
        body = f'{{"{part}": {value}, {others}}}'
    with scripted_server.ScriptedServer(scripted_server.json(body)) as server:
        session = MailchimpSession(transport(server.url))
        with suppress(ConnectorError):
            ask(session)


OTHER = '{"id": "other", "name": "Other", "total_items": 0}'


ABOUT_ONE = {
    "audience": lambda s: s.audience("a1"),
    "audiences": lambda s: s.audiences(),
    "member": lambda s: s.member("a1", ADA.address),
    "status": lambda s: s.status_of("a1", ADA.address),
    "untagged": lambda s: s.untag("a1", 7, [ADA.address]),
    "field": lambda s: s.create_merge_field("a1", "T", "Name", "text"),
    "written": lambda s: s.subscribe("a1", [ADA], update_existing=True),
}


@pytest.mark.parametrize("call", ABOUT_ONE)
@pytest.mark.parametrize("body", ["{}", OTHER])
def test_a_response_about_something_else_is_not_an_answer(call, body, transport):
    with (
        scripted_server.ScriptedServer(scripted_server.json(body)) as server,
        pytest.raises(Unavailable),
    ):
        ABOUT_ONE[call](MailchimpSession(transport(server.url)))


@pytest.mark.parametrize("setting", ["", '"double_optin": null,', '"double_optin": "false",'])
def test_an_audience_without_its_opt_in_setting_is_not_one_without_double_opt_in(
    setting, transport
):
    body = f'{{"id": "a1", {setting} "name": "News"}}'
    with scripted_server.ScriptedServer(scripted_server.json(body)) as server:
        audience = MailchimpSession(transport(server.url)).audience("a1")
    default = Export("e1", "News", "c1", "a1", (), Mapping("Mail"))
    with pytest.raises(Unavailable):
        status_for_new(default, audience)
    chosen = replace(default, new_contacts=NewContacts(NewContactStatus.TRANSACTIONAL))
    assert status_for_new(chosen, audience) == "transactional"


@pytest.mark.parametrize("total", ['"many"', "null", "[]", "-1", "1.5", "0", "2"])
def test_a_list_without_a_correct_total_is_read_to_its_end(total, transport):
    people = [f"p{number}@b.de" for number in range(7)]

    def page(asked: scripted_server.ReceivedRequest) -> scripted_server.Answer:
        """Return at most three items, as if the limit were smaller than the requested number."""
        offset = int(asked.query["offset"])
        found = people[offset : offset + 3]
        members = json.dumps([{"email_address": one, "status": "cleaned"} for one in found])
        segments = json.dumps([{"id": people.index(one) + 1, "name": one} for one in found])
        return scripted_server.json(
            f'{{"members": {members}, "segments": {segments}, "total_items": {total}}}'
        )

    with scripted_server.ScriptedServer(page) as server:
        session = MailchimpSession(transport(server.url))
        pages = session.members_with_status("a1", "cleaned")
        assert [one.address for each in pages for one in each] == people
        assert [tag.name for tag in session.tags("a1")] == people


def test_a_full_page_of_tags_is_not_the_last_one_although_the_total_says_so(transport):
    def page(asked: scripted_server.ReceivedRequest) -> scripted_server.Answer:
        offset = int(asked.query["offset"])
        tags = [{"id": n, "name": f"Tag {n}"} for n in range(1, 1101)][offset : offset + 1000]
        return scripted_server.json(json.dumps({"segments": tags, "total_items": 1000}))

    with scripted_server.ScriptedServer(page) as server:
        assert len(MailchimpSession(transport(server.url)).tags("a1")) == 1100


@pytest.mark.parametrize("total", ['"many"', "null", "[]", "-1", "1.5"])
def test_a_count_needs_the_total(total, transport):
    body = f'{{"members": [{{"email_address": "a@b.de"}}], "total_items": {total}}}'
    with (
        scripted_server.ScriptedServer(scripted_server.json(body)) as server,
        pytest.raises(Unavailable),
    ):
        MailchimpSession(transport(server.url)).count("a1", "unsubscribed")


@pytest.mark.parametrize(
    ("given", "required"),
    [("true", True), ('"true"', True), ("false", False), ('"false"', False), ("null", False)],
)
def test_a_merge_field_is_required_only_if_its_flag_is_true(given, required, transport):
    body = f'{{"merge_fields": [{{"merge_id": 1, "tag": "A", "required": {given}}}], "total_items": 1}}'
    with scripted_server.ScriptedServer(scripted_server.json(body)) as server:
        (field,) = MailchimpSession(transport(server.url)).merge_fields("a1")
    assert field.required is required


def test_tags_and_saved_segments_are_told_apart_when_the_filter_is_ignored(transport):
    tag, saved = (
        {"id": 1, "name": "Gold", "type": "static"},
        {"id": 2, "name": "VIP", "type": "saved"},
    )
    body = json.dumps({"segments": [tag, saved], "total_items": 2})
    with scripted_server.ScriptedServer(scripted_server.json(body)) as server:
        session = MailchimpSession(transport(server.url))
        assert [one.name for one in session.tags("a1")] == ["Gold"]
        assert session.saved_segments("a1") == ["VIP"]


def test_a_list_with_other_items_is_not_complete(transport):
    body = '{"members": [{"email_address": "a@b.de"}, "b@c.de"], "total_items": 2}'
    with (
        scripted_server.ScriptedServer(scripted_server.json(body)) as server,
        pytest.raises(Unavailable),
    ):
        list(MailchimpSession(transport(server.url)).members_with_status("a1", "unsubscribed"))


@pytest.mark.parametrize(("size", "error"), [(1, Unavailable), (1000, ConfigError)])
def test_reading_an_endless_list_ends(size, error, transport):
    page = {"segments": [{"id": 5, "name": "x"}] * size, "total_items": 10**12}
    with scripted_server.ScriptedServer(scripted_server.json(json.dumps(page))) as server:
        with pytest.raises(error):
            MailchimpSession(transport(server.url)).tags("a1")
        assert len(server.asked) == 101


def test_unknown_members_in_a_response_change_nothing(transport):
    stranger = {"email_address": "eve@example.org", "status": "subscribed"}
    answer = {
        "new_members": [stranger, {"email_address": "ada@example.org", "status": "subscribed"}],
        "updated_members": [stranger, {}, "ada@example.org", None],
        "errors": [{"email_address": "eve@example.org", "error_code": ["ERROR_CONTACT_EXISTS"]}, 7],
    }
    with scripted_server.ScriptedServer(scripted_server.json(json.dumps(answer))) as server:
        found = MailchimpSession(transport(server.url)).subscribe("a1", [ADA], update_existing=True)
    assert found.created == {"ada@example.org": "subscribed"}
    assert (found.updated, found.refused) == ({}, {})


def test_no_long_value_of_a_response_gets_into_an_outcome(transport):
    person = {"email_address": "ada@example.org", "status": 'x"\n' * 1_000_000}
    answer = {"new_members": [], "updated_members": [person], "errors": []}
    with scripted_server.ScriptedServer(scripted_server.json(json.dumps(answer))) as server:
        found = MailchimpSession(transport(server.url)).subscribe("a1", [ADA], update_existing=True)
    assert found.updated == {"ada@example.org": ""}
    error = {"email_address": "ada@example.org", "field": "F" * 1_000_000, "error": "x" * 1_000_000}
    answer = {"new_members": [], "updated_members": [], "errors": [error]}
    with scripted_server.ScriptedServer(scripted_server.json(json.dumps(answer))) as server:
        found = MailchimpSession(transport(server.url)).subscribe("a1", [ADA], update_existing=True)
    assert found.refused["ada@example.org"].field == ""
    assert found.refused["ada@example.org"].code == Code.REFUSED


def test_a_tag_without_an_id_is_looked_up(transport):
    made = scripted_server.json('{"name": "Gold"}')
    there = scripted_server.json('{"segments": [{"id": 9, "name": "Gold"}], "total_items": 1}')
    with scripted_server.ScriptedServer(made, there) as server:
        assert MailchimpSession(transport(server.url)).create_tag("a1", "Gold").id == 9
        assert [asked.method for asked in server.asked] == ["POST", "GET"]


@pytest.mark.parametrize(
    "title", ["Forbidden" * 100_000, "\r\nSet-Cookie: a=b", "\0", "API Key Invalid"]
)
def test_the_title_of_a_problem_is_never_repeated(title, transport):
    body = json.dumps({"title": title, "errors": [{"field": "a\r\nb"}, "x", None]})
    answer = scripted_server.Answer(
        401, body.encode(), {"Content-Type": "application/problem+json"}
    )
    with (
        scripted_server.ScriptedServer(answer) as server,
        pytest.raises((Disconnected, Refused)) as caught,
    ):
        MailchimpSession(transport(server.url)).ping()
    assert len(str(caught.value)) < 200
    assert not set(str(caught.value)) & {"\r", "\n", "\0"}


def test_column_types_are_parsed_into_their_parts():
    odd = {"n": "12", "f": 3.0, "b": True, "t": "x" * 5000, "i": 7, "status": "Sub scribed"}
    assert [whole_number_in(odd, name) for name in "nfbtiz"] == [12, 3, 0, 0, 7, 0]
    assert [len(text_in(odd, name)) for name in "nfbtiz"] == [2, 0, 0, 1000, 1, 0]
    assert status_in(odd) == ""
    assert objects_in([{}, 1, None, {"a": 1}]) == [{}, {"a": 1}]
