"""Timers follow the rules of NCRONTAB and not those of other cron programs."""

from datetime import UTC, datetime

import pytest

from devhost.functions import StartError
from devhost.timers import Timer


def timer(schedule: str) -> Timer:
    return Timer("clock", schedule, lambda *_: None)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("0 */5 * * * *", "2026-11-23T10:05:00"),
        ("*/10 * * * * *", "2026-11-23T10:01:10"),
        ("*/5 * * * *", "2026-11-23T10:05:00"),
        ("0 0 9 13 * 5", "2027-08-13T09:00:00"),  # a Friday AND the 13th
        ("0 30 9 * * Mon-Fri", "2026-11-24T09:30:00"),
    ],
)
def test_the_next_time_matches_azure(schedule, due):
    now = datetime(2026, 11, 23, 10, 1, 0, tzinfo=UTC)
    assert timer(schedule).next_after(now) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["", "* * *", "61 * * * * *", "every day", "00:05:00"])
def test_an_invalid_schedule_stops_the_start_and_names_the_function(schedule):
    with pytest.raises(StartError, match="clock"):
        timer(schedule)
