"""The progress of a run and its remaining time, computed from its chunks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.capacity.pace import Pace, UsableSlots
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk, ChunkKind, ChunkState
from shared.model.figures import Counts
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.progress import with_progress

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)


def run(status: RunStatus, sending_for: float | None = 120) -> Run:
    began = NOW - timedelta(seconds=sending_for) if sending_for is not None else None
    return Run("r", "e", Trigger.ON_DEMAND, Mode.EXPORT, status, sending_at=began)


def chunk(number: int, done_ago: float | None = None, people: int = 500) -> Chunk:
    state = ChunkState.DONE if done_ago is not None else ChunkState.PENDING
    at = NOW - timedelta(seconds=done_ago) if done_ago is not None else None
    return Chunk(
        number, ChunkKind.ADD, 0, 0, 1, people, state=state, done_at=at, writes=2, throttled=1
    )


def test_the_remaining_time_follows_the_last_minute() -> None:
    # 100 chunks in the first minute, one in the last: Mailchimp has slowed down.
    chunks = [chunk(n, 90) for n in range(100)] + [chunk(100, 30)] + [chunk(101), chunk(102)]

    progress = with_progress(run(RunStatus.SENDING), chunks, NOW).progress

    assert progress.seconds_left == 120
    assert (progress.chunks_done, progress.chunks_total) == (101, 103)
    assert (progress.profiles_done, progress.profiles_total) == (50_500, 51_500)
    assert progress.percent == 98


def test_the_remaining_time_is_unknown_at_the_start() -> None:
    assert with_progress(run(RunStatus.SENDING), [chunk(1)], NOW).progress.seconds_left is None
    still = [chunk(1, 300), chunk(2)]
    assert with_progress(run(RunStatus.SENDING, 600), still, NOW).progress.seconds_left is None
    assert with_progress(run(RunStatus.PLANNING, None), [], NOW).progress.seconds_left is None


def test_the_remaining_time_follows_the_slots_of_a_throttled_account() -> None:
    chunks = [*(chunk(n, ago) for n, ago in enumerate(range(1, 200))), *(chunk(0),) * 200]
    sending = run(RunStatus.SENDING, 600)
    just_halved = NOW - timedelta(seconds=10)
    halved = NOW - timedelta(seconds=60)
    slower = UsableSlots(10, Pace(5, just_halved, halved_from=10, halved_at=just_halved))
    recovering = UsableSlots(10, Pace(8, NOW, halved_from=10, halved_at=halved))

    steady, longer, shorter = (
        with_progress(sending, chunks, NOW, slots).progress.seconds_left or 0
        for slots in (UsableSlots(10), slower, recovering)
    )

    assert steady == 200
    assert longer > steady > shorter > steady / 2


def test_the_remaining_time_during_a_pause_of_the_account_includes_the_rest_of_the_pause() -> None:
    chunks = [*(chunk(n, ago) for n, ago in enumerate(range(101, 300))), *(chunk(0),) * 50]
    began = NOW - timedelta(seconds=100)
    pace = Pace(
        5, began, halved_from=10, halved_at=began, paused_until=NOW + timedelta(seconds=200)
    )

    left = with_progress(
        run(RunStatus.SENDING, 600), chunks, NOW, UsableSlots(10, pace)
    ).progress.seconds_left

    # Half of the slots are used after the pause, and then more again.
    assert left is not None
    assert 200 + 50 < left < 200 + 2 * 50


def test_the_first_calls_of_a_run_are_not_part_of_its_speed() -> None:
    # Ten calls of 10 s each; the first ten were begun after 20 s.
    done = [chunk(n, ago) for n, ago in enumerate((30, 20, 10)) for _ in range(10)]
    progress = with_progress(
        run(RunStatus.SENDING, 60), [*done, *(chunk(n) for n in range(100))], NOW
    ).progress
    assert progress.seconds_left == 100 / (20 / 30)


@pytest.mark.parametrize(
    ("status", "percent", "left"),
    [
        (RunStatus.SENDING, 99, 1),
        (RunStatus.FINISHING, 99, 1),
        (RunStatus.SUCCESSFUL, 100, None),
        (RunStatus.FAILED, 99, None),
        (RunStatus.AWAITING_CONFIRMATION, 99, None),
    ],
)
def test_progress_is_100_percent_only_for_finished_runs(
    status: RunStatus, percent: int, left: int | None
) -> None:
    progress = with_progress(run(status), [chunk(1, 10)], NOW).progress

    assert (progress.percent, progress.seconds_left) == (percent, left)


def test_the_remaining_time_includes_finishing_the_run() -> None:
    half = [chunk(n, 30) for n in range(60)] + [chunk(n) for n in range(60, 120)]
    sending = replace(run(RunStatus.SENDING), counts=Counts(distinct=1_000_000))
    assert with_progress(sending, half, NOW).progress.seconds_left == 60 + 20
    finishing = replace(sending, status=RunStatus.FINISHING, moved_at=NOW - timedelta(seconds=5))
    assert with_progress(finishing, half[:60], NOW).progress.seconds_left == 15
    late = replace(finishing, moved_at=NOW - timedelta(minutes=5))
    assert with_progress(late, half[:60], NOW).progress.seconds_left == 1


def test_people_who_await_confirmation_are_not_in_the_total() -> None:
    held = Chunk(2, ChunkKind.UNTAG, 0, 0, 1, 300, 5, ChunkState.UNCONFIRMED)

    progress = with_progress(run(RunStatus.SENDING), [chunk(1, 10), held], NOW).progress

    assert (progress.profiles_total, progress.chunks_total) == (500, 1)


def test_calls_are_counted_while_they_are_made_and_once() -> None:
    chunks = [chunk(1, 10), chunk(2)]

    assert with_progress(run(RunStatus.SENDING), chunks, NOW).calls == CallCounts(4, 0, 2, 0)
    assert with_progress(run(RunStatus.SUCCESSFUL), chunks, NOW).calls == CallCounts()
