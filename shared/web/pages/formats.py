"""Texts, numbers, dates and times as a reader writes them, for templates and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from markupsafe import Markup

from shared.web.models.runs import in_words
from shared.web.pages.findings.warnings import warnings
from shared.web.texts import LANGUAGES, action_text, has, reason_text, text

# Clocks differ, so a moment that is this near may be in the future.
_JUST_NOW = timedelta(seconds=2)


@dataclass(frozen=True)
class Formats:
    """Numbers and times as one reader writes them."""

    language: str
    zone: ZoneInfo

    def clock_time(self, moment: datetime | None) -> str:
        """A date with its time."""
        if moment is None:
            return "–"
        local = moment.astimezone(self.zone)
        return f"{format_date(local.date(), 'medium', locale=self.language)} {local:%H:%M}"

    def day(self, moment: datetime | None) -> str:
        """A date without its year."""
        if moment is None:
            return "–"
        return format_skeleton("MMMd", moment, self.zone, locale=self.language)

    def short_number(self, value: float) -> str:
        """A number for little room: 600K."""
        return format_compact_decimal(value, locale=self.language, fraction_digits=1)

    def number(self, value: float | None) -> str:
        """A number."""
        return "–" if value is None else format_decimal(value, locale=self.language)


def template_functions(language: str, where: ZoneInfo, now: datetime) -> dict[str, object]:
    """What templates call to write texts, numbers and times as this reader does."""
    formats = Formats(language, where)
    clock_time = formats.clock_time

    def t(key: str, **values: object) -> str:
        return text(language, f"pages.{key}", values)

    def choice(subject: str, value: object) -> str:
        key = f"pages.{subject}.{value}"
        return text(language, key) if has(key) else str(value)

    def time(moment: datetime | None) -> Markup:
        if moment is None:
            return Markup('<span class="quiet">–</span>')
        shown = clock_time(moment)
        distance = moment - now
        near = (
            t("justNow")
            if abs(distance) < _JUST_NOW
            else format_timedelta(distance, add_direction=True, locale=language)
        )
        iso = moment.astimezone(UTC).isoformat()
        return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, shown, near)

    def span(seconds: float | None) -> str:
        if seconds is None:
            return "–"
        return format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=language)

    return {
        "language": language,
        "zone_name": where.key.removeprefix("Etc/"),
        "languages": LANGUAGES,
        "t": t,
        "choice": choice,
        "time": time,
        "clock_time": clock_time,
        "span": span,
        "in_words": lambda message: in_words(message, language),
        # Why a run has its status; empty if the status says it all.
        "why": lambda run: in_words(run.reason, language) or " ".join(warnings(run, language, 1)),
        "reason_text": lambda code: reason_text(code, language),
        "action_text": lambda code: action_text(code, language),
        "number": formats.number,
        "short_number": formats.short_number,
        "day": formats.day,
        "percent": lambda share: format_percent(share, "#,##0.#%", locale=language),
    }
