"""Limits of requests and responses."""

from dataclasses import replace

import orjson
import pytest

from shared.model.export import MAX_SEGMENTS
from tests.web.client import call, export_body, faults, new_connection, new_export
from tests.web.world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def many_keys(number: int) -> bytes:
    return orjson.dumps({f"unknown{position:06}": 1 for position in range(number)})


def test_a_body_of_unknown_fields_is_refused_before_it_is_validated() -> None:
    raw = many_keys(55_000)
    assert 900_000 < len(raw) <= 1024 * 1024
    world = World()
    answer = call(world, "POST", "/api/exports", raw=raw)
    assert answer.status == 400
    assert answer.json()["type"] == "urn:problem-type:tooManyValues"
    assert len(answer.body) < 2_000


def test_at_most_a_hundred_faults_are_listed() -> None:
    answer = call(World(), "POST", "/api/exports", raw=many_keys(4_000))
    assert answer.status == 400
    assert len(answer.json()["errors"]) == 100
    assert len(answer.body) < 20_000
    names = call(World(), "POST", "/api/connections", raw=many_keys(4_000))
    assert len(names.json()["errors"]) == 100


def test_the_largest_definition_is_not_too_large() -> None:
    world = World()
    attributes = [
        {"attribute": f"A{n}", "mergeField": f"F{n}", "create": {"name": f"Field {n}"}}
        for n in range(100)
    ]
    body = export_body(
        new_connection(world),
        mapping={"email": "Email", "attributes": attributes},
        segments=[{"name": f"Segment {n}", "tag": "ㄱ" * 90 + str(n)} for n in range(100)],
    )
    assert call(world, "POST", "/api/exports", body).status == 201


def test_more_segments_than_a_run_can_tag_are_refused_at_save() -> None:
    world = World()
    segments = [{"name": f"Segment {n}"} for n in range(MAX_SEGMENTS + 1)]
    body = export_body(new_connection(world), segments=segments)
    refused = call(world, "POST", "/api/exports", body)
    assert refused.status == 400
    assert "100" in faults(refused)["segments"]
    made = call(world, "POST", "/api/exports", {**body, "segments": segments[:MAX_SEGMENTS]})
    assert made.status == 201


def test_a_form_has_a_bounded_number_of_fields() -> None:
    world = World()
    raw = b"&".join(b"x%d=1" % number for number in range(11_000))
    headers = {**FORM, "Origin": "http://localhost:7071"}
    assert call(world, "POST", "/setup/export", headers=headers, raw=raw).status == 400


@pytest.mark.parametrize("path", ["/api/exports", "/api/schedule", "/setup/export"])
def test_a_body_sent_in_chunks_is_refused_because_its_length_is_required(path: str) -> None:
    method = "PUT" if path == "/api/schedule" else "POST"
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = call(World(), method, path, headers=headers)
    assert answer.status == 411
    assert b"Content-Length" in answer.body
    korean = call(World(), method, path, headers={**headers, "Accept-Language": "ko"})
    assert "전송" in korean.body.decode()


def test_every_response_has_its_length() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    run = call(world, "POST", f"/api/exports/{export}/runs").json()["id"]
    for path in (
        "/",
        "/api/exports",
        "/api/openapi.json",
        "/api/nothing",
        f"/api/runs/{run}/outcomes.csv",
        f"/exports/{export}",
    ):
        answer = call(world, "GET", path)
        assert answer.headers["Content-Length"] == str(len(answer.body)), path
    removed = call(world, "DELETE", f"/api/connections/{connection}")
    assert removed.headers["Content-Length"] == str(len(removed.body))


class OddStates:
    """Sign-in states whose cookie cannot be a header."""

    def __init__(self, cookie: str) -> None:
        self._cookie = cookie

    def issue(self, purpose: str, connection_id: str, principal_id: str) -> tuple[str, str]:
        return "state", self._cookie


@pytest.mark.parametrize("value", ["é", "a\r\nX-Injected: 1", "a\0b", "a\x7fb"])
def test_a_header_that_cannot_be_sent_becomes_a_whole_response(value: str) -> None:
    world = World()
    sign_ins = replace(world.services.sign_ins, states=OddStates(value))
    world.serve(replace(world.services, sign_ins=sign_ins))
    connection = new_connection(world)
    answer = call(world, "POST", f"/api/connections/{connection}/mailchimp/authorize")
    assert answer.status == 500
    assert answer.json()["type"] == "urn:problem-type:internal"
    assert not {name for name, _ in answer.raw_headers} & {"x-injected", "set-cookie"}


@pytest.mark.parametrize(
    "email", ["@@@", "a@@b", "@", "a@", "@b", "a b@c", "a@b.", "a@.b", "x@y@z"]
)
def test_an_impossible_address_is_neither_searched_nor_erased(email: str) -> None:
    world = World()
    for path, more in (("search", {}), ("erase", {"deleteInMailchimp": False})):
        answer = call(world, "POST", f"/api/people/{path}", {"email": email, **more})
        assert (answer.status, list(faults(answer))) == (400, ["email"])
    assert not world.audit.kept


@pytest.mark.parametrize("email", ["ada@contoso.example", "x@y.z", "Ö@müller.de", "a+b@localhost"])
def test_unusual_addresses_are_accepted(email: str) -> None:
    assert call(World(), "POST", "/api/people/search", {"email": email}).status == 200
