"""The route table: no route is public by mistake, and none is missing."""

import pytest

from shared.web.access import AccessRoute
from shared.web.authentication import Role
from tests.web.client import call, get
from tests.web.world import FakeConsentUpdates, World

OPEN, VIEWER = None, Role.VIEWER
CONTRIBUTOR, ADMINISTRATOR = Role.CONTRIBUTOR, Role.ADMINISTRATOR

# The HTTP interface: every path and method with the lowest role that may call it.
INTERFACE = {
    ("GET", "/api/health"): OPEN,
    ("GET", "/api/openapi.json"): OPEN,
    ("GET", "/api/mailchimp/webhooks/{token}"): OPEN,
    ("POST", "/api/mailchimp/webhooks/{token}"): OPEN,
    ("GET", "/api/connections"): VIEWER,
    ("POST", "/api/connections"): ADMINISTRATOR,
    ("GET", "/api/connections/{id}"): VIEWER,
    ("PUT", "/api/connections/{id}"): ADMINISTRATOR,
    ("DELETE", "/api/connections/{id}"): ADMINISTRATOR,
    ("POST", "/api/connections/{id}/mailchimp/authorize"): ADMINISTRATOR,
    ("GET", "/api/oauth/mailchimp/callback"): ADMINISTRATOR,
    ("PUT", "/api/connections/{id}/mailchimp/api-key"): ADMINISTRATOR,
    ("DELETE", "/api/connections/{id}/mailchimp"): ADMINISTRATOR,
    ("POST", "/api/connections/{id}/export-user/authorize"): ADMINISTRATOR,
    ("GET", "/api/oauth/entra/callback"): ADMINISTRATOR,
    ("DELETE", "/api/connections/{id}/export-user"): ADMINISTRATOR,
    ("GET", "/api/connections/{id}/audiences"): CONTRIBUTOR,
    ("GET", "/api/connections/{id}/consent"): VIEWER,
    ("GET", "/api/connections/{id}/audiences/{audienceId}/merge-fields"): CONTRIBUTOR,
    ("GET", "/api/segments"): VIEWER,
    ("GET", "/api/attributes"): VIEWER,
    ("GET", "/api/refresh-jobs"): VIEWER,
    ("GET", "/api/exports"): VIEWER,
    ("POST", "/api/exports"): CONTRIBUTOR,
    ("GET", "/api/exports/{id}"): VIEWER,
    ("PUT", "/api/exports/{id}"): CONTRIBUTOR,
    ("DELETE", "/api/exports/{id}"): CONTRIBUTOR,
    ("POST", "/api/exports/{id}/duplicate"): CONTRIBUTOR,
    ("POST", "/api/exports/{id}/detach-connection"): CONTRIBUTOR,
    ("GET", "/api/exports/{id}/exclusions"): VIEWER,
    ("GET", "/api/exports/{id}/exclusions.csv"): CONTRIBUTOR,
    ("PUT", "/api/exports/{id}/exclusions"): CONTRIBUTOR,
    ("DELETE", "/api/exports/{id}/exclusions"): CONTRIBUTOR,
    ("POST", "/api/exports/{id}/runs"): CONTRIBUTOR,
    ("POST", "/api/runs"): CONTRIBUTOR,
    ("GET", "/api/runs"): VIEWER,
    ("GET", "/api/runs/{id}"): VIEWER,
    ("POST", "/api/runs/{id}/cancel"): CONTRIBUTOR,
    ("POST", "/api/runs/{id}/confirm"): CONTRIBUTOR,
    ("POST", "/api/runs/{id}/retry"): CONTRIBUTOR,
    ("POST", "/api/runs/{id}/undo"): CONTRIBUTOR,
    ("GET", "/api/runs/{id}/outcomes.csv"): CONTRIBUTOR,
    ("GET", "/api/runs/{id}/preview"): CONTRIBUTOR,
    ("GET", "/api/connections/{id}/audiences/{audienceId}/hygiene"): CONTRIBUTOR,
    ("POST", "/api/exports/{id}/archive-unused"): CONTRIBUTOR,
    ("GET", "/api/runs/{id}/differences.csv"): CONTRIBUTOR,
    ("POST", "/api/exports/{id}/send-person"): CONTRIBUTOR,
    ("GET", "/api/runs/{id}/sent-person"): CONTRIBUTOR,
    ("POST", "/api/people/search"): ADMINISTRATOR,
    ("POST", "/api/people/erase"): ADMINISTRATOR,
    ("GET", "/api/schedule"): VIEWER,
    ("PUT", "/api/schedule"): ADMINISTRATOR,
    ("GET", "/api/audit"): ADMINISTRATOR,
}
ROUTES = World().web.routes
SERVED = [route for route in ROUTES if route.include_in_schema]


