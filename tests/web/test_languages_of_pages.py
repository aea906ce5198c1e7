"""Pages are in the chosen language, and a form keeps its input when the language changes."""

import re

import pytest

from tests.web.browser import Browser
from tests.web.client import call, new_connection, new_export
from tests.web.run_states import finished
from tests.web.world import World


def test_a_page_is_in_the_chosen_language() -> None:
    world = World()
    new_export(world)
    ada = Browser(world).open("/language/ko?back=/connections")
    assert ada.path == "/connections"
    assert '<html lang="ko">' in ada.html
    assert "연결 추가" in ada.text
    for back in ("//evil.example.org", "https://evil.example.org", "/\\evil", "/a?x=//evil"):
        answer = call(world, "GET", f"/language/ko?back={back}")
        assert answer.headers["Location"] == "/"
    ada.open("/runs?status=failed&done=saved")
    assert ada.html.count("/language/en?back=/runs%3Fstatus%3Dfailed") == 1
    assert call(world, "GET", "/language/en?back=%2Fruns%3Fstatus%3Dfailed").headers[
        "Location"
    ] == ("/runs?status=failed")
    assert Browser(world, "ko").open("/").html.count("내보내기 대상") >= 2


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/setup/connection", {"displayName": "Typed"}),
        ("/setup/export", {"displayName": "Typed", "do": "save"}),
        ("/exports/{export}/edit", {"displayName": "Typed", "do": "saveAndRun"}),
        ("/exports/{export}/person", {"person": "Typed"}),
        ("/exports-schedule?export={export}", {"repeat": "daily", "timeZone": "Typed"}),
        ("/connections/{connection}", {"displayName": "Typed"}),
        ("/schedule", {"repeat": "daily", "timeZone": "Typed"}),
        ("/people", {"person": "Typed"}),
        ("/runs/run-1/rejected", {"wanted": "Typed"}),
    ],
)
def test_a_form_in_another_language_has_what_was_typed_and_changes_nothing(
    path: str, typed: dict[str, str]
) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    finished(world, export, 1)
    world.outcomes.kept = []
    ada = Browser(world).open(path.format(export=export, connection=connection))
    if typed.get("timeZone"):
        ada.send(ada.path.partition("?")[0], typed)  # there is no such zone
        assert "note bad" in ada.html
    address = re.findall(r'formaction="([^"]+)\?language=ko"', ada.html)[0]
    before = (dict(world.exports.kept), dict(world.connections.kept), dict(world.runs.kept))
    ada.send(address, typed, "language=ko")
    assert (ada.answer.status, ada.answer.headers["Content-Language"]) == (200, "ko")
    assert 'value="Typed"' in ada.html
    assert ada.cookies["language"] == "ko"
    assert before == (world.exports.kept, world.connections.kept, world.runs.kept)
    # The form itself leads to its action, not to the language again.
    assert 'action="' + address.split("?")[0] + '"' in ada.html
    assert "formaction" in ada.html
    assert '<html lang="ko">' in ada.open("/runs").html


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_uses_existing_texts(language: str) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    finished(world, export, 1)
    for path in (
        "/",
        f"/exports/{export}",
        f"/exports/{export}/edit",
        f"/exports/{export}/remove",
        "/setup/export",
        "/setup/connection",
        "/connections",
        f"/connections/{connection}",
        f"/connections/{connection}/remove",
        f"/exports/{export}/detach",
        f"/exports-schedule?export={export}",
        "/run-all",
        "/runs",
        "/runs/run-1",
        "/runs/run-1/rejected",
        "/runs/run-1/undo",
        "/schedule",
        "/audit",
        "/people",
    ):
        shown = Browser(world, language).open(path)
        assert shown.answer.status == 200, path
        assert len(set(shown.ids)) == len(shown.ids), path
        assert shown.html.count('aria-current="page"') == 1, path
        assert "script-src 'self'" in shown.answer.headers["Content-Security-Policy"]
        html = shown.html.replace('<option value="">None</option>', "")
        for word in ("pages.", "Undefined", "{name}", "None<"):
            assert word not in html, (path, word)
