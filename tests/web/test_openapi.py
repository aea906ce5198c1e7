"""The OpenAPI document matches the code."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from shared.errors import ConfigError, Unavailable
from tests.web.client import call, export_body, faults, get, new_connection, new_export, send
from tests.web.world import KEY, World

PROJECT = Path(__file__).parents[2]
SPECTRAL = PROJECT / "node_modules" / ".bin" / "spectral"


@cache
def described() -> dict[str, Any]:
    return get(World(), "/api/openapi.json")


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    world = World()
    paths = get(world, "/api/openapi.json")["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert documented == {
        (r.method, r.path_format) for r in world.web.routes if r.include_in_schema
    }


def test_routes_that_are_not_served_are_not_described() -> None:
    world = World(customer_insights=None)
    assert "/api/refresh-jobs" not in get(world, "/api/openapi.json")["paths"]


def test_every_operation_has_a_role_and_a_unique_name() -> None:
    names = []
    for methods in described()["paths"].values():
        for operation in methods.values():
            names.append(operation["operationId"])
            assert operation["security"] == [] or operation["x-role"]
    assert len(names) == len(set(names))
    # Clients are generated from these names, so they follow from the addresses alone.
    assert {"getExportsId", "postExportsIdRuns", "getRunsIdOutcomesCsv"} < set(names)


def test_every_reference_has_a_target() -> None:
    document = described()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            for name, inner in node.items():
                if name == "$ref":
                    target: Any = document
                    for part in str(inner).removeprefix("#/").split("/"):
                        target = target[part]
                else:
                    walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(document)


def schema_of(document: dict[str, Any], path: str, method: str, status: str) -> dict[str, Any]:
    answer = document["paths"][path][method]["responses"][status]
    schema = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


@pytest.mark.parametrize(
    "path",
    [
        "/api/health",
        "/api/connections",
        "/api/connections/{id}",
        "/api/connections/{id}/audiences",
        "/api/segments",
        "/api/attributes",
        "/api/exports",
        "/api/exports/{id}",
        "/api/runs",
        "/api/schedule",
        "/api/audit",
    ],
)
def test_responses_match_the_description(path: str) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    send(world, "POST", f"/api/exports/{export}/runs", status=202)
    real = path.replace("{id}", connection if "connections" in path else export)
    schema = schema_of(described(), path, "get", "200")
    jsonschema.validate(get(world, real), schema)


def test_read_only_and_required_fields_are_marked() -> None:
    body = described()["components"]["schemas"]["ExportBody"]
    assert body["additionalProperties"] is False
    assert body["properties"]["lastRun"]["readOnly"] is True
    assert set(body["required"]) == {
        "displayName",
        "connectionId",
        "audienceId",
        "mapping",
        "segments",
    }


def test_the_document_passes_a_linter(tmp_path: Path) -> None:
    if not SPECTRAL.exists():
        pytest.skip("Spectral is not installed: 'make setup' installs it")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(described()), encoding="utf-8")
    done = subprocess.run(
        [SPECTRAL, "lint", file, "--ruleset", PROJECT / ".spectral.yaml", "--fail-severity=warn"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_formats_examples_and_constants_are_documented() -> None:
    document = described()
    schemas = document["components"]["schemas"]
    assert schemas["ConsentBody"]["properties"]["agreed"]["const"] is True
    created = schemas["ExportView"]["properties"]["createdAt"]
    assert "date-time" in str(created)
    assert document["servers"]
    assert schemas["ExportBody"]["examples"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (path, parameter["name"])
                assert "example" in str(parameter), (path, parameter["name"])
    jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/ExportBody", "components": document["components"]}
    ).validate(schemas["ExportBody"]["examples"][0])


def test_the_api_description_is_public() -> None:
    assert call(World().seen_by(None), "GET", "/api/openapi.json").status == 200


def test_the_end_of_a_sign_in_is_described() -> None:
    """It redirects to the page of the connection, or shows a page with the cause."""
    callback = described()["paths"]["/api/oauth/mailchimp/callback"]["get"]["responses"]
    world = World()
    connection = new_connection(world, connected=False)
    begun = call(world, "POST", f"/api/connections/{connection}/mailchimp/authorize")
    state = parse_qs(urlsplit(begun.json()["authorizeUrl"]).query)["state"][0]
    world.sign_in.codes["good"] = KEY
    path = f"/api/oauth/mailchimp/callback?state={state}&code=good"

    done = call(world, "GET", path, headers={"Cookie": begun.headers["Set-Cookie"]})
    assert "Location" in done.headers
    assert done.body == b""
    assert callback[str(done.status)].keys() == {"description", "headers"}
    assert callback[str(done.status)]["headers"].keys() == {"Location"}
    assert "200" not in callback

    again = call(world, "GET", path)
    media_type = again.headers["Content-Type"].partition(";")[0]
    assert media_type in callback[str(again.status)]["content"]


@pytest.mark.parametrize(
    "error",
    [ConfigError("segmentsContainerMissing"), RuntimeError(), Unavailable("segmentsUnavailable")],
    ids=["a setting is wrong", "unexpected", "unavailable"],
)
def test_a_failure_that_the_request_did_not_cause_is_described(error: Exception) -> None:
    world = World()
    world.catalogue.broken = error
    answer = call(world, "GET", "/api/segments")
    assert answer.status >= 400
    assert str(answer.status) in described()["paths"]["/api/segments"]["get"]["responses"]


def resolved(node: Any) -> Any:
    """A schema without references, titles and null."""
    if isinstance(node, list):
        return [resolved(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return resolved(described()["components"]["schemas"][node["$ref"].rpartition("/")[2]])
    choices = [inner for inner in node.get("anyOf", ()) if inner.get("type") != "null"]
    if len(choices) == 1:
        return resolved(choices[0])
    return {name: resolved(inner) for name, inner in node.items()}


def values_of(schema: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """The values of each enumeration of a schema, by path."""
    if schema.get("enum") or "const" in schema:
        yield path, schema.get("enum") or [schema["const"]]
    if "items" in schema:
        yield from values_of(schema["items"], f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        if not inner.get("readOnly"):
            yield from values_of(inner, f"{path}.{name}")


@pytest.mark.parametrize("path", ["/api/exports/{id}", "/api/connections/{id}", "/api/schedule"])
def test_a_typed_client_can_send_back_the_values_of_a_response(path: str) -> None:
    operations = described()["paths"][path]
    sent = operations["put"]["requestBody"]["content"]["application/json"]["schema"]
    read = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    accepted, returned = dict(values_of(resolved(sent))), dict(values_of(resolved(read)))
    assert accepted
    for field, values in accepted.items():
        assert returned.get(field) == values, field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"segments": []}, "segments"),
        ({"audienceId": ""}, "audienceId"),
        ({"audienceId": "a b"}, "audienceId"),
        (
            {"mapping": {"email": "E", "attributes": [{"attribute": "C", "mergeField": "city"}]}},
            "mapping.attributes[0].mergeField",
        ),
        ({"schedule": {"repeat": "daily", "times": ["6:00"]}}, "schedule.times[0]"),
        ({"growthGuard": {"maxContacts": -1}}, "growthGuard.maxContacts"),
    ],
    ids=str,
)
def test_the_form_of_a_value_is_described(changes: dict[str, Any], field: str) -> None:
    """A portal that checks its forms with the description finds what the app refuses."""
    world = World()
    body = {**export_body(new_connection(world)), **changes}
    assert list(faults(call(world, "POST", "/api/exports", body))) == [field]
    components = described()["components"]
    schema = {"$ref": "#/components/schemas/ExportBody", "components": components}
    found = [fault.json_path for fault in jsonschema.Draft202012Validator(schema).iter_errors(body)]
    assert found == [f"$.{field}"]
