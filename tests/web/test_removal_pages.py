"""The pages for removals list what is deleted and what is kept, in both languages."""

import pytest

from shared.model.run import Mode, Trigger
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export
from tests.web.world import World


@pytest.mark.parametrize(
    ("language", "goes", "stays"),
    [
        ("en", "record of what was sent are deleted permanently", "stay as they are"),
        ("ko", "보낸 기록은 영구히 삭제", "그대로 유지"),
    ],
)
def test_removing_an_export_warns_about_its_ledger(language: str, goes: str, stays: str) -> None:
    world = World()
    export = new_export(world)

    page = Browser(world, language).open(f"/exports/{export}/remove")

    assert goes in page.text
    assert stays in page.text
    described = get(world, "/api/openapi.json")["paths"]["/api/exports/{id}"]["delete"]
    assert "ledger" in described["summary"]


@pytest.mark.parametrize(
    ("language", "warning"), [("en", "turn off its schedule"), ("ko", "일정을 끄세요")]
)
def test_the_undo_page_of_a_scheduled_export_warns_that_the_next_run_reverts_it(
    language: str, warning: str
) -> None:
    world = World()
    connection = new_connection(world)
    quiet = new_export(world, connection, schedule={"enabled": False})
    loud = new_export(
        world, connection, audienceId="other", schedule={"enabled": True, "repeat": "everyRefresh"}
    )
    runs = [
        world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada") for export in (quiet, loud)
    ]

    pages = [Browser(world, language).open(f"/runs/{run.id}/undo").text for run in runs]

    assert [warning in page for page in pages] == [False, True]


def test_a_connection_is_removed_from_all_its_exports_or_none() -> None:
    world = World()
    connection = new_connection(world)
    first = new_export(world, connection, displayName="A first one")
    busy = new_export(world, connection, audienceId="other", displayName="Busy")
    world.runs.start(busy, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")

    answer = call(world, "DELETE", f"/api/connections/{connection}?detachExports=true")

    assert answer.status == 409
    assert "Busy" in answer.json()["detail"]
    assert get(world, f"/api/exports/{first}")["connectionId"] == connection
