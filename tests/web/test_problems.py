"""Every error is a problem document with enough information and no internal details."""

import json
import logging
from typing import Any

import pytest

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    Disconnected,
    Fault,
    InputError,
    NotFound,
    Refused,
    Unavailable,
)
from shared.model.run import Mode, Trigger
from shared.people.search import PersonInExport
from tests.web.browser import Browser
from tests.web.client import call, export_body, faults, get, new_connection, new_export
from tests.web.world import World


def failing(error: Exception) -> World:
    world = World()
    world.catalogue.broken = error
    return world


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("exportFaults"), 400),
        (NotFound("exportNotFound"), 404),
        (Conflict("runOver"), 409),
        (Changed("exportChanged"), 412),
        (InputError("fileTooLarge", where="a.csv"), 502),
        (Unavailable("noAnswer"), 503),
        (Refused("refused", status=400), 502),
        (Disconnected("keyInvalid"), 409),
    ],
)
def test_our_own_errors_have_their_status_and_message(error: ConnectorError, status: int) -> None:
    answer = call(failing(error), "GET", "/api/segments")
    problem: Any = answer.json()
    assert (answer.status, problem["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["detail"] == error.message
    assert problem["title"]
    assert problem["traceId"]


@pytest.mark.parametrize(
    ("seconds", "header"), [(None, "30"), (0.2, "1"), (12.4, "12"), (1e9, "3600")]
)
def test_unavailable_has_a_retry_after(seconds: float | None, header: str) -> None:
    answer = call(failing(Unavailable("noAnswer", retry_after=seconds)), "GET", "/api/segments")
    assert answer.headers["Retry-After"] == header


def test_a_foreign_error_is_logged_by_its_type_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = call(failing(ValueError("jane@contoso.example")), "GET", "/api/segments")
    assert answer.status == 500
    assert b"jane" not in answer.body
    assert "jane" not in caplog.text
    problem: Any = answer.json()
    assert f"Request {problem['traceId']} failed: ValueError" in caplog.text


def with_a_damaged_run() -> tuple[World, str]:
    """A run whose record lacks a required name."""
    world = World()
    export = new_export(world, new_connection(world))
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(run.id, requested_by=None)
    return world, run.id


@pytest.mark.parametrize("path", ["/api/runs", "/api/exports", "/api/runs/{run}", "/runs/{run}"])
def test_a_stored_value_that_is_not_valid_is_an_error_of_the_app(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, run = with_a_damaged_run()
    answer = call(world, "GET", path.format(run=run))
    assert answer.status == 500
    assert "failed: ValidationError" in caplog.text


def test_a_form_whose_result_is_not_valid_is_an_error_of_the_app(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.people.known["ada@x.example"] = [
        PersonInExport(  # type: ignore[arg-type]
            "e1", "Weekly", segments=None, in_audience="yes", outcome="", code="", at=None
        )
    ]
    page = Browser(world).open("/people")
    assert page.send("/people", {"person": "ada@x.example"}).answer.status == 500
    assert "failed: ValidationError" in caplog.text
    assert "ada@x.example" not in caplog.text
    assert page.open("/people").send("/people", {"person": "no address@"}).answer.status == 400


def test_the_trace_of_the_caller_is_continued() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    given = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert call(World(), "GET", "/api/nothing", headers=given).json()["traceId"] == trace
    odd = {"traceparent": "<script>"}
    assert call(World(), "GET", "/api/nothing", headers=odd).json()["traceId"] == "id1"


def test_a_body_over_a_megabyte_is_too_large() -> None:
    answer = call(World(), "POST", "/api/exports", raw=b" " * (1024 * 1024 + 1))
    assert answer.status == 413


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"displayName": NaN}',
        b'"\xff"',
        b'{"displayName": "\\ud800"}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_json_is_a_bad_request(raw: bytes) -> None:
    for path in ("/api/exports", "/api/connections"):
        assert call(World(), "POST", path, raw=raw).status == 400


def test_a_body_may_begin_with_a_byte_order_mark() -> None:
    body = {"displayName": "A", "consent": {"agreed": True, "locale": "en"}}
    raw = json.dumps(body).encode("utf-8-sig")
    assert call(World(), "POST", "/api/connections", raw=raw).status == 201


def test_deeply_nested_json_is_refused() -> None:
    deep = b'{"displayName":' + b"[" * 900 + b"]" * 900 + b"}"
    assert call(World(), "POST", "/api/exports", raw=deep).status == 400


def test_a_name_that_occurs_twice_in_a_body_is_refused_where_it_is() -> None:
    body = json.dumps(export_body(new_connection(World())))
    twice = body[:-1] + ', "segments": [{"name": "A", "tag": "x", "tag": "y"}]}'
    answer = call(World(), "POST", "/api/exports", raw=twice.encode())
    assert answer.status == 400
    assert faults(answer) == {
        "segments": "This name occurs twice.",
        "segments[0].tag": "This name occurs twice.",
    }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/runs?exportid=a&status=failed", {"exportid": "This query parameter is unknown."}),
        ("/api/runs?top=5&top=500", {"top": "This query parameter occurs twice."}),
        (
            "/api/attributes?Segment=A&q=1",
            {
                "Segment": "This query parameter is unknown.",
                "q": "This query parameter is unknown.",
            },
        ),
    ],
)
def test_a_query_parameter_that_is_not_used_is_refused(path: str, found: dict[str, str]) -> None:
    answer = call(World(), "GET", path)
    assert (answer.status, faults(answer)) == (400, found)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/exports/{export}/runs?mode=preview", "mode"),
        ("/api/runs?exportId={export}", "exportId"),
        ("/api/exports/{export}/duplicate?displayName=A", "displayName"),
    ],
)
def test_a_change_with_a_query_parameter_that_it_does_not_have_is_refused(
    path: str, name: str
) -> None:
    world = World()
    answer = call(world, "POST", path.format(export=new_export(world)))
    assert (answer.status, faults(answer)) == (400, {name: "This query parameter is unknown."})
    assert not world.runs.kept


