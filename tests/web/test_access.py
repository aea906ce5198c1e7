"""One rule per route, pages included: the role, and whether the connection must be shared."""

import pytest

from shared.model.figures import Counts
from shared.model.run import RunStatus
from shared.web.access import AccessRoute, Subject
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import Response, call, get, new_connection, new_export, send
from tests.web.world import World

# The routes that need the connection behind the id of their path to be shared with contributors.
# Reading stays open to them, and so does canceling: it only stops what is being sent.
SHARED = {
    ("GET", "/api/connections/{id}/audiences"): Subject.CONNECTION,
    ("GET", "/api/connections/{id}/audiences/{audienceId}/merge-fields"): Subject.CONNECTION,
    ("PUT", "/api/exports/{id}"): Subject.EXPORT,
    ("DELETE", "/api/exports/{id}"): Subject.EXPORT,
    ("POST", "/api/exports/{id}/duplicate"): Subject.EXPORT,
    ("POST", "/api/exports/{id}/detach-connection"): Subject.EXPORT,
    ("POST", "/api/exports/{id}/runs"): Subject.EXPORT,
    ("POST", "/api/runs/{id}/confirm"): Subject.RUN,
    ("POST", "/api/runs/{id}/retry"): Subject.RUN,
    ("POST", "/api/runs/{id}/undo"): Subject.RUN,
    ("GET", "/exports/{id}/edit"): Subject.EXPORT,
    ("POST", "/exports/{id}/edit"): Subject.EXPORT,
    ("GET", "/api/exports/{id}/exclusions.csv"): Subject.EXPORT,
    ("PUT", "/api/exports/{id}/exclusions"): Subject.EXPORT,
    ("DELETE", "/api/exports/{id}/exclusions"): Subject.EXPORT,
    ("GET", "/exports/{id}/exclusions"): Subject.EXPORT,
    ("POST", "/exports/{id}/exclusions"): Subject.EXPORT,
    ("POST", "/api/exports/{id}/send-person"): Subject.EXPORT,
    ("POST", "/api/exports/{id}/archive-unused"): Subject.EXPORT,
    ("GET", "/exports/{id}/archive-unused"): Subject.EXPORT,
    ("POST", "/exports/{id}/archive-unused"): Subject.EXPORT,
    ("GET", "/api/connections/{id}/audiences/{audienceId}/hygiene"): Subject.CONNECTION,
    ("GET", "/connections/{id}/audiences/{audienceId}"): Subject.CONNECTION,
    ("GET", "/exports/{id}/person"): Subject.EXPORT,
    ("POST", "/exports/{id}/person"): Subject.EXPORT,
    ("GET", "/exports/{id}/exclusions/file"): Subject.EXPORT,
    ("POST", "/exports/{id}/exclusions/file"): Subject.EXPORT,
    ("POST", "/exports/{id}/run"): Subject.EXPORT,
    ("POST", "/exports/{id}/duplicate"): Subject.EXPORT,
    ("GET", "/exports/{id}/detach"): Subject.EXPORT,
    ("POST", "/exports/{id}/detach"): Subject.EXPORT,
    ("GET", "/exports/{id}/remove"): Subject.EXPORT,
    ("POST", "/exports/{id}/remove"): Subject.EXPORT,
    ("POST", "/runs/{id}/confirm"): Subject.RUN,
    ("POST", "/runs/{id}/retry"): Subject.RUN,
    ("GET", "/runs/{id}/undo"): Subject.RUN,
    ("POST", "/runs/{id}/undo"): Subject.RUN,
}
ROUTES = {(route.method, route.path_format): route for route in World().web.routes}


class Stage:
    """An export on a connection, and a run of it, as a contributor meets them."""

    def __init__(self, shared: bool) -> None:
        self.world = World()
        connection = new_connection(self.world, sharedWith=["Contributor"] if shared else [])
        export = new_export(self.world, connection)
        run = send(self.world, "POST", f"/api/exports/{export}/runs", status=202)["id"]
        self.world.runs.move(run, status=RunStatus.SUCCESSFUL, counts=Counts(created=1))
        self.ids = {Subject.CONNECTION: connection, Subject.EXPORT: export, Subject.RUN: run}

    def call(self, role: Role, route: AccessRoute, subject: Subject) -> Response:
        path = route.path_format.replace("{id}", self.ids[subject])
        path = path.replace("{audienceId}", "a1b2c3d4e5")
        return call(self.world.seen_by(role), route.method, path)


def test_the_rule_of_every_route_is_this_table() -> None:
    rules = {key: route.access.shared for key, route in ROUTES.items() if route.access.shared}
    assert rules == SHARED


def test_every_route_that_changes_an_export_or_a_run_has_a_rule_or_only_stops_or_reads_it() -> None:
    changing = {
        (method, path)
        for method, path in ROUTES
        if method != "GET" and path.removeprefix("/api").startswith(("/exports/{id}", "/runs/{id}"))
    }
    assert changing - set(SHARED) == {
        ("POST", "/api/runs/{id}/cancel"),
        ("POST", "/runs/{id}/cancel"),
        # A search: the address that it contains must not be in a URL.
        ("POST", "/runs/{id}/rejected"),
    }


@pytest.mark.parametrize(("key", "subject"), SHARED.items(), ids=lambda value: str(value))
def test_a_contributor_needs_the_connection_to_be_shared(
    key: tuple[str, str], subject: Subject
) -> None:
    refused = Stage(shared=False).call(Role.CONTRIBUTOR, ROUTES[key], subject)
    assert refused.status == 403
    assert b"not shared with you" in refused.body
    # A page refuses the missing form with 415, and the API the missing body.
    assert Stage(shared=True).call(Role.CONTRIBUTOR, ROUTES[key], subject).status != 403
    assert Stage(shared=False).call(Role.ADMINISTRATOR, ROUTES[key], subject).status != 403


def test_a_contributor_cannot_move_an_export_on_a_private_connection_to_another_audience() -> None:
    world = World()
    export = new_export(world, new_connection(world))
    bob = world.seen_by(Role.CONTRIBUTOR)
    body = get(bob, f"/api/exports/{export}")
    changed = {**body, "audienceId": "ffff"}
    problem = send(bob, "PUT", f"/api/exports/{export}", changed, 403)
    assert problem["code"] == "connectionNotShared"
    assert get(world, f"/api/exports/{export}")["audienceId"] == "a1b2c3d4e5"
    send(bob, "POST", f"/api/exports/{export}/duplicate", status=403)
    send(bob, "POST", f"/api/exports/{export}/runs", status=403)
    assert len(world.exports.kept) == 1
    assert not world.runs.kept


def test_a_page_learns_whether_its_form_would_be_accepted_before_it_sends_it() -> None:
    private, shared = Stage(shared=False), Stage(shared=True)

    def asked(stage: Stage, role: Role | None, form: str) -> Response:
        path = form.replace("{id}", stage.ids[Subject.EXPORT])
        return call(stage.world.seen_by(role), "GET", f"/session?form={path}")

    refused = asked(private, Role.CONTRIBUTOR, "/exports/{id}/edit")
    assert (refused.status, b"not shared with you" in refused.body) == (403, True)
    assert asked(shared, Role.CONTRIBUTOR, "/exports/{id}/edit").status == 204
    refused = asked(shared, Role.VIEWER, "/exports/{id}/exclusions/file")
    assert (refused.status, b"requires the role Contributor" in refused.body) == (403, True)
    assert asked(shared, None, "").status == 403
    assert asked(shared, Role.VIEWER, "/no/form").status == 204


@pytest.mark.parametrize("page", [True, False])
def test_a_contributor_who_runs_all_runs_the_exports_on_shared_connections(page: bool) -> None:
    world = World()
    new_export(world, new_connection(world, "Private"), displayName="Private")
    shared = new_connection(world, "Shared", sharedWith=["Contributor"])
    export = new_export(world, shared, displayName="Shared", audienceId="b2")
    bob = world.seen_by(Role.CONTRIBUTOR)
    if page:
        Browser(bob).open("/run-all").send("/run-all")
    else:
        send(bob, "POST", "/api/runs", status=202)
    assert [run.export_id for run in world.runs.kept.values()] == [export]


def test_pages_offer_a_contributor_only_what_is_allowed() -> None:
    stage = Stage(shared=False)
    bob = Browser(stage.world.seen_by(Role.CONTRIBUTOR))
    export, run = stage.ids[Subject.EXPORT], stage.ids[Subject.RUN]
    for path in ("/", f"/exports/{export}"):
        shown = bob.open(path)
        assert f"/exports/{export}/edit" not in shown.html
        assert f'action="/exports/{export}/run"' not in shown.html
        assert "not shared with contributors" in shown.text
    assert f"/runs/{run}/undo" not in bob.open(f"/runs/{run}").html
    ada = Browser(stage.world)
    assert f"/exports/{export}/edit" in ada.open("/").html
    assert f"/runs/{run}/undo" in ada.open(f"/runs/{run}").html


@pytest.mark.parametrize("prefix", ["/admin", "/runtime"])
def test_no_route_is_under_a_path_that_the_functions_host_takes(prefix: str) -> None:
    assert not [path for _, path in ROUTES if path.startswith(prefix)]
