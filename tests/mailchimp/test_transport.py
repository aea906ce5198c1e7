"""The transport retries briefly, over one connection, and does not trust responses."""

from __future__ import annotations

import base64
import itertools
import socket

import pytest
import requests

from shared.errors import Disconnected, NotFound, Refused, Unavailable
from shared.http_session import BearerToken
from shared.mailchimp.transport import ApiKey, RetryPolicy
from shared.request_time import OTHER_SERVICES, TIME_UP, request_time
from tests.mailchimp.scripted_server import (
    HANG,
    RESET,
    Answer,
    ReceivedRequest,
    ScriptedServer,
    html,
    json,
    problem,
    zipped,
)

PERSON = "ada.lovelace@example.org"


def test_calls_share_one_persistent_connection(transport):
    with ScriptedServer(json("{}")) as server:
        calls = transport(server.url)
        for _ in range(3):
            calls.get("/ping")
        calls.write("POST", "/lists/a", {"members": []})
        assert server.connections == 1
        assert len(server.asked) == 4
        assert (calls.calls.read, calls.calls.write, calls.calls.retried) == (3, 1, 0)


def test_a_request_has_a_user_agent_and_accepts_gzip(transport):
    with ScriptedServer(json("{}")) as server:
        transport(server.url).get("/ping")
        headers = server.asked[0].headers
        assert headers["user-agent"].startswith("customer-insights-mailchimp-export/")
        assert headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (ApiKey("abc-us1"), "Basic " + base64.b64encode(b"export:abc-us1").decode()),
        (BearerToken("t0ken"), "Bearer t0ken"),
    ],
)
def test_a_netrc_file_never_replaces_the_grant(auth, expected, transport, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(json("{}")) as server:
        transport(server.url, auth).get("/ping")
        assert server.asked[0].headers["authorization"] == expected
    assert "abc-us1" not in repr(auth)
    assert "t0ken" not in repr(auth)


def test_cookies_set_by_a_proxy_are_not_sent_back(transport):
    with ScriptedServer(json("{}", Set_Cookie="ak_bmsc=1; Path=/")) as server:
        calls = transport(server.url)
        calls.get("/ping")
        calls.get("/ping")
        assert "cookie" not in server.asked[1].headers


def test_a_gzip_response_is_read(transport):
    with ScriptedServer(zipped(b'{"total_items": 7}')) as server:
        assert transport(server.url).get("/lists") == {"total_items": 7}


@pytest.mark.parametrize(
    "broken",
    [
        RESET,
        json('{"new_members": [{"email'),
        Answer(200, b'{"new_members": []}', {"Content-Type": "application/json"}, cut=9),
        zipped(b'{"new_members": []}', cut=15),
        Answer(200, b"not gzip at all", {"Content-Encoding": "gzip"}),
        html(200),
        json("[]"),
        Answer(200, b""),
        problem(500, "Internal Server Error"),
        html(502),
        problem(503, "Service Unavailable"),
        html(504),
        html(404),
        problem(408, "Request Timeout"),
        problem(409, "Conflict"),
        problem(423, "Locked"),
    ],
)
def test_a_write_that_may_have_been_applied_is_repeated_once(broken, transport):
    with ScriptedServer(broken) as server:
        calls = transport(server.url)
        with pytest.raises(Unavailable) as caught:
            calls.write("POST", "/lists/a", {"members": []})
        assert len(server.asked) == 2
    assert caught.value.maybe_applied
    assert not caught.value.throttled
    assert (calls.calls.write, calls.calls.retried) == (2, 1)


@pytest.mark.parametrize("broken", [RESET, html(504), json("{"), problem(500, "X")])
def test_a_write_that_succeeds_on_the_second_try_is_done(broken, transport):
    with ScriptedServer(broken, json('{"total_created": 1}')) as server:
        answer = transport(server.url).write("POST", "/lists/a", {"members": [{"x": 1}]})
        assert answer == {"total_created": 1}
        assert server.asked[0].body == server.asked[1].body


def test_a_call_that_times_out_may_have_been_applied(transport):
    with ScriptedServer(HANG, HANG) as server:
        calls = transport(server.url, retry_policy=RetryPolicy(connect=5, read=0.2))
        with pytest.raises(Unavailable) as caught:
            calls.write("POST", "/lists/a", {})
        assert caught.value.maybe_applied
        assert len(server.asked) == 2


def test_a_truncated_response_does_not_count_as_applied(transport):
    half = Answer(200, b'{"new_members": []}', {}, cut=5, end="hang")
    with ScriptedServer(half, half) as server:
        calls = transport(server.url, retry_policy=RetryPolicy(connect=5, read=0.2))
        with pytest.raises(Unavailable) as caught:
            calls.write("POST", "/lists/a", {})
        assert caught.value.maybe_applied


def test_a_read_is_retried_more_often_and_is_never_maybe_applied(transport):
    with ScriptedServer(html(504)) as server:
        calls = transport(server.url)
        with pytest.raises(Unavailable) as caught:
            calls.get("/lists")
        assert len(server.asked) == RetryPolicy().tries
        assert not caught.value.maybe_applied


def test_without_resending_a_write_that_may_have_been_applied_fails_at_once(transport):
    with ScriptedServer(html(504), json("{}")) as server:
        with pytest.raises(Unavailable):
            transport(server.url).write("POST", "/lists/a/segments", {}, resend=False)
        assert len(server.asked) == 1


def test_a_refused_connection_means_certainly_not_applied(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    calls = transport(f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable) as caught:
        calls.write("POST", "/lists/a", {})
    assert not caught.value.maybe_applied
    assert caught.value.code == "unreachable"
    assert calls.calls.write == RetryPolicy().tries


@pytest.mark.parametrize(
    "throttled",
    [
        problem(429, "Too Many Requests"),
        Answer(429, b"", {"Content-Type": "text/plain"}),
        html(403),
        Answer(403, b"Forbidden"),
        html(503),
    ],
)
def test_throttling_in_any_form_slows_down_and_continues(throttled, transport):
    slowed_down = []
    with ScriptedServer(throttled, throttled, json('{"ok": 1}')) as server:
        calls = transport(server.url, on_throttled=slowed_down.append)
        assert calls.write("POST", "/lists/a", {}) == {"ok": 1}
    assert len(slowed_down) == calls.calls.throttled == calls.calls.retried == 2


@pytest.mark.parametrize(
    ("answer", "maybe_applied"),
    [(problem(429, "Too Many Requests"), False), (html(403), False), (html(503), True)],
)
def test_endless_throttling_is_left_to_the_queue(answer, maybe_applied, transport, time):
    with ScriptedServer(answer) as server:
        with pytest.raises(Unavailable) as caught:
            transport(server.url).write("POST", "/lists/a", {})
        assert len(server.asked) == RetryPolicy().tries
    assert caught.value.throttled
    assert caught.value.maybe_applied is maybe_applied
    assert len(time.slept) == RetryPolicy().tries - 1


def test_delays_grow_with_full_jitter_up_to_a_limit(transport, time):
    retry_policy = RetryPolicy(tries=8, first_wait=1, longest_wait=10, budget=1000)
    with ScriptedServer(html(403)) as server, pytest.raises(Unavailable):
        transport(server.url, retry_policy=retry_policy, random=lambda: 1.0).get("/lists")
    assert time.slept == [1, 2, 4, 8, 10, 10, 10]


def test_no_retry_begins_after_the_time_limit(transport, time):
    retry_policy = RetryPolicy(tries=100, first_wait=10, longest_wait=10, budget=35)
    with ScriptedServer(html(403)) as server:
        with pytest.raises(Unavailable):
            transport(server.url, retry_policy=retry_policy, random=lambda: 1.0).get("/lists")
        assert len(server.asked) == 4
    assert time.slept == [10, 10, 10]


def test_a_write_that_a_request_has_no_time_to_repeat_still_counts_as_maybe_applied(
    transport, time
):
    with ScriptedServer(html(500)) as server, request_time(time.clock):
        time.now += OTHER_SERVICES - 5.5
        with pytest.raises(Unavailable) as failed:
            transport(server.url, random=lambda: 1.0).write("POST", "/lists/a", {})
        assert len(server.asked) == 1
    assert failed.value.code != TIME_UP
    assert failed.value.maybe_applied


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0"}, 0.5),
        ({"Retry_After": "soon"}, 0.5),
        ({"Retry_After": "-3"}, 0.5),
        (
            {
                "Retry_After": "Mon, 23 Nov 2026 10:00:09 GMT",
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            9,
        ),
        ({"Retry_After": "Mon, 23 Nov 2026 10:00:09 GMT"}, 0.5),
        ({"Retry_After": f"Mon, 23 Nov {'9' * 20} 10:00:09 GMT"}, 0.5),
    ],
)
def test_retry_after_is_honored_in_both_formats(headers, waited, transport, time):
    with ScriptedServer(html(429, **headers), json("{}")) as server:
        transport(server.url).get("/lists")
    assert time.slept == [waited]


def test_a_retry_after_beyond_the_limit_is_clamped_and_left_to_the_queue(transport, time):
    with ScriptedServer(html(429, Retry_After="86400")) as server:
        with pytest.raises(Unavailable) as caught:
            transport(server.url).get("/lists")
        assert len(server.asked) == 1
    assert caught.value.retry_after == 3600
    assert time.slept == []


def test_a_redirect_is_not_followed(transport):
    with ScriptedServer(json("{}")) as elsewhere:
        away = Answer(302, b"", {"Location": f"{elsewhere.url}/steal"})
        with ScriptedServer(away) as server, pytest.raises(Refused) as caught:
            transport(server.url).get("/lists")
        assert elsewhere.asked == []
    assert caught.value.code == "redirected"


@pytest.mark.parametrize("packed", [True, False])
def test_a_body_that_arrives_slowly_does_not_keep_the_connection(packed, transport):
    body = b'{"x": "' + bytes(range(97, 123)) * 20 + b'"}'
    slow = zipped(body, cut=200) if packed else Answer(200, body, {}, cut=20, end="hang")
    slow.headers["Content-Length"] = "5000"
    slow.end = "hang"
    # More time passes between two parts of the body than a call may take.
    clock = itertools.count(0, 400).__next__
    with ScriptedServer(slow) as server:
        calls = transport(server.url, clock=clock, retry_policy=RetryPolicy(read=5, tries=1))
        with pytest.raises(Unavailable) as caught:
            calls.get("/lists")
    assert caught.value.code == "answerTooLong"


@pytest.mark.parametrize("packed", [True, False])
def test_a_response_of_any_size_does_not_fill_the_memory(packed, transport):
    body = b'{"x": "' + b"a" * 3_000_000 + b'"}'
    with ScriptedServer(zipped(body) if packed else json(body)) as server:
        calls = transport(server.url, retry_policy=RetryPolicy(tries=1, longest_answer=1_000_000))
        with pytest.raises(Unavailable) as caught:
            calls.get("/lists")
    assert caught.value.code == "answerTooLong"


REFUSALS_OF_THE_ACCOUNT = [
    (problem(401, "API Key Invalid"), "keyInvalid"),
    (problem(401, "API Key Missing"), "keyInvalid"),
    (html(401), "keyInvalid"),
    (problem(403, "User Disabled"), "accountDisabled"),
    (problem(403, "UserDisabled"), "accountDisabled"),
    (problem(403, "Wrong Datacenter"), "wrongDataCentre"),
    (problem(403, "Forbidden"), "forbidden"),
    (problem(402, "Payment Required"), "planLimit"),
    (problem(503, "Compliance Related"), "methodDisabled"),
    (Answer(302, b"", {"Location": "/elsewhere"}), "redirected"),
]


@pytest.mark.parametrize(("answer", "code"), REFUSALS_OF_THE_ACCOUNT)
def test_a_refusal_of_the_account_is_believed_when_it_is_repeated(answer, code, transport, time):
    with ScriptedServer(answer) as server:
        with pytest.raises(Refused) as caught:
            transport(server.url).write("POST", "/lists/a", {}, resend=False)
        assert len(server.asked) == 2
    assert caught.value.code == code
    assert time.slept == [RetryPolicy().wait_after_refusal]


@pytest.mark.parametrize(("answer", "code"), REFUSALS_OF_THE_ACCOUNT)
def test_a_single_refusal_of_the_account_is_not_believed(answer, code, transport):
    with ScriptedServer(answer, json('{"id": 1}')) as server:
        assert transport(server.url).write("POST", "/lists/a", {}, resend=False) == {"id": 1}, code


def test_a_refusal_that_took_long_is_believed_at_once(transport, time):
    def refused(_request: ReceivedRequest) -> Answer:
        time.now += 129
        return problem(403, "Forbidden")

    with ScriptedServer(refused) as server:
        with pytest.raises(Refused):
            transport(server.url, retry_policy=RetryPolicy()).get("/lists")
        assert len(server.asked) == 1


def test_a_key_that_a_person_enters_is_checked_at_once(transport, time):
    with ScriptedServer(problem(401, "API Key Invalid")) as server:
        with pytest.raises(Disconnected):
            transport(server.url, new_grant=True).get("/ping")
        assert len(server.asked) == 1
    assert time.slept == []


def test_only_a_problem_document_means_missing(transport):
    with ScriptedServer(problem(404, "Resource Not Found")) as server:
        with pytest.raises(NotFound):
            transport(server.url).get("/lists/a/segments/1")
        assert len(server.asked) == 1


def test_errors_contain_codes_and_field_names_but_nothing_of_the_response(transport):
    answers = [
        problem(400, f"Oh {PERSON}", f"members.{PERSON}", f"{PERSON} is bad"),
        problem(400, "Invalid Resource", "members.item:3.merge_fields.BDAY", f"{PERSON} is bad"),
        problem(404, "Resource Not Found", "x", PERSON),
        Answer(500, PERSON.encode()),
    ]
    for answer in answers:
        with ScriptedServer(answer) as server, pytest.raises(Exception, match=r"\.$") as caught:
            transport(server.url).write("POST", "/lists/a", {"members": [PERSON]})
        seen = str(caught.value), repr(vars(caught.value)), repr(caught.value.__context__)
        assert PERSON not in "".join(seen)
    with ScriptedServer(answers[1]) as server, pytest.raises(Refused) as refused:
        transport(server.url).write("POST", "/lists/a", {})
    assert (refused.value.status, refused.value.field) == (400, "members.item:3.merge_fields.BDAY")


def test_the_read_timeout_exceeds_mailchimps_own_limit(transport, monkeypatch):
    asked = []

    def send(self, request, **more):
        asked.append(more["timeout"])
        raise requests.ConnectionError

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with pytest.raises(Unavailable):
        transport("http://127.0.0.1:1", retry_policy=RetryPolicy(tries=1)).get("/ping")
    assert asked == [(10.0, 125.0)]
