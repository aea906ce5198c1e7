"""The history of an export as drawings: people, and rejected rows on their own scale.

Drawn on the server as inline SVG; colours come from the style sheet. Every run is a link with its date
and values, also a run that failed. The table beside the drawings has the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil, log10

from markupsafe import Markup

from shared.model.run import Run, RunStatus

__all__ = ["Chart", "charted", "draw"]

_MOST = 20
_WIDTH, _HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 8, 12, 26

# The value of a run, and its name: `people` or `rejected`.
Chart = tuple[str, Callable[[Run], int]]


def charted(runs: Sequence[Run]) -> list[Run]:
    """The runs to draw, oldest first: those of everyone that are over or wait."""
    # The numbers of other runs are not those of the segments.
    shown = [run for run in runs if not run.is_active and run.mode.sends_everyone]
    return list(reversed(shown[:_MOST]))


def draw(
    runs: Sequence[Run],
    name: str,
    value: Callable[[Run], int],
    say: Callable[[Run], str],
    number: Callable[[int], str],
    day: Callable[[datetime | None], str],
) -> Markup:
    """One drawing of `runs`. `say` describes a run, `number` and `day` write values and dates."""
    largest = _round_up(max((value(run) for run in runs), default=0))
    width = (_WIDTH - _LEFT - _RIGHT) / max(len(runs), 1)
    bottom = _HEIGHT - _BOTTOM
    height = bottom - _TOP
    parts = [_axis(largest, bottom, height, number)]
    # Dates must not overlap: about six of them fit.
    every = max(1, ceil(len(runs) / 6))
    for place, run in enumerate(runs):
        x = _LEFT + width * place
        parts.append(_bar(run, name, value(run), largest, x, width, bottom, height, say(run)))
        if place % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    x + width / 2, _HEIGHT - 8, day(run.queued_at)
                )
            )
    return Markup('<svg viewBox="0 0 {} {}" role="group">{}</svg>').format(
        _WIDTH, _HEIGHT, Markup("").join(parts)
    )


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


def _axis(largest: int, bottom: int, height: int, number: Callable[[int], str]) -> Markup:
    lines = []
    for value in (0, largest // 2, largest):
        y = bottom - height * value / largest
        lines.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(_LEFT, _WIDTH - _RIGHT, y, y, _LEFT - 8, y + 4, number(value))
        )
    return Markup("").join(lines)


def _bar(
    run: Run,
    name: str,
    value: int,
    largest: int,
    x: float,
    width: float,
    bottom: int,
    height: int,
    description: str,
) -> Markup:
    """A run: a bar, and a cross where it failed. The link covers the whole height."""
    tall = max(height * value / largest, 2 if value else 0)
    broad = min(width * 0.7, 28)
    middle = x + width / 2
    mark = Markup("")
    if run.status in (RunStatus.FAILED, RunStatus.CANCELED):
        mark = Markup('<path class="mark" d="M{:.1f} {:.1f}l10 10m0 -10l-10 10"/>').format(
            middle - 5, bottom - tall - 14
        )
    return Markup(
        '<a href="/runs/{}" aria-label="{}"><title>{}</title>'
        '<rect class="hit" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>'
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>{}</a>'
    ).format(
        run.id,
        description,
        description,
        x,
        _TOP,
        width,
        height,
        name,
        middle - broad / 2,
        bottom - tall,
        broad,
        tall,
        mark,
    )
