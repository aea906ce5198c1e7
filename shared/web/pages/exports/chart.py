"""The history of an export as drawings: people, and rejected rows on their own scale.

`exports/_chart.html` draws them as inline SVG; colours come from the style sheet. Every run is a link with its date
and values, also a run that failed. The table beside the drawings has the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log10

from shared.model.run import Run

_MOST = 20
_WIDTH, _HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 8, 12, 26
_FLOOR = _HEIGHT - _BOTTOM


@dataclass(frozen=True)
class Bar:
    """The bar of a run, in the units of the drawing.

    `has_date`: the date of the run has room below it; `has_date_on_phones`: also on a narrow screen.
    """

    run: Run
    left: float
    height: float
    has_date: bool
    has_date_on_phones: bool


@dataclass(frozen=True)
class Chart:
    """One drawing. `name` is that of its texts; `lines` are the values of the axis and where they are."""

    name: str
    bars: tuple[Bar, ...]
    lines: tuple[tuple[int, float], ...]
    step: float

    # The same for every drawing.
    width, height = _WIDTH, _HEIGHT
    left, right, top, floor = _LEFT, _WIDTH - _RIGHT, _TOP, _FLOOR


def charts(runs: Sequence[Run]) -> list[Chart]:
    """The drawings of a history, newest first; none for fewer than two runs.

    Drawn are the runs of everyone that are over or wait: the numbers of others are not those of the segments.
    """
    shown = [run for run in runs if not run.is_active and run.mode.sends_everyone][:_MOST][::-1]
    if len(shown) < 2:
        return []
    return [
        _chart("people", shown, lambda run: run.counts.distinct),
        _chart("rejected", shown, lambda run: run.counts.rejected),
    ]


def _chart(name: str, runs: Sequence[Run], value: Callable[[Run], int]) -> Chart:
    largest = _round_up(max(value(run) for run in runs))
    unit = (_FLOOR - _TOP) / largest
    step = (_WIDTH - _LEFT - _RIGHT) / len(runs)
    # Dates must not overlap: about six of them fit, and about three on a phone.
    dates_apart = max(1, ceil(len(runs) / 6))
    bars = (
        Bar(
            run,
            _LEFT + step * place,
            # The bar of a small value is still visible.
            max(value(run) * unit, 2 if value(run) else 0),
            has_date=place % dates_apart == 0,
            has_date_on_phones=place % (2 * dates_apart) == 0,
        )
        for place, run in enumerate(runs)
    )
    lines = ((line, _FLOOR - line * unit) for line in (0, largest // 2, largest))
    return Chart(name, tuple(bars), tuple(lines), step)


def _round_up(value: int) -> int:
    """A round number that is not smaller, for the top of the axis; it can be halved."""
    if value <= 2:
        return 2
    magnitude: int = 10 ** int(log10(value))
    for step in (1, 2, 4, 5, 6, 8, 10):
        top: int = step * magnitude
        if top >= value and top % 2 == 0:
            return top
    return 10 * magnitude
