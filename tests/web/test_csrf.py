"""The allowed origins of changes."""

import pytest

from tests.web.client import ORIGIN, call
from tests.web.world import World

SCHEDULE = {"enabled": True, "repeat": "daily", "times": ["06:00"], "timeZone": "UTC"}
COOKIE = {"Cookie": "AppServiceAuthSession=abc"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ORIGIN},
        {"Origin": ORIGIN, **COOKIE},
        {"Sec-Fetch-Site": "same-origin", **COOKIE},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", **COOKIE},
        {"Origin": "https://portal.example.org", "Authorization": "Bearer x"},
    ],
)
def test_changes_from_our_pages_and_from_api_clients_are_accepted(headers: dict[str, str]) -> None:
    world = World()
    assert call(world, "PUT", "/api/schedule", SCHEDULE, headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        COOKIE,
        {"Origin": "https://evil.example.org"},
        {"Origin": "https://evil.example.org", **COOKIE},
        {"Origin": "https://localhost:7071", **COOKIE},
        {"Origin": "http://localhost:7072", **COOKIE},
        {"Origin": "null", **COOKIE},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", **COOKIE},
        {"Sec-Fetch-Site": "none", **COOKIE},
        {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://evil.example.org", "Authorization": "Bearer x", **COOKIE},
    ],
)
def test_a_change_from_another_origin_is_refused(headers: dict[str, str]) -> None:
    world = World()
    answer = call(world, "PUT", "/api/schedule", SCHEDULE, headers)
    assert answer.status == 403
    assert not world.schedule.kept


def test_reads_need_no_origin_check() -> None:
    answer = call(World(), "GET", "/api/schedule", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 200


def test_a_cross_site_form_cannot_change_anything() -> None:
    world = World()
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        headers = {"Content-Type": content_type}
        assert call(world, "PUT", "/api/schedule", headers=headers, raw=b"{}").status == 415
    assert not world.schedule.kept
