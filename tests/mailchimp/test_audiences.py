"""Audiences, merge fields and tags are read completely, compared as a whole and created once."""

from __future__ import annotations

import orjson
import pytest

from sandbox.mailchimp import Fault
from shared.errors import ConfigError, Conflict, Disconnected, NotFound, Refused, Unavailable
from shared.mailchimp import audiences
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey
from tests.mailchimp.scripted_server import Answer, ScriptedServer, json, problem

LOST = ["504-applied", "reset-applied", "truncated", "not-json"]


def test_audiences_and_the_account_are_shown(sandbox, session):
    for number in range(12):
        sandbox.audience(f"List {number}", double_optin=number == 3)
    found = session.audiences()
    assert [audience.name for audience in found] == [f"List {n}" for n in range(12)]
    assert [audience.double_opt_in for audience in found].count(True) == 1
    assert session.audience(found[3].id) == found[3]
    assert session.account().id == sandbox.account.id


def test_a_missing_audience_is_named(sandbox, session):
    sandbox.audience("News")
    for ask in (session.audience, session.merge_fields, session.tags):
        with pytest.raises(NotFound, match="0123456789"):
            ask("0123456789")
    with pytest.raises(NotFound, match="0123456789"):
        session.create_tag("0123456789", "VIP")


@pytest.mark.parametrize("bad", ["", "../x", "a/b", "a b", "ä", "a?fields=x", "a" * 65])
def test_an_audience_id_never_changes_the_path(bad, transport):
    with ScriptedServer(json("{}")) as server:
        session = MailchimpSession(transport(server.url))
        for ask in (session.audience, session.tags, session.merge_fields):
            with pytest.raises(ConfigError):
                ask(bad)
        with pytest.raises(ConfigError):
            session.create_tag(bad, "x")
        with pytest.raises(ConfigError):
            session.count(bad, "subscribed")
        assert server.asked == []


def test_merge_fields_are_read_beyond_the_default_page_of_ten(sandbox, session):
    audience = sandbox.audience("News")
    for number in range(14):
        session.create_merge_field(audience.id, f"F{number}", f"Field {number}", "text")
    assert len(session.merge_fields(audience.id)) == 18
    assert [f.tag for f in session.merge_fields(audience.id)] == audience.merge_tags()


def test_tags_are_read_beyond_one_page_and_saved_segments_are_not_tags(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=[f"Tag {n}" for n in range(1203)])
    sandbox.account.audiences[audience.id].segments[200005].type = "saved"
    found = session.tags(audience.id)
    assert len({tag.id for tag in found}) == 1202
    assert session.tag(audience.id, 200005) is None
    assert session.tag(audience.id, found[0].id) == found[0]
    assert session.tag(audience.id, 1) is None


class _ManyTags:
    """A transport to an audience with many tags."""

    def __init__(self, number: int) -> None:
        self.number = number

    def get(self, path: str, query: dict[str, str]) -> dict[str, object]:
        first, count = int(query["offset"]), int(query["count"])
        tags = [
            {"id": each + 1, "name": f"Tag {each}", "type": "static", "member_count": 0}
            for each in range(first, min(first + count, self.number))
        ]
        return {"segments": tags, "total_items": self.number}


def test_an_audience_may_have_as_many_tags_as_the_app_reads(monkeypatch):
    monkeypatch.setattr(audiences, "_MOST_PAGES", 2)
    assert len(MailchimpSession(_ManyTags(2_000)).tags("abc")) == 2_000
    with pytest.raises(ConfigError) as refused:
        MailchimpSession(_ManyTags(4_000)).tags("abc")
    assert refused.value.code == "tagsTooMany"


def test_the_count_of_a_tag_excludes_people_who_are_not_subscribed(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=["VIP"])
    audience.add("bob@example.org", tags=["VIP"], status="unsubscribed", cause="self")
    assert [tag.member_count for tag in session.tags(audience.id)] == [1]


def test_a_tag_is_created_empty_although_another_starts_with_its_name(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=["VIP Gold"])
    made = session.create_tag(audience.id, "VIP")
    assert (made.name, made.member_count) == ("VIP", 0)
    assert audience.tags() == {"VIP Gold": 1, "VIP": 0}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", ["VIP", "vip", "Vip"])
def test_creating_a_tag_with_an_existing_name_in_any_case_is_a_conflict(
    sandbox, session, language, name
):
    sandbox.set(language=language)
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=["VIP"])
    with pytest.raises(Conflict):
        session.create_tag(audience.id, name)
    assert audience.tags() == {"VIP": 1}


def test_renaming_a_tag_keeps_its_id_and_members(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=["Old", "Other"])
    old = next(tag for tag in session.tags(audience.id) if tag.name == "Old")
    sandbox.arm(Fault(kind="504-applied", method="PATCH"))
    renamed = session.rename_tag(audience.id, old.id, "New")
    assert (renamed.id, renamed.name, renamed.member_count) == (old.id, "New", 1)
    with pytest.raises(Conflict):
        session.rename_tag(audience.id, old.id, "OTHER")
    with pytest.raises(ConfigError) as refused:
        session.rename_tag(audience.id, old.id, "x" * 101)
    assert refused.value.code == "tagNameRefused"
    with pytest.raises(NotFound):
        session.rename_tag(audience.id, 77, "Else")


def test_a_tag_that_mailchimp_refuses_is_a_config_error(sandbox, session):
    audience = sandbox.audience("News")
    with pytest.raises(ConfigError) as caught:
        session.create_tag(audience.id, "x" * 101)
    assert not isinstance(caught.value, Conflict)