def test_a_key_of_the_functions_host_in_an_address_is_ignored() -> None:
    world = World()
    path, key = f"/api/exports/{new_export(world)}", "code=secret&clientId=apim"
    assert call(world, "GET", f"/api/runs?status=failed&{key}").status == 200
    assert call(world, "POST", f"{path}/runs?{key}").status == 202
    assert call(world, "PUT", f"{path}/exclusions?{key}", raw=b"").status == 415
    answer = call(world, "DELETE", f"{path}/exclusions?{key}&mode=preview")
    assert faults(answer) == {"mode": "This query parameter is unknown."}
    assert call(world, "DELETE", f"{path}/exclusions?{key}").status == 204


@pytest.mark.parametrize("path", ["/?utm_source=mail", "/runs?x=1", "/api/health?probe=1"])
def test_pages_and_operations_without_parameters_ignore_the_query(path: str) -> None:
    assert call(World(), "GET", path).status == 200


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_a_body_must_be_an_object(raw: bytes) -> None:
    assert call(World(), "POST", "/api/exports", raw=raw).status == 400


def test_all_faults_of_a_body_are_reported_together() -> None:
    world = World()
    connection = new_connection(world)
    body = export_body(
        connection,
        displayName=7,
        colour="red",
        audienceId="../lists",
        mapping={
            "attributes": [
                {"attribute": "City", "mergeField": "city"},
                {"attribute": "Zip", "mergeField": "ZIP", "create": {"name": "Zip", "type": "map"}},
            ]
        },
        segments=[{"name": "A"}, {"name": "B", "tag": "a"}, {"name": "A", "tag": "x" * 101}],
        leavers="delete",
        removalGuard={"maxShare": 1.5},
    )
    answer = call(world, "POST", "/api/exports", body)
    assert answer.status == 400
    found = faults(answer)
    assert set(found) == {
        "displayName",
        "colour",
        "audienceId",
        "mapping.email",
        "mapping.attributes[0].mergeField",
        "mapping.attributes[1].create.type",
        "segments[1].tag",
        "segments[2].name",
        "segments[2].tag",
        "leavers",
        "removalGuard.maxShare",
    }
    assert found["leavers"] == "Must be one of: removeTag, keepTag."
    assert found["mapping.email"] == "This field is required."
    assert not world.exports.kept


def test_problems_are_in_the_callers_language() -> None:
    world = World()
    korean = {"Accept-Language": "fr;q=0.9, ko-KR;q=0.8, en;q=0.1"}
    answer = call(world, "POST", "/api/connections", {"displayName": ""}, korean)
    problem: Any = answer.json()
    assert answer.headers["Content-Language"] == "ko"
    assert problem["title"] == "일부 값이 올바르지 않습니다"
    assert faults(answer)["consent"] == "필수 필드입니다."
    for other in ("fr", "", "*", "x" * 10_000, "ko;q=0", ";;,,=="):
        answer = call(world, "GET", "/api/nothing", headers={"Accept-Language": other})
        assert answer.headers["Content-Language"] == "en"


def test_a_fault_is_in_the_language_of_the_reader() -> None:
    fault = Fault("times", code="timesTooMany", values={"most": "4"})
    world = failing(ConfigError("scheduleFaults", faults=[fault]))
    korean = call(world, "GET", "/api/segments", headers={"Accept-Language": "ko"})
    assert get(world, "/api/segments", 400)["errors"] == [
        {"field": "times", "message": "Enter at most 4 times."}
    ]
    assert faults(korean) == {"times": "시간은 최대 4개까지 입력할 수 있습니다."}
