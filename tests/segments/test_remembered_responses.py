"""Responses of the API are cached, failures too."""

from __future__ import annotations

import pytest

from shared.errors import Unavailable
from shared.request_time import OTHER_SERVICES, request_time, time_for_call
from shared.segments.choosing.remembered_responses import Remembered
from shared.segments.customer_insights_api import ApiSegment


class Api:
    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    def segments(self) -> list[ApiSegment]:
        self.asked += 1
        if self.down:
            raise Unavailable("customerInsightsUnavailable")
        return [ApiSegment("Gold", "Gold members", "active", self.asked, None)]


def test_a_response_is_cached_for_a_while() -> None:
    api, now = Api(), [0.0]
    remembered = Remembered(api.segments, lambda: now[0], 60)
    counts = []
    for at in (0, 30, 59, 60, 61):
        now[0] = at
        counts += [each.member_count for each in remembered()]
    assert counts == [1, 1, 1, 2, 2]


def test_a_failed_request_is_cached_too() -> None:
    api, now = Api(), [0.0]
    api.down = True
    remembered = Remembered(api.segments, lambda: now[0], 60)
    for _ in range(3):
        with pytest.raises(Unavailable):
            remembered()
    assert api.asked == 1
    api.down, now[0] = False, 60
    assert remembered()


def test_a_failure_for_lack_of_time_in_one_request_is_not_remembered_for_others() -> None:
    def ask() -> int:
        time_for_call(OTHER_SERVICES)
        return 1

    remembered = Remembered(ask, lambda: 0.0, 60)
    times = iter([0.0, OTHER_SERVICES])

    with request_time(lambda: next(times)), pytest.raises(Unavailable, match="too slowly"):
        remembered()
    assert remembered() == 1
