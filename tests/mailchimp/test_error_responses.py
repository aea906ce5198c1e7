"""The meaning of error responses by status, title, error code and field, in every language."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mailchimp.error_responses import Kind, Problem, classify, problem_in, refusal
from shared.model.outcome import Code


@pytest.mark.parametrize(
    ("status", "title", "kind", "code"),
    [
        (400, "Invalid Resource", Kind.REFUSED, Code.REFUSED),
        (400, "Bad Request", Kind.REFUSED, Code.REFUSED),
        (400, "Member In Compliance State", Kind.REFUSED, Code.COMPLIANCE_STATE),
        (400, "Forgotten Email Not Subscribed", Kind.REFUSED, Code.FORGOTTEN),
        (400, "Member Exists", Kind.REFUSED, Code.CONTACT_EXISTS),
        (400, "JSON Parse Error", Kind.REFUSED, "requestUnreadable"),
        (400, "JSONParseError", Kind.REFUSED, "requestUnreadable"),
        (401, "API Key Invalid", Kind.DISCONNECTED, "keyInvalid"),
        (401, "APIKeyMissing", Kind.DISCONNECTED, "keyInvalid"),
        (402, "Payment Required", Kind.REFUSED, Code.PLAN_LIMIT),
        (403, "Forbidden", Kind.REFUSED, "forbidden"),
        (403, "User Disabled", Kind.DISCONNECTED, "accountDisabled"),
        (403, "Wrong Datacenter", Kind.DISCONNECTED, "wrongDataCentre"),
        (403, None, Kind.THROTTLED, "throttled"),
        (404, "Resource Not Found", Kind.MISSING, "missing"),
        (405, "Method Not Allowed", Kind.REFUSED, Code.REFUSED),
        (405, None, Kind.BROKEN, "notJson"),
        (410, None, Kind.BROKEN, "notJson"),
        (451, None, Kind.BROKEN, "notJson"),
        (413, None, Kind.REFUSED, "tooLarge"),
        (414, "Resource Nesting Too Deep", Kind.REFUSED, Code.REFUSED),
        (422, "Requested Fields Invalid", Kind.REFUSED, Code.REFUSED),
        (426, None, Kind.REFUSED, Code.REFUSED),
        (429, "Too Many Requests", Kind.THROTTLED, "throttled"),
        (429, None, Kind.THROTTLED, "throttled"),
        (500, "Internal Server Error", Kind.BROKEN, "serverError"),
        (502, None, Kind.BROKEN, "serverError"),
        (503, "Compliance Related", Kind.REFUSED, "methodDisabled"),
        (503, None, Kind.BLOCKED, "throttled"),
        (504, None, Kind.BROKEN, "serverError"),
        (302, None, Kind.REFUSED, "redirected"),
    ],
)
def test_error_responses_match_the_documented_glossary(status, title, kind, code):
    found = classify(status, Problem(title) if title else None)
    assert (found.kind, found.code) == (kind, code)


def test_forbidden_for_a_call_that_writes_members_means_the_limit_of_the_plan():
    found = classify(403, Problem("Forbidden"), about_members=True)
    assert (found.kind, found.code) == (Kind.REFUSED, Code.PLAN_LIMIT)


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("members.item:0.email_address", Code.ADDRESS_REFUSED, ""),
        ("members.item:17.merge_fields.CITY", Code.FIELD_REFUSED, "CITY"),
        ("members.item:0.merge_fields.ADDRESS.zip", Code.FIELD_REFUSED, "ADDRESS"),
        ("members[0].merge_fields.CITY", Code.FIELD_REFUSED, "CITY"),
        ("members.item:0", Code.REFUSED, ""),
        ("members.item:0.ip_signup", Code.REFUSED, "ip_signup"),
        ("members", Code.REFUSED, "members"),
    ],
)
def test_a_refused_call_names_the_field_and_not_its_path(path, code, field):
    document = {"title": "Invalid Resource", "errors": [{"field": path, "message": "No"}]}
    found = classify(400, problem_in(orjson.dumps(document)), about_members=True)
    assert (found.kind, found.code, found.field) == (Kind.REFUSED, code, field)


@pytest.mark.parametrize(
    ("detail", "kind", "code"),
    [
        (
            "You have exceeded the limit of 10 simultaneous connections.",
            Kind.THROTTLED,
            "throttled",
        ),
        ("Too many connections from this account.", Kind.THROTTLED, "throttled"),
        ("This account has been deactivated.", Kind.DISCONNECTED, "accountDisabled"),
        ("This user is disabled.", Kind.DISCONNECTED, "accountDisabled"),
        ("You are not permitted to access this resource.", Kind.REFUSED, "forbidden"),
        ("You don't have permission to access this resource.", Kind.REFUSED, "forbidden"),
    ],
)
def test_forbidden_with_another_cause_in_its_text_is_not_the_limit_of_the_plan(detail, kind, code):
    problem = problem_in(orjson.dumps({"title": "Forbidden", "status": 403, "detail": detail}))
    found = classify(403, problem, about_members=True)
    assert (found.kind, found.code) == (kind, code)


def test_a_forbidden_call_with_a_text_about_the_plan_is_the_limit_of_the_plan():
    detail = "You do not have permission to access this resource. Please upgrade your plan."
    problem = problem_in(orjson.dumps({"title": "Forbidden", "status": 403, "detail": detail}))
    for about_members in (True, False):
        found = classify(403, problem, about_members=about_members)
        assert (found.kind, found.code) == (Kind.REFUSED, Code.PLAN_LIMIT)


@given(st.integers(min_value=100, max_value=999), st.none() | st.text())
def test_every_response_has_a_meaning(status, title):
    problem = None if title is None else Problem(title)
    classification = classify(status, problem)
    assert isinstance(classification.kind, Kind)


@given(st.binary() | st.from_regex(rb'\{"title": *"[a-z]*", "errors": .*\}', fullmatch=True))
def test_any_body_is_handled(body):
    found = problem_in(body)
    assert found is None or isinstance(found.title, str)


@pytest.mark.parametrize(
    ("error", "sent", "code", "field"),
    [
        # Decided without a text
        ({"error_code": "ERROR_CONTACT_EXISTS", "error": "schon da"}, {}, Code.CONTACT_EXISTS, ""),
        ({"field": "EMAIL", "error": "ungültig"}, {}, Code.ADDRESS_REFUSED, ""),
        ({"field": "email_address", "error": "?"}, {}, Code.ADDRESS_REFUSED, ""),
        ({"field": "BDAY", "error": "ungültig"}, {"BDAY": "99/99"}, Code.FIELD_REFUSED, "BDAY"),
        ({"field": "LNAME", "error": "Bitte"}, {"FNAME": "A"}, Code.FIELD_REQUIRED, "LNAME"),
        ({"field": "LNAME", "error": "Bitte"}, {"LNAME": ""}, Code.FIELD_REQUIRED, "LNAME"),
        ({"field": "POINTS", "error": "?"}, {"POINTS": 0}, Code.FIELD_REFUSED, "POINTS"),
        ({"field": "LNAME", "error": "Bitte"}, None, Code.FIELD_REQUIRED, "LNAME"),
        ({"field": "merge_fields.BDAY"}, {"BDAY": "99/99"}, Code.FIELD_REFUSED, "BDAY"),
        ({"field": "ADDRESS.zip"}, {"ADDRESS": {"zip": "1"}}, Code.FIELD_REFUSED, "ADDRESS"),
        ({"field": "bday"}, {"BDAY": "99/99"}, Code.FIELD_REFUSED, "BDAY"),
        ({"field": "MERGE0", "error": "?"}, {}, Code.ADDRESS_REFUSED, ""),
        # Hints, for what has no field or only that of the address
        ({"field": "EMAIL", "error": "x was permanently deleted and"}, {}, Code.FORGOTTEN, ""),
        (
            {"field": "email_address", "error": "x is already a list member"},
            {},
            Code.CONTACT_EXISTS,
            "",
        ),
        ({"error": "x is in a compliance state due to"}, {}, Code.COMPLIANCE_STATE, ""),
        ({"error": "x was permanently deleted and cannot"}, {}, Code.FORGOTTEN, ""),
        ({"error": "was previously removed from this audience."}, {}, Code.FORGOTTEN, ""),
        ({"error": "x has signed up to a lot of lists very"}, {}, Code.ADDRESS_THROTTLED, ""),
        ({"error": "x looks fake or invalid, please"}, {}, Code.ADDRESS_REFUSED, ""),
        ({"error": "Please provide a valid email address."}, {}, Code.ADDRESS_REFUSED, ""),
        ({"error": "The domain portion of the email address"}, {}, Code.ADDRESS_REFUSED, ""),
        ({"error": "Your plan does not allow more contacts."}, {}, Code.PLAN_LIMIT, ""),
        # No hint to go by
        ({"error": "kann wegen Abmeldung nicht"}, {}, Code.REFUSED, ""),
        ({"error": None, "field": None, "error_code": None}, {}, Code.REFUSED, ""),
        ({"field": "ada@example.org", "error": "?"}, {}, Code.REFUSED, ""),
        ({}, None, Code.REFUSED, ""),
    ],
)
def test_a_members_refusal_is_recognized_by_code_and_field_first(error, sent, code, field):
    found = refusal(error, sent)
    assert (found.code, found.field) == (code, field)


@pytest.mark.parametrize(
    ("status", "title", "detail", "kind", "code"),
    [
        (
            403,
            "Forbidden",
            "The API key is for the data center us9, you tried us1.",
            Kind.DISCONNECTED,
            "wrongDataCentre",
        ),
        (
            403,
            "Forbidden",
            "You have reached the contact limit of your plan.",
            Kind.REFUSED,
            Code.PLAN_LIMIT,
        ),
        (
            400,
            "Bad Request",
            "Your plan does not allow more contacts.",
            Kind.REFUSED,
            Code.PLAN_LIMIT,
        ),
        (400, "Bad Request", "The resource submitted is not valid.", Kind.REFUSED, Code.REFUSED),
    ],
)
def test_a_refused_call_has_the_cause_that_only_its_text_names(status, title, detail, kind, code):
    body = orjson.dumps({"title": title, "status": status, "detail": detail})
    found = classify(status, problem_in(body))
    assert (found.kind, found.code) == (kind, code)


@pytest.mark.parametrize(
    "text",
    [
        "a@b.de has signed up to a lot of lists very recently; we're not allowing more signups",
        "This email address has too many recent signup requests",
        "too many signup requests for this address",
    ],
)
def test_an_address_that_signed_up_too_often_may_be_accepted_later(text):
    assert refusal({"error_code": "ERROR_GENERIC", "error": text}, {}).code == "addressThrottled"


def test_an_empty_400_is_not_an_answer_of_mailchimp():
    assert classify(400, problem_in(b"")).kind is Kind.BROKEN
