"""The meaning of error responses by status, title, error code and field, in every language."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mailchimp.error_responses import ErrorBody, ErrorKind, classify, problem_in, refusal
from shared.model.outcome import Code


@pytest.mark.parametrize(
    ("status", "title", "kind", "code"),
    [
        (400, "Invalid Resource", ErrorKind.REFUSED, Code.REFUSED),
        (400, "Bad Request", ErrorKind.REFUSED, Code.REFUSED),
        (400, "Member In Compliance State", ErrorKind.REFUSED, Code.COMPLIANCE_STATE),
        (400, "Forgotten Email Not Subscribed", ErrorKind.REFUSED, Code.FORGOTTEN),
        (400, "Member Exists", ErrorKind.REFUSED, Code.CONTACT_EXISTS),
        (400, "JSON Parse Error", ErrorKind.REFUSED, "requestUnreadable"),
        (400, "JSONParseError", ErrorKind.REFUSED, "requestUnreadable"),
        (401, "API Key Invalid", ErrorKind.DISCONNECTED, "keyInvalid"),
        (401, "APIKeyMissing", ErrorKind.DISCONNECTED, "keyInvalid"),
        (402, "Payment Required", ErrorKind.REFUSED, Code.PLAN_LIMIT),
        (403, "Forbidden", ErrorKind.REFUSED, "forbidden"),
        (403, "User Disabled", ErrorKind.DISCONNECTED, "accountDisabled"),
        (403, "Wrong Datacenter", ErrorKind.DISCONNECTED, "wrongDataCentre"),
        (403, None, ErrorKind.THROTTLED, "throttled"),
        (404, "Resource Not Found", ErrorKind.MISSING, "missing"),
        (405, "Method Not Allowed", ErrorKind.REFUSED, Code.REFUSED),
        (405, None, ErrorKind.BROKEN, "notJson"),
        (410, None, ErrorKind.BROKEN, "notJson"),
        (451, None, ErrorKind.BROKEN, "notJson"),
        (409, "Conflict", ErrorKind.BROKEN, "serverError"),
        (413, None, ErrorKind.REFUSED, "tooLarge"),
        (414, "Resource Nesting Too Deep", ErrorKind.REFUSED, Code.REFUSED),
        (422, "Requested Fields Invalid", ErrorKind.REFUSED, Code.REFUSED),
        (423, "Locked", ErrorKind.BROKEN, "serverError"),
        (425, "Too Early", ErrorKind.BROKEN, "serverError"),
        (426, None, ErrorKind.REFUSED, Code.REFUSED),
        (429, "Too Many Requests", ErrorKind.THROTTLED, "throttled"),
        (429, None, ErrorKind.THROTTLED, "throttled"),
        (500, "Internal Server Error", ErrorKind.BROKEN, "serverError"),
        (502, None, ErrorKind.BROKEN, "serverError"),
        (503, "Compliance Related", ErrorKind.REFUSED, "methodDisabled"),
        (503, None, ErrorKind.BLOCKED, "throttled"),
        (504, None, ErrorKind.BROKEN, "serverError"),
        (302, None, ErrorKind.REFUSED, "redirected"),
    ],
)
def test_error_responses_match_the_documented_glossary(status, title, kind, code):
    found = classify(status, ErrorBody(title) if title else None)
    assert (found.kind, found.code) == (kind, code)


def test_forbidden_for_a_call_that_writes_members_means_the_limit_of_the_plan():
    found = classify(403, ErrorBody("Forbidden"), about_members=True)
    assert (found.kind, found.code) == (ErrorKind.REFUSED, Code.PLAN_LIMIT)


@pytest.mark.parametrize("title", ["Compliance Related", "User Under Review"])
def test_forbidden_with_another_title_is_not_the_limit_of_the_plan(title):
    found = classify(403, ErrorBody(title), about_members=True)
    assert (found.kind, found.code) == (ErrorKind.REFUSED, "forbidden")


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
    assert (found.kind, found.code, found.field) == (ErrorKind.REFUSED, code, field)


@pytest.mark.parametrize(
    ("detail", "kind", "code"),
    [
        (
            "You have exceeded the limit of 10 simultaneous connections.",
            ErrorKind.THROTTLED,
            "throttled",
        ),
        ("Too many connections from this account.", ErrorKind.THROTTLED, "throttled"),
        ("This account has been deactivated.", ErrorKind.DISCONNECTED, "accountDisabled"),
        ("This user is disabled.", ErrorKind.DISCONNECTED, "accountDisabled"),
        ("You are not permitted to access this resource.", ErrorKind.REFUSED, "forbidden"),
        ("You don't have permission to access this resource.", ErrorKind.REFUSED, "forbidden"),
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
        assert (found.kind, found.code) == (ErrorKind.REFUSED, Code.PLAN_LIMIT)


@given(st.integers(min_value=100, max_value=999), st.none() | st.text())
def test_every_response_has_a_meaning(status, title):
    problem = None if title is None else ErrorBody(title)
    classification = classify(status, problem)
    assert isinstance(classification.kind, ErrorKind)


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
        ({"field": "members.item:3.merge_fields.BDAY"}, {"BDAY": "9"}, Code.FIELD_REFUSED, "BDAY"),
        ({"field": "merge_fields.CITY"}, {}, Code.FIELD_REQUIRED, "CITY"),
        ({"field": "members[3].merge_fields.CITY"}, {}, Code.FIELD_REQUIRED, "CITY"),
        ({"field": "ADDRESS.zip"}, {}, Code.FIELD_REQUIRED, "ADDRESS"),
        ({"field": "members.item:3.status"}, {}, Code.FIELD_REQUIRED, "status"),
        ({"field": "members.item:3.email_address"}, {}, Code.ADDRESS_REFUSED, ""),
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
            ErrorKind.DISCONNECTED,
            "wrongDataCentre",
        ),
        (
            403,
            "Forbidden",
            "You have reached the contact limit of your plan.",
            ErrorKind.REFUSED,
            Code.PLAN_LIMIT,
        ),
        (
            400,
            "Bad Request",
            "Your plan does not allow more contacts.",
            ErrorKind.REFUSED,
            Code.PLAN_LIMIT,
        ),
        (
            400,
            "Bad Request",
            "The resource submitted is not valid.",
            ErrorKind.REFUSED,
            Code.REFUSED,
        ),
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
    assert classify(400, problem_in(b"")).kind is ErrorKind.BROKEN
