"""Every member of a batch call gets a result, in every language of the response."""

from __future__ import annotations

import orjson
import pytest

from sandbox.mailchimp import Fault, Options, Sandbox
from shared.errors import NotFound, Refused, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey
from shared.model.audience import Member, Refusal
from shared.model.outcome import Code
from tests.mailchimp.scripted_server import ScriptedServer, json

LANGUAGES = pytest.mark.parametrize("language", ["en", "de"])


def member(address, status="subscribed", tags=("VIP",), **fields):
    return Member(address, fields, tags, status)


def test_a_batch_returns_new_and_existing_members_with_their_statuses(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("old@example.org", merge_fields={"FNAME": "Old"})
    audience.add("gone@example.org", status="unsubscribed", cause="self")
    answer = session.subscribe(
        audience.id,
        [
            member("new@example.org", FNAME="New"),
            member("wait@example.org", status="pending"),
            member("old@example.org", status=None, FNAME="Newer"),
            member("gone@example.org", status=None),
        ],
        update_existing=True,
    )
    assert answer.created == {"new@example.org": "subscribed", "wait@example.org": "pending"}
    assert answer.updated == {"old@example.org": "subscribed", "gone@example.org": "unsubscribed"}
    assert answer.refused == {}
    assert set(answer.opted_in) <= set(answer.updated)
    assert audience.member("old@example.org").merge_fields == {"FNAME": "Newer"}
    assert audience.member("old@example.org").tags == {"VIP"}
    assert sandbox.calls.statuses_changed == {}


def test_existing_members_are_unchanged_without_update_existing(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("gone@example.org", status="unsubscribed", cause="admin")
    answer = session.subscribe(audience.id, [member("gone@example.org")], update_existing=False)
    assert answer.refused == {"gone@example.org": Refusal(Code.CONTACT_EXISTS)}
    assert audience.member("gone@example.org").status == "unsubscribed"
    assert audience.member("gone@example.org").tags == frozenset()


@LANGUAGES
def test_a_200_response_names_the_refused_members(language, transport):
    options = Options(language=language, unknown_merge_tags="refuse")
    with Sandbox(options) as sandbox:
        audience = sandbox.audience("News")
        session = MailchimpSession(transport(sandbox.api_url, ApiKey(sandbox.api_key)))
        answer = session.subscribe(
            audience.id,
            [
                member("good@example.org"),
                member("bad@example.org", BIRTH="x"),
                member("kind@example.org", ADDRESS="one line"),
            ],
            update_existing=False,
        )
    assert set(answer.created) == {"good@example.org"}
    assert answer.refused == {
        "bad@example.org": Refusal(Code.FIELD_REFUSED, "BIRTH"),
        "kind@example.org": Refusal(Code.FIELD_REFUSED, "ADDRESS"),
    }


@LANGUAGES
def test_a_required_field_that_was_not_sent_is_reported_as_missing(sandbox, session, language):
    sandbox.set(language=language)
    audience = sandbox.audience("News")
    audience.state.merge_fields[2].required = True
    people = [member("a@example.org", FNAME="A"), member("b@example.org", LNAME="B")]
    answer = session.subscribe(audience.id, people, update_existing=False)
    assert answer.refused == {"a@example.org": Refusal(Code.FIELD_REQUIRED, "LNAME")}
    again = session.subscribe(
        audience.id, people[:1], update_existing=False, skip_merge_validation=True
    )
    assert set(again.created) == {"a@example.org"}


@pytest.mark.parametrize("named", [False, True], ids=["without a field", "naming the address"])
def test_refusals_without_a_merge_field_are_recognized_in_english_only(sandbox, session, named):
    sandbox.set(refusals_name_field=named)
    audience = sandbox.audience("News")
    audience.add("left@example.org", status="unsubscribed", cause="self")
    audience.add("erased@example.org")
    audience.forget("erased@example.org")
    sandbox.set(
        refused_addresses="fake@example.org",
        throttled_addresses="busy@example.org",
        refused_domains="nowhere.org",
    )
    people = [member(f"{name}@example.org") for name in ("left", "erased", "fake", "busy", "good")]
    people.append(member("x@nowhere.org"))
    english = session.subscribe(audience.id, people, update_existing=True).refused
    assert {address.partition("@")[0]: reason.code for address, reason in english.items()} == {
        "left": Code.COMPLIANCE_STATE,
        "erased": Code.FORGOTTEN,
        "fake": Code.ADDRESS_REFUSED,
        "busy": Code.ADDRESS_THROTTLED,
        "x": Code.ADDRESS_REFUSED,
    }
    sandbox.set(language="de")
    german = session.subscribe(audience.id, people, update_existing=True).refused
    assert german.keys() == english.keys()
    unknown = Code.ADDRESS_REFUSED if named else Code.REFUSED
    assert {reason.code for reason in german.values()} == {unknown}


@LANGUAGES
def test_the_plan_limit_of_a_call_is_recognized_in_every_language(sandbox, session, language):
    sandbox.set(language=language, plan_limit=1)
    audience = sandbox.audience("News")
    with pytest.raises(Refused) as caught:
        session.subscribe(
            audience.id,
            [member("a@example.org"), member("b@example.org")],
            update_existing=False,
        )
    assert caught.value.code == Code.PLAN_LIMIT


def test_the_plan_limit_of_a_member_is_recognized(sandbox, session):
    sandbox.set(plan_limit=1, plan_limit_answer="member")
    audience = sandbox.audience("News")
    answer = session.subscribe(
        audience.id, [member("a@example.org"), member("b@example.org")], update_existing=False
    )
    assert answer.refused == {"b@example.org": Refusal(Code.PLAN_LIMIT)}


def test_a_value_of_the_wrong_type_may_refuse_the_whole_call_and_names_the_field(sandbox, session):
    sandbox.set(wrong_kind="call")
    audience = sandbox.audience("News")
    with pytest.raises(Refused) as caught:
        session.subscribe(
            audience.id, [member("a@example.org", ADDRESS="line")], update_existing=False
        )
    assert caught.value.status == 400
    assert caught.value.field.endswith("ADDRESS")


def test_the_status_in_the_response_is_used_and_not_the_one_that_was_sent(sandbox, session):
    sandbox.set(double_optin_forces_pending=True)
    audience = sandbox.audience("News", double_optin=True)
    answer = session.subscribe(audience.id, [member("a@example.org")], update_existing=False)
    assert answer.created == {"a@example.org": "pending"}


def answered(new=(), updated=(), errors=()):
    return json(
        orjson.dumps({"new_members": new, "updated_members": updated, "errors": list(errors)})
    )


def test_results_are_matched_although_mailchimp_quotes_or_recases_addresses(transport):
    answer = answered(
        new=[{"email_address": "Ada@Example.ORG", "status": "subscribed"}],
        updated=[
            {
                "email_address": " bob@example.org ",
                "status": "pending",
                "timestamp_opt": "2026-01-01T00:00:00+00:00",
            }
        ],
        errors=[
            {"email_address": '"EVE@example.org"', "error": "fake or invalid"},
            {"email_address": "<jo@bücher.example>", "error_code": "ERROR_CONTACT_EXISTS"},
            {"email_address": "Al@Straße.example", "error_code": "ERROR_CONTACT_EXISTS"},
        ],
    )
    people = [
        "ada@example.org",
        "bob@example.org",
        "eve@example.org",
        "jo@xn--bcher-kva.example",
        "al@xn--strae-oqa.example",
    ]
    with ScriptedServer(answer) as server:
        found = MailchimpSession(transport(server.url)).subscribe(
            "abc", [member(address) for address in people], update_existing=True
        )
    assert found.created == {"ada@example.org": "subscribed"}
    assert found.updated == {"bob@example.org": "pending"}
    assert found.opted_in == {"bob@example.org": "2026-01-01T00:00:00+00:00"}
    assert found.refused == {
        "eve@example.org": Refusal(Code.ADDRESS_REFUSED),
        "jo@xn--bcher-kva.example": Refusal(Code.CONTACT_EXISTS),
        "al@xn--strae-oqa.example": Refusal(Code.CONTACT_EXISTS),
    }


def test_an_address_that_begins_with_a_quote_is_another_one_than_without_it(transport):
    quoted, plain = "'ann@example.org", "ann@example.org"
    for sent in ([quoted, plain], [plain, quoted]):
        for created, refused in ((quoted, plain), (plain, quoted)):
            answer = answered(
                new=[{"email_address": created.upper(), "status": "subscribed"}],
                errors=[{"email_address": refused, "error": "fake or invalid"}],
            )
            with ScriptedServer(answer) as server:
                found = MailchimpSession(transport(server.url)).subscribe(
                    "abc", [member(address) for address in sent], update_existing=False
                )
            assert found.created == {created: "subscribed"}
            assert found.refused == {refused: Refusal(Code.ADDRESS_REFUSED)}


def test_a_person_missing_from_the_response_has_no_result_or_the_reason_without_an_address(
    transport,
):
    people = [member("ada@example.org"), member("bob@example.org")]
    silent = answered(new=[{"email_address": "ada@example.org", "status": "subscribed"}])
    nameless = answered(
        new=[{"email_address": "ada@example.org", "status": "subscribed"}],
        errors=[{"email_address": "", "error": "Please provide a valid email address."}],
    )
    refusal = {"bob@example.org": Refusal(Code.ADDRESS_REFUSED)}
    for answer, refused in ((silent, {}), (nameless, refusal)):
        with ScriptedServer(answer) as server:
            found = MailchimpSession(transport(server.url)).subscribe(
                "abc", people, update_existing=True
            )
        assert found.refused == refused
        assert "bob@example.org" not in found.created | found.updated


@pytest.mark.parametrize(
    ("texts", "accepted"),
    [
        (["looks fake or invalid"], []),
        (["permanently deleted", "No"], []),
        (["permanently deleted", "No"], ["ada@example.org"]),
    ],
)
def test_reasons_without_addresses_are_assigned_in_smaller_calls(texts, accepted, transport):
    people = [member("ada@example.org"), member("bob@example.org")]
    answer = answered(
        new=[{"email_address": address, "status": "subscribed"} for address in accepted],
        errors=[{"email_address": None, "error": text} for text in texts],
    )
    with ScriptedServer(answer) as server, pytest.raises(Unavailable) as caught:
        MailchimpSession(transport(server.url)).subscribe("abc", people, update_existing=True)
    assert caught.value.maybe_applied


def test_the_only_contact_with_another_address_is_the_only_omitted_person(transport):
    people = [member("ada@example.org"), member("b.ob@example.org")]
    ada = {"email_address": "ada@example.org", "status": "subscribed"}
    bob = {"email_address": "bob@example.org", "status": "pending"}
    with ScriptedServer(answered(new=[bob], updated=[ada])) as server:
        found = MailchimpSession(transport(server.url)).subscribe(
            "abc", people, update_existing=True
        )
    assert found.created == {"b.ob@example.org": "pending"}
    assert found.updated == {"ada@example.org": "subscribed"}
    assert found.refused == {}


@pytest.mark.parametrize("errors", [[], [{"email_address": "", "error": "No"}]])
def test_several_contacts_with_other_addresses_are_told_apart_in_smaller_calls(errors, transport):
    people = [member("a.da@example.org"), member("b.ob@example.org")]
    new = [{"email_address": "ada@example.org", "status": "subscribed"}]
    if not errors:
        new.append({"email_address": "bob@example.org", "status": "subscribed"})
    with (
        ScriptedServer(answered(new=new, errors=errors)) as server,
        pytest.raises(Unavailable) as caught,
    ):
        MailchimpSession(transport(server.url)).subscribe("abc", people, update_existing=True)
    assert caught.value.maybe_applied


@pytest.mark.parametrize(
    "answer",
    [
        {"total_created": 1},
        {"new_members": [], "updated_members": [], "errors": [], "total_created": 1},
        {"new_members": [], "updated_members": []},
        {"errors": [], "total_created": 1, "total_updated": 0},
        {"new_members": [], "updated_members": {}, "errors": []},
    ],
)
def test_a_response_without_a_list_that_has_entries_may_have_been_applied(answer, transport):
    with (
        ScriptedServer(json(orjson.dumps(answer))) as server,
        pytest.raises(Unavailable) as caught,
    ):
        MailchimpSession(transport(server.url)).subscribe(
            "abc", [member("a@b.org")], update_existing=True
        )
    assert caught.value.maybe_applied


@pytest.mark.parametrize(
    "empty", [{}, {"updated_members": None, "errors": None}], ids=["missing", "null"]
)
def test_a_list_without_entries_may_be_missing_from_the_response(empty, transport):
    ada = {"email_address": "ada@example.org", "status": "subscribed"}
    counted = {"total_created": 1, "total_updated": 0, "error_count": 0}
    people = [member("ada@example.org"), member("bob@example.org")]
    answer = {"new_members": [ada], **empty}
    for body, sent, refused in (
        (answer, people[:1], {}),
        ({**answer, **counted}, people, {}),
    ):
        with ScriptedServer(json(orjson.dumps(body))) as server:
            found = MailchimpSession(transport(server.url)).subscribe(
                "abc", sent, update_existing=True
            )
        assert found.created == {"ada@example.org": "subscribed"}
        assert found.refused == refused


def test_a_batch_call_sends_its_options_and_never_syncs_tags(transport):
    with ScriptedServer(answered()) as server:
        session = MailchimpSession(transport(server.url))
        session.subscribe(
            "abc",
            [member("a@b.org", FNAME="A"), member("c@d.org", status=None, tags=())],
            update_existing=True,
            skip_merge_validation=True,
        )
        target, body = server.asked[0].target, orjson.loads(server.asked[0].body)
    assert target == "/lists/abc?skip_merge_validation=true&skip_duplicate_check=true"
    assert body == {
        "members": [
            {
                "email_address": "a@b.org",
                "merge_fields": {"FNAME": "A"},
                "tags": ["VIP"],
                "status": "subscribed",
            },
            {"email_address": "c@d.org", "merge_fields": {}},
        ],
        "update_existing": True,
        "sync_tags": False,
    }


def test_the_same_address_twice_in_a_call_is_one_member(sandbox, session):
    audience = sandbox.audience("News")
    answer = session.subscribe(
        audience.id, [member("a@example.org"), member("a@example.org")], update_existing=False
    )
    assert (set(answer.created), answer.refused) == ({"a@example.org"}, {})


def test_a_call_has_at_most_500_members(sandbox, session):
    audience = sandbox.audience("News")
    addresses = [f"p{n}@example.org" for n in range(501)]
    for call in (
        lambda: session.subscribe(
            audience.id, [member(address) for address in addresses], update_existing=True
        ),
        lambda: session.untag(audience.id, 1, addresses),
        lambda: session.retag(audience.id, 1, addresses),
    ):
        with pytest.raises(ValueError, match="500"):
            call()
    assert sandbox.calls.count() == 0


def test_500_members_go_in_one_call(sandbox, session):
    audience = sandbox.audience("News")
    people = [member(f"p{n}@example.org", FNAME="Ü" * 50) for n in range(500)]
    answer = session.subscribe(audience.id, people, update_existing=False)
    assert len(answer.created) == 500
    assert (sandbox.calls.count("POST"), session.calls.write) == (1, 1)


def test_a_batch_without_members_makes_no_call(sandbox, session):
    audience = sandbox.audience("News")
    assert session.subscribe(audience.id, [], update_existing=True).created == {}
    assert session.untag(audience.id, 1, []).removed == 0
    assert session.retag(audience.id, 1, []).added == 0
    assert sandbox.calls.count() == 0


@pytest.mark.parametrize("report", ["silent", "report"])
def test_addresses_outside_the_audience_do_not_count_as_tagged(sandbox, session, report):
    sandbox.set(ignored_segment_members=report)
    audience = sandbox.audience("News")
    audience.add("ada@example.org", tags=["Mine"])
    tag = session.create_tag(audience.id, "VIP")
    people = ["ada@example.org", "nobody@example.org"]
    assert session.retag(audience.id, tag.id, people).added == 1
    assert session.retag(audience.id, tag.id, people).added == 0
    removed = session.untag(audience.id, tag.id, people)
    assert (removed.removed, removed.without) == (1, {"nobody@example.org"})
    assert audience.member("ada@example.org").tags == {"Mine"}


@pytest.mark.parametrize(
    ("listed", "removed", "without"),
    [
        (["ADA@Example.org"], 1, {"bob@example.org"}),
        (["ada@example.org", "bob@example.org"], 2, set()),
        ([], 0, {"ada@example.org", "bob@example.org"}),
        ([], 1, set()),
        (["ada@example.org", "bob@example.org"], 1, set()),
        (["ada@example.org", "ada@example.org", "ada@example.org"], 3, set()),
        (["ada@example.org"] * 2, 2, set()),
        (["moved@example.org"], 1, set()),
        ([None], 1, set()),
    ],
)
def test_contacts_count_as_without_a_tag_only_if_the_response_lists_all_others(
    transport, listed, removed, without
):
    members = [{"email_address": address} for address in listed]
    body = orjson.dumps({"members_removed": members, "total_added": 0, "total_removed": removed})
    with ScriptedServer(json(body)) as server:
        session = MailchimpSession(transport(server.url))
        answer = session.untag("a1", 7, ["ada@example.org", "bob@example.org"])
    assert answer.without == without


def test_a_deleted_tag_is_not_found(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("ada@example.org")
    for call in (session.untag, session.retag):
        with pytest.raises(NotFound):
            call(audience.id, 77, ["ada@example.org"])


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "archived", "cleaned"])
def test_members_are_counted_exactly_although_the_statistics_are_old(sandbox, session, status):
    audience = sandbox.audience("News")
    session.audience(audience.id)
    for number in range(3):
        audience.add(f"p{number}@example.org", status=status)
    assert session.count(audience.id, status) == 3


@pytest.mark.parametrize("kind", ["504-applied", "reset-applied", "truncated", "not-json"])
def test_a_batch_with_a_lost_response_is_repeated_without_further_changes(sandbox, session, kind):
    audience = sandbox.audience("News")
    sandbox.arm(Fault(kind=kind, method="POST"))
    answer = session.subscribe(audience.id, [member("a@example.org")], update_existing=True)
    assert answer.updated == {"a@example.org": "subscribed"}
    assert "a@example.org" in answer.opted_in
    assert len(audience.members()) == 1


def test_a_poison_row_raises_an_error_that_allows_a_split(sandbox, session):
    audience = sandbox.audience("News")
    sandbox.set(poison_addresses="b@example.org")
    people = [member("a@example.org"), member("b@example.org")]
    with pytest.raises(Unavailable) as caught:
        session.subscribe(audience.id, people, update_existing=True)
    assert caught.value.maybe_applied
    assert sandbox.calls.count("POST") == 2