def sample(route: AccessRoute) -> str:
    path = route.path_format.replace("{id}", "some-id").replace("{audienceId}", "a1b2c3d4e5")
    return path.replace("{token}", "0" * 64)


def test_the_route_table_is_the_documented_api_with_its_roles() -> None:
    assert {(route.method, route.path_format): route.access.role for route in SERVED} == INTERFACE


@pytest.mark.parametrize("route", SERVED, ids=lambda route: f"{route.method} {route.path_format}")
def test_every_route_checks_the_caller_and_the_role(route: AccessRoute) -> None:
    if route.access.role is None:
        anonymous = World(consent_updates=FakeConsentUpdates(knows_webhooks=True)).seen_by(None)
        assert call(anonymous, route.method, sample(route)).status == 200
        return
    world = World()
    world.serve(world.services.__class__(**{**vars(world.services), "authenticator": NO_CALLER}))
    answer = call(world, route.method, sample(route))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    below = [None, *(role for role in Role if role < route.access.role)]
    for role in below:
        assert call(World().seen_by(role), route.method, sample(route)).status == 403
    for role in (role for role in Role if role >= route.access.role):
        assert call(World().seen_by(role), route.method, sample(route)).status not in (401, 403)


class NoCaller:
    def principal(self, header: object, host: object) -> None:
        return None


NO_CALLER = NoCaller()


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/nothing", "/api/exports/a/b/c", "/api/exports/a%2Fb", "/api/runs/..", "/x"],
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    assert call(World(), "GET", path).status == 404


@pytest.mark.parametrize("bad", ["a%00b", "a%20b", "%ED%95%9C", "x" * 65, "a.b", "'", "%2e%2e"])
def test_an_impossible_id_is_not_found(bad: str) -> None:
    assert call(World(), "GET", f"/api/exports/{bad}").status == 404


def test_a_wrong_method_returns_the_allowed_methods() -> None:
    answer = call(World(), "PATCH", "/api/exports/some-id")
    assert answer.status == 405
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, PUT"
    assert call(World(), "OPTIONS", "/api/exports").status == 405


def test_head_returns_the_headers_of_get() -> None:
    world = World()
    got = call(world, "GET", "/api/segments")
    head = call(world, "HEAD", "/api/segments")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_an_unavailable_feature_has_no_route() -> None:
    world = World(sign_ins=None, customer_insights=None)
    missing = {(r.method, r.path_format) for r in SERVED} - {
        (r.method, r.path_format) for r in world.web.routes
    }
    assert len(missing) == 6
    for method, template in missing:
        path = template.replace("{id}", "some-id")
        assert call(world, method, path).status in (404, 405)


def test_a_portal_on_another_origin_can_read_the_headers_that_the_description_names() -> None:
    described: set[str] = set()
    document = get(World(), "/api/openapi.json")
    responses = [*document["components"]["responses"].values()]
    for operations in document["paths"].values():
        for operation in operations.values():
            responses += operation["responses"].values()
    for response in responses:
        described |= response.get("headers", {}).keys()
    assert {"ETag", "Location", "Retry-After"} <= described
    for path in ("/api/exports", "/api/nothing"):
        exposed = call(World(), "GET", path).headers["Access-Control-Expose-Headers"]
        assert described <= set(exposed.split(", "))
    assert "Access-Control-Expose-Headers" not in call(World(), "GET", "/").headers


@pytest.mark.parametrize("path", ["/api/health", "/api/exports", "/api/nothing"])
def test_every_response_has_the_security_headers(path: str) -> None:
    headers = call(World(), "GET", path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers
