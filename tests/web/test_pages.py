"""What holds for every page: access, forged forms, errors, and the files that it links."""

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.model.figures import Counts
from shared.model.run import Mode, RunStatus, Trigger
from shared.web.access import AccessRoute
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, new_connection, new_export
from tests.web.world import NOW, World

PAGES = [route for route in World().web.routes if not route.include_in_schema]


def test_a_form_without_a_csrf_token_changes_nothing() -> None:
    world = World()
    export = new_export(world)
    ada = Browser(world).open(f"/exports/{export}")
    ada.send(f"/exports/{export}/run", {"csrf": "forged"})
    assert ada.answer.status == 403
    ada.open(f"/exports/{export}")
    ada.cookies.clear()
    ada.send(f"/exports/{export}/run")
    assert ada.answer.status == 403
    assert "The page has expired" in ada.text
    assert not world.runs.kept


def test_errors_are_shown_on_a_page() -> None:
    world = World()
    lost = Browser(world).open("/exports/none")
    assert lost.answer.status == 404
    assert "The export does not exist." in lost.text
    assert lost.answer.headers["Content-Type"].startswith("text/html")
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/setup/export")
    assert viewer.answer.status == 403
    anonymous = World()
    anonymous.serve(
        replace(
            anonymous.services,
            authenticator=replace(anonymous.services.authenticator, developer=None),
        )
    )
    assert Browser(anonymous, "ko").open("/").answer.status == 401


def test_the_title_of_a_page_begins_with_the_result_of_the_last_action() -> None:
    """Screen readers read it first."""
    world = World()
    export = new_export(world)
    ada = Browser(world).open(f"/exports/{export}/edit")
    ada.send(fields={"do": "save"})
    assert "<title>Saved. Weekly news – " in ada.html
    ada.open("/people").send(fields={"person": "ada@contoso.example"})
    assert "<title>No export has this person – People – " in ada.html
    ada.send("/people/erase", {"sure": "on"})
    assert "<title>Removed. People – " in ada.html
    ada.open("/run-all").send()
    assert "<title>1 export was started. Run all – " in ada.html
    assert "<title>Runs – " in ada.open("/runs").html


def test_pages_of_two_exports_have_different_titles() -> None:
    world = World()
    connections = [new_connection(world, name) for name in ("Seoul", "Busan")]
    exports = [
        new_export(world, connection, displayName=name, segments=[{"name": name}])
        for connection, name in zip(connections, ("News", "Offers"), strict=True)
    ]
    runs = [world.runs.start(one, Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id for one in exports]
    world.runs.move(runs[0], queued_at=NOW - timedelta(hours=1))
    for run in runs:
        world.runs.move(run, status=RunStatus.SUCCESSFUL, counts=Counts(created=1, distinct=1))
    paths = [
        f"/{kind}/{one}{page}"
        for kind, ids, pages in (
            ("exports", exports, ("", "/edit", "/remove", "/detach", "/exclusions", "/person")),
            ("runs", runs, ("", "/undo", "/rejected")),
            ("connections", connections, ("", "/disconnect", "/remove")),
        )
        for page in pages
        for one in ids
    ]
    ada = Browser(world)
    found = [re.findall("<title>(.*?)</title>", ada.open(path).html)[0] for path in paths]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("route", PAGES, ids=lambda route: f"{route.method} {route.path_format}")
def test_every_page_checks_the_caller_and_the_role(route: AccessRoute) -> None:
    path = re.sub(r"{(id|audienceId)}", "some-id", route.path_format)
    if route.access.role is None:
        assert route.path_format == "/static/{name}"
        return
    anonymous = World()
    anonymous.serve(
        replace(
            anonymous.services,
            authenticator=replace(anonymous.services.authenticator, developer=None),
        )
    )
    assert call(anonymous, route.method, path).status == 401
    for role in (None, *(role for role in Role if role < route.access.role)):
        assert call(World().seen_by(role), route.method, path).status == 403


def test_a_page_links_files_that_browsers_keep_for_a_year() -> None:
    world = World()
    html = Browser(world).open("/").html
    for name, kind in (("app", "text/css"), ("app", "text/javascript"), ("icon", "image/svg")):
        suffix = {"text/css": "css", "text/javascript": "js", "image/svg": "svg"}[kind]
        [path] = set(re.findall(rf"/static/{name}-[0-9a-f]{{16}}\.{suffix}", html))
        answer = call(world, "GET", path)
        assert (answer.status, kind in answer.headers["Content-Type"]) == (200, True)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(answer.body).hexdigest()[:16] in path
        assert call(world, "GET", path.replace("-", "-0")).status == 404
    for path in ("/static/app.css", "/static/../app.py", "/static/app-css"):
        assert call(world, "GET", path).status == 404
    assert call(world, "GET", "/").headers["Cache-Control"] == "no-store"
