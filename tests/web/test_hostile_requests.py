"""Malicious requests: header injection, hidden characters, invalid addresses."""

import pytest

from tests.web.client import (
    Response,
    call,
    export_body,
    faults,
    new_connection,
    new_export,
    request,
    send,
)
from tests.web.world import World

INJECTED = "x\r\nSet-Cookie: stolen=1\r\n\r\n<script>alert(1)</script>"
HEADERS = [
    "accept-language",
    "traceparent",
    "if-match",
    "cookie",
    "origin",
    "host",
    "x-forwarded-host",
    "x-ms-client-principal",
    "content-type",
]
HIDING = {
    "line": "Gold\nSilver",
    "header": "Gold\r\nLocation: https://evil.example",
    "nul": "Gold\0",
    "delete": "Gold\x7f",
    "c1": "Gold\x85Silver",
    "separator": "Gold\u2028Silver",
    "override": "Gold\u202egnp",
    "isolate": "\u2066Gold\u2069",
    "byte order mark": "\ufeff",
    "no width": "\u200b\u200d",
    "soft hyphen": "\u00ad",
    "filler": "\u3164\uffa0",
    "selector": "\ufe0f",
    "tag characters": "\U000e0041",
    "braille": "\u2800",
}


def is_clean(answer: Response) -> bool:
    texts = [text for pair in answer.raw_headers for text in pair]
    return all(text.isprintable() and text.isascii() for text in texts)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("path", ["/api/exports", "/", "/api/nothing", "/api/runs/none"])
def test_no_header_value_can_inject_another_header(header: str, path: str) -> None:
    answer = call(World(), "GET", path, headers={header: INJECTED})
    assert answer.status < 500
    assert is_clean(answer)
    assert "stolen" not in str(answer.headers)
    assert b"<script>alert" not in answer.body


@pytest.mark.parametrize("name", HIDING.values(), ids=HIDING)
def test_a_name_with_hidden_characters_is_refused_at_its_field(name: str) -> None:
    world = World()
    connection = new_connection(world)
    consent = {"agreed": True, "locale": "en"}
    made = call(world, "POST", "/api/connections", {"displayName": name, "consent": consent})
    assert list(faults(made)) == ["displayName"]

    for field, changes in {
        "displayName": {"displayName": name},
        "segments[0].name": {"segments": [{"name": name}]},
        "segments[0].tag": {"segments": [{"name": "VIP", "tag": name}]},
        "mapping.email": {"mapping": {"email": name}},
    }.items():
        answer = call(world, "POST", "/api/exports", export_body(connection, **changes))
        assert answer.status == 400
        assert list(faults(answer)) == [field]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "Gold'; DROP TABLE x; --", "=cmd", "김철수", "‏ערב"]
)
def test_a_name_with_unusual_characters_is_stored_unchanged(name: str) -> None:
    world = World()
    export = new_export(world, displayName=name, segments=[{"name": name, "tag": name}])
    run = send(world, "POST", f"/api/exports/{export}/runs", status=202)
    for path in (f"/api/exports/{export}", f"/exports/{export}", f"/api/runs/{run['id']}"):
        assert is_clean(call(world, "GET", path))
    again = call(world, "GET", f"/api/exports/{export}").json()
    assert (again["displayName"], again["segments"][0]["tag"]) == (name, name)


@pytest.mark.parametrize(
    "bad",
    ["..", "..%2f..%2fx", "%252e%252e", "a%0d%0aX:1", "a;b", "a\\b", "a%00", "%EF%BC%8E", "$batch"],
)
@pytest.mark.parametrize(
    "path",
    [
        "/api/exports/{}",
        "/api/runs/{}",
        "/api/runs/{}/outcomes.csv",
        "/api/connections/{}",
        "/api/connections/{}/audiences",
        "/exports/{}/edit",
    ],
)
def test_a_malformed_id_is_refused(path: str, bad: str) -> None:
    answer = call(World(), "GET", path.format(bad))
    assert answer.status == 404
    assert is_clean(answer)


@pytest.mark.parametrize("audience", ["../x", "a/b", "a%2fb", "a?b", "x" * 65, "a\r\nb", "é"])
def test_an_audience_id_has_no_characters_that_change_a_path(audience: str) -> None:
    world = World()
    body = export_body(new_connection(world), audienceId=audience)
    assert list(faults(call(world, "POST", "/api/exports", body))) == ["audienceId"]


@pytest.mark.parametrize(
    "url",
    ["http://[", "http://[::1/api/health", "http://a]b/", "http://\uff0f@x/", "//[x", "http:///"],
)
def test_an_invalid_url_is_refused(url: str) -> None:
    answer = request(World().web, "GET", url)
    assert answer.status in (401, 404)
    assert is_clean(answer)


@pytest.mark.parametrize(
    "done", ["../../x", "%0d%0aa:b", "<script>alert(1)</script>", "__class__", "{0}"]
)
def test_a_notice_is_one_of_our_own_texts(done: str) -> None:
    answer = call(World(), "GET", f"/?done={done}")
    assert answer.status == 200
    assert b"<script>alert" not in answer.body
    assert is_clean(answer)
