"""The history of an export as a small drawing: members, rejected rows and duration over time.

Drawn on the server as inline SVG; colours come from the style sheet. The table beside it has the same
numbers, so the text alternative of the drawing is one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from shared.model.run import Mode, Run, RunStatus
from shared.web.texts import text

__all__ = ["history_chart"]

_SHOWN = (
    RunStatus.SUCCESSFUL,
    RunStatus.COMPLETED_WITH_WARNINGS,
    RunStatus.AWAITING_CONFIRMATION,
)
_WIDTH, _HEIGHT, _LABEL, _BAND = 640, 150, 110, 50


def _seconds(run: Run) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return (run.finished_at - run.started_at).total_seconds()


def history_chart(runs: Sequence[Run], language: str) -> Markup:
    """Bars for the last runs, oldest first; empty for fewer than two runs."""
    shown = [r for r in reversed(runs) if r.status in _SHOWN and r.mode is not Mode.PREVIEW][-20:]
    if len(shown) < 2:
        return Markup("")
    bands: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("members", lambda run: float(run.counts.distinct)),
        ("rejected", lambda run: float(run.counts.rejected)),
        ("duration", _seconds),
    )
    drawn = Markup("").join(
        _band(place, name, [value(run) for run in shown], language)
        for place, (name, value) in enumerate(bands)
    )
    label = text(language, "pages.chart.label", {"runs": str(len(shown))})
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, label, drawn)


def _band(place: int, name: str, values: Sequence[float], language: str) -> Markup:
    """One row of bars, as high as its largest value."""
    top = place * _BAND
    largest = max(values) or 1.0
    step = (_WIDTH - _LABEL) / len(values)
    bars = Markup("").join(
        Markup(
            '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"/>'
        ).format(
            name,
            _LABEL + step * number,
            top + _BAND - 6 - (_BAND - 14) * value / largest,
            min(step - 2, 24),
            max((_BAND - 14) * value / largest, 1),
        )
        for number, value in enumerate(values)
    )
    title = text(language, f"pages.chart.{name}")
    return Markup('<text x="0" y="{}">{}</text>{}').format(top + _BAND - 18, title, bars)
