"""Schedules across clock changes and irregular ticks: no run is missed or doubled."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.model.export import Repeat, Schedule
from shared.scheduling.schedule import DAYS, due, next_run, validate, zone

TICK = timedelta(minutes=5)


def daily(*times: str, where: str = "UTC") -> Schedule:
    return Schedule(True, Repeat.DAILY, (), times, where)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def runs(schedule: Schedule, start: str, end: str, tick: timedelta = TICK) -> list[str]:
    """The local times at which a timer that ticks from start to end (UTC) starts a run."""
    now, last, made = utc(start), utc(start), []
    where = zone(schedule.time_zone)
    while now <= utc(end):
        if due(schedule, last, now) is not None:
            made.append(now.astimezone(where).strftime("%m-%d %H:%M %z"))
            last = now
        now += tick
    return made


# Zone, the night of the change, a local time in it, and the local moments that must run: the
# night before, the night itself, the night after.
CHANGES = [
    pytest.param(
        "Europe/Berlin", "2024-03-30", "02:30",
        ["03-30 02:30 +0100", "03-31 03:30 +0200", "04-01 02:30 +0200"],
        id="Berlin skips an hour",
    ),
    pytest.param(
        "Europe/Berlin", "2024-10-26", "02:30",
        ["10-26 02:30 +0200", "10-27 02:30 +0200", "10-28 02:30 +0100"],
        id="Berlin repeats an hour",
    ),
    pytest.param(
        "America/New_York", "2024-03-09", "02:30",
        ["03-09 02:30 -0500", "03-10 03:30 -0400", "03-11 02:30 -0400"],
        id="New York skips an hour",
    ),
    pytest.param(
        "America/New_York", "2024-11-02", "01:30",
        ["11-02 01:30 -0400", "11-03 01:30 -0400", "11-04 01:30 -0500"],
        id="New York repeats an hour",
    ),
    pytest.param(
        "Australia/Lord_Howe", "2024-10-05", "02:15",
        ["10-05 02:15 +1030", "10-06 02:45 +1100", "10-07 02:15 +1100"],
        id="Lord Howe skips half an hour",
    ),
    pytest.param(
        "Australia/Lord_Howe", "2024-04-06", "01:45",
        ["04-06 01:45 +1100", "04-07 01:45 +1100", "04-08 01:45 +1030"],
        id="Lord Howe repeats half an hour",
    ),
    pytest.param(
        "Asia/Seoul", "2024-03-30", "02:30",
        ["03-30 02:30 +0900", "03-31 02:30 +0900", "04-01 02:30 +0900"],
        id="Seoul has no summer time now",
    ),
    pytest.param(
        "Asia/Seoul", "1987-05-09", "02:30",
        ["05-09 02:30 +0900", "05-10 03:30 +1000", "05-11 02:30 +1000"],
        id="Seoul skipped an hour in 1987",
    ),
    pytest.param(
        "Asia/Seoul", "1987-10-10", "02:30",
        ["10-10 02:30 +1000", "10-11 02:30 +1000", "10-12 02:30 +0900"],
        id="Seoul repeated an hour in 1987",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("where", "day", "time", "expected"), CHANGES)
def test_every_night_with_a_clock_change_runs_once(
    where: str, day: str, time: str, expected: list[str]
) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(where)).astimezone(UTC)
    end = start + timedelta(days=3)
    schedule = daily(time, where=where)
    assert runs(schedule, start.isoformat()[:16], end.isoformat()[:16]) == expected


def test_two_times_merged_by_a_clock_change_run_once() -> None:
    schedule = daily("02:30", "03:30", where="Europe/Berlin")
    assert runs(schedule, "2024-03-30T23:00", "2024-03-31T20:00") == ["03-31 03:30 +0200"]


def test_a_day_skipped_by_a_time_zone_causes_no_missed_or_double_run() -> None:
    assert runs(daily("06:00", where="Pacific/Apia"), "2011-12-29T00:00", "2012-01-02T00:00") == [
        "12-29 06:00 -1000",
        "12-31 06:00 +1400",
        "01-01 06:00 +1400",
        "01-02 06:00 +1400",
    ]


def test_a_weekly_schedule_runs_on_its_days() -> None:
    schedule = Schedule(True, Repeat.WEEKLY, ("monday", "friday"), ("06:00", "18:30"), "Asia/Seoul")
    assert runs(schedule, "2024-05-05T00:00", "2024-05-12T00:00") == [
        "05-06 06:00 +0900",
        "05-06 18:30 +0900",
        "05-10 06:00 +0900",
        "05-10 18:30 +0900",
    ]


def test_a_late_tick_runs_once_for_all_missed_times() -> None:
    schedule = daily("06:00", "12:00", "18:00")
    last, now = utc("2024-05-01T06:02"), utc("2024-05-09T13:00")
    assert due(schedule, last, now) == utc("2024-05-09T12:00")
    assert due(schedule, now, now + TICK) is None


def test_a_repeated_tick_finds_nothing_due() -> None:
    schedule = daily("06:00")
    now = utc("2024-05-01T06:00")
    assert due(schedule, utc("2024-04-30T06:00"), now) == now
    assert due(schedule, now, now) is None


def test_nothing_is_due_for_moments_before_the_schedule_was_set() -> None:
    assert due(daily("06:00"), utc("2024-05-01T06:30"), utc("2024-05-01T07:00")) is None


def test_an_export_without_times_is_never_due_by_time() -> None:
    for schedule in (Schedule(False, Repeat.DAILY, (), ("06:00",)), Schedule(times=("06:00",))):
        assert due(schedule, utc("2024-05-01T00:00"), utc("2024-05-03T00:00")) is None
        assert next_run(schedule, utc("2024-05-01T00:00")) is None


def test_missed_times_of_the_last_week_are_considered() -> None:
    schedule = Schedule(True, Repeat.WEEKLY, ("monday",), ("00:00",), "Pacific/Kiritimati")
    now = utc("2024-05-12T09:59")  # a minute before the next one
    assert due(schedule, utc("2024-05-05T09:00"), now) == utc("2024-05-05T10:00")


schedules = st.builds(
    Schedule,
    enabled=st.just(True),
    repeat=st.sampled_from([Repeat.DAILY, Repeat.WEEKLY]),
    days=st.sets(st.sampled_from(DAYS), min_size=1).map(tuple),
    times=st.sets(st.times().map(lambda t: t.strftime("%H:%M")), min_size=1, max_size=4).map(tuple),
    time_zone=st.sampled_from(
        ["Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
    ),
)
moments = st.datetimes(datetime(2011, 12, 1), datetime(2026, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(schedules, moments)
def test_the_announced_next_time_becomes_due_and_not_before(
    schedule: Schedule, now: datetime
) -> None:
    coming = next_run(schedule, now)
    assert coming is not None
    assert now < coming <= now + timedelta(days=8)
    assert due(schedule, now, coming - timedelta(seconds=1)) is None
    assert due(schedule, now, coming) == coming
    assert due(schedule, now, coming + timedelta(seconds=1)) == coming


@given(schedules, moments, st.lists(st.integers(0, 60 * 60 * 30), min_size=1, max_size=12))
def test_every_scheduled_time_runs_at_most_once_and_the_last_one_always(
    schedule: Schedule, start: datetime, gaps: list[int]
) -> None:
    now = last = start
    ran_for = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        moment = due(schedule, last, now)
        if moment is not None:
            ran_for.append(moment)
            last = now
    assert ran_for == sorted(set(ran_for))
    assert due(schedule, last, now) is None
    coming = next_run(schedule, start)
    assert bool(ran_for) == (coming is not None and coming <= now)


def test_iana_and_windows_names_are_known() -> None:
    assert zone("Asia/Seoul") == zone("Korea Standard Time") == ZoneInfo("Asia/Seoul")
    assert zone("w. europe standard time") == ZoneInfo("Europe/Berlin")
    assert zone("UTC").utcoffset(None) in {None, timedelta(0)}


def test_every_windows_name_of_a_time_zone_is_known() -> None:
    names = get_global("windows_zone_mapping")

    assert len(names) > 100
    assert {name: str(zone(name)) for name in names} == dict(names)


@pytest.mark.parametrize(
    "name", ["", "Nowhere", "Asia", "../etc/passwd", "/etc/localtime", "Asia/Seoul\0", "a" * 5000]
)
def test_an_unknown_time_zone_is_reported(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        zone(name)
    assert caught.value.code == "timeZoneUnknown"


def test_all_faults_are_found_together() -> None:
    schedule = Schedule(
        True,
        Repeat.WEEKLY,
        ("monday", "someday"),
        ("6:00", "06:00", "06:00", "24:00", "07:00"),
        "Mars/Olympus",
    )
    assert [(fault.field, fault.code) for fault in validate(schedule)] == [
        ("times", "timesTooMany"),
        ("times[0]", "timeMalformed"),
        ("times[2]", "timeTwice"),
        ("times[3]", "timeMalformed"),
        ("days[1]", "dayUnknown"),
        ("timeZone", "timeZoneUnknown"),
    ]


def test_a_weekly_schedule_needs_a_day_and_a_time() -> None:
    faults = validate(Schedule(True, Repeat.WEEKLY))
    assert [fault.field for fault in faults] == ["times", "days"]


def test_following_the_refresh_needs_no_times() -> None:
    assert validate(Schedule()) == []
    assert validate(daily("06:00", where="Korea Standard Time")) == []
