"""Messages contain ids and numbers only, and anything else is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.messaging.messages import lane_of, run_of

RUN = "e5df66fac8ccf43da03b"


def test_messages_contain_a_run_and_a_lane() -> None:
    assert run_of(b'{"v": 1, "run": "%s"}' % RUN.encode()) == RUN
    assert lane_of(b'{"v": 1, "run": "%s", "lane": 9}' % RUN.encode()) == (RUN, 9)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"v": 2, "run": "e5df66fac8ccf43da03b", "lane": 1}',
        b'{"v": 1, "lane": 1}',
        b'{"v": 1, "run": "../../other", "lane": 1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b\\n", "lane": 1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": true}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": -1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": 1e999}',
        b"[" * 100_000,
    ],
)
def test_any_other_value_is_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(InputError) as refused:
        lane_of(body)
    assert "example" not in refused.value.message
    assert refused.value.code == "messageInvalid"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [run_of, lane_of]
    for read in readers:
        with pytest.raises(InputError):
            read(body)