@pytest.mark.parametrize("kind", [*LOST, "reset", "504", "500", "429"])
def test_a_tag_is_created_once_after_a_lost_response(sandbox, session, kind):
    audience = sandbox.audience("News")
    sandbox.arm(Fault(kind=kind, method="POST"))
    made = session.create_tag(audience.id, "VIP")
    assert audience.tags() == {"VIP": 0}
    assert made == session.tag(audience.id, made.id)


@pytest.mark.parametrize("kind", [*LOST, "reset", "504", "500", "429"])
def test_a_merge_field_is_created_once_after_a_lost_response(sandbox, session, kind):
    audience = sandbox.audience("News")
    sandbox.arm(Fault(kind=kind, method="POST"))
    made = session.create_merge_field(audience.id, "COLOUR", "Colour", "text")
    assert made.tag == "COLOUR"
    assert audience.merge_tags().count("COLOUR") == 1


def test_creating_a_merge_field_again_returns_the_existing_one(sandbox, session):
    audience = sandbox.audience("News")
    first = session.create_merge_field(audience.id, "favourite colour", "Colour", "text")
    assert first.tag == "FAVOURITEC"
    assert session.create_merge_field(audience.id, "favourite colour", "colour", "text") == first
    other = session.create_merge_field(audience.id, "favourite colour", "Colour 2", "text")
    assert other.tag == "FAVOURITE2"


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_audience_with_the_maximum_of_merge_fields_is_reported(sandbox, session, language):
    sandbox.set(merge_field_limit=4, language=language)
    audience = sandbox.audience("News")
    with pytest.raises(ConfigError, match="4 fields") as caught:
        session.create_merge_field(audience.id, "COLOUR", "Colour", "text")
    assert caught.value.code == "mergeFieldNotCreated"


def server_of(listed: str | bytes, answer: Answer) -> ScriptedServer:
    """A server that has something to read, and gives one answer to all calls that change something."""
    return ScriptedServer(lambda asked: json(listed) if asked.method == "GET" else answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(403, "Forbidden"), "forbidden"),
        (problem(405, "Method Not Allowed"), "refused"),
        (problem(503, "Compliance Related"), "methodDisabled"),
        (Answer(302, b"", {"Location": "/elsewhere"}), "redirected"),
    ],
)
def test_a_call_that_is_refused_for_another_reason_does_not_blame_the_name(transport, answer, code):
    nothing = '{"merge_fields":[],"segments":[],"total_items":0}'
    with server_of(nothing, answer) as server:
        session = MailchimpSession(transport(server.url))
        for call in (
            lambda: session.create_merge_field("a1", "COLOUR", "Colour", "text"),
            lambda: session.create_tag("a1", "VIP"),
            lambda: session.rename_tag("a1", 7, "VIP"),
        ):
            with pytest.raises(Refused) as refused:
                call()
            assert refused.value.code == code


@pytest.mark.parametrize("number", [29, 30])  # EMAIL may count
def test_a_full_audience_is_reported_although_mailchimp_answers_forbidden(transport, number):
    fields = [
        {"merge_id": n, "tag": f"F{n}", "name": f"Field {n}", "type": "text"}
        for n in range(1, number + 1)
    ]
    listed = orjson.dumps({"merge_fields": fields, "total_items": number})
    with server_of(listed, problem(403, "Forbidden")) as server:
        session = MailchimpSession(transport(server.url))
        with pytest.raises(ConfigError) as refused:
            session.create_merge_field("a1", "COLOUR", "Colour", "text")
    assert refused.value.code == "mergeFieldLimit"


def test_a_grant_revoked_while_creating_a_field_is_disconnected(sandbox, session):
    audience = sandbox.audience("News")
    sandbox.disable()
    with pytest.raises(Disconnected):
        session.create_tag(audience.id, "VIP")
    sandbox.disable(False)
    sandbox.revoke()
    with pytest.raises(Disconnected):
        session.create_merge_field(audience.id, "COLOUR", "Colour", "text")


def test_a_missing_list_is_not_an_empty_list(transport):
    with ScriptedServer(json('{"total_items": 3}')) as server, pytest.raises(Unavailable):
        MailchimpSession(transport(server.url)).tags("abc")


@pytest.mark.parametrize(
    ("their_name", "their_type", "tag"),
    [("Colour", "text", "COLOUR"), ("Paint", "text", "COLOUR2"), ("Colour", "number", "COLOUR2")],
)
def test_a_merge_field_that_appears_while_it_is_created_is_used_or_avoided(
    sandbox, session, transport, monkeypatch, their_name, their_type, tag
):
    audience = sandbox.audience("News")
    theirs = MailchimpSession(transport(sandbox.api_url, ApiKey(sandbox.api_key)))
    write = session._transport.write

    def write_later(*given, **more):
        monkeypatch.setattr(session._transport, "write", write)
        theirs.create_merge_field(audience.id, "COLOUR", their_name, their_type)
        return write(*given, **more)

    monkeypatch.setattr(session._transport, "write", write_later)

    made = session.create_merge_field(audience.id, "COLOUR", "Colour", "text")

    assert (made.tag, made.name, made.type) == (tag, "Colour", "text")


def test_an_empty_400_on_a_read_is_tried_again(sandbox, session):
    audience = sandbox.audience("News")
    sandbox.arm(Fault(kind="400-empty", method="GET"))
    assert session.audience(audience.id).name == "News"
    assert session.calls.retried == 1
