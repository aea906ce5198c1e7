"""A page from a template: in the reader's language, with what every page shows.

Templates escape everything. Times are shown in the time zone of the refresh schedule, numbers and
dates as the language writes them. The policy allows our own style sheet and script and no others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.errors import ConfigError
from shared.scheduling.schedule import zone
from shared.web.api.refresh_schedule import KEY
from shared.web.call import Call
from shared.web.http import Response
from shared.web.pages.csrf_token import csrf_token
from shared.web.principal import Principal, Role
from shared.web.problem import HttpProblem, detail_text
from shared.web.texts import LANGUAGES, has, text

__all__ = ["CSP", "error_page", "page"]

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(
    call: Call,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> Response:
    """A page for the caller. `done` of the query names what has just been done."""
    token, cookie = csrf_token(call)
    done = f"pages.done.{call.request.query.get('done', '')}"
    shown = {
        "principal": call.principal,
        "path": call.request.path,
        "csrf": token,
        "done": text(call.language, done) if has(done) else "",
        **_words(call.language, _zone(call), call.desk.clock()),
        **_may(call.principal),
        "has_people": call.desk.search is not None,
        **context,
    }
    body = _templates().get_template(template).render(shown)
    all_headers = {**_headers(call.language), **(headers or {})}
    return Response(status, {"Set-Cookie": cookie, **all_headers}, body.encode())


def error_page(problem: HttpProblem, language: str, trace_id: str, now: datetime) -> Response:
    """What went wrong, as a page; it needs nobody to be signed in."""
    shown = {
        **_words(language, ZoneInfo("UTC"), now),
        "title": text(language, f"problems.{problem.kind}.title"),
        "detail": detail_text(problem, language),
        "status": problem.status,
        "trace_id": trace_id,
    }
    body = _templates().get_template("error.html").render(shown)
    return Response(problem.status, {**_headers(language), **problem.headers}, body.encode())


def _headers(language: str) -> dict[str, str]:
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": language,
        "Content-Security-Policy": CSP,
        # With no-referrer a browser sends our own forms with "Origin: null".
        "Referrer-Policy": "same-origin",
    }


def _may(principal: Principal) -> dict[str, bool]:
    return {
        "may_run": principal.may(Role.CONTRIBUTOR),
        "may_administer": principal.may(Role.ADMINISTRATOR),
    }


def _zone(call: Call) -> ZoneInfo:
    """The time zone of the refresh schedule: the one that the house lives by."""
    stored = call.desk.schedule.read(KEY)
    try:
        return zone(stored.value.time_zone if stored else "UTC")
    except ConfigError:
        return ZoneInfo("UTC")


def _words(language: str, where: ZoneInfo, now: datetime) -> dict[str, object]:
    """How this reader is spoken to: texts, numbers, times."""

    def t(key: str, **values: object) -> str:
        return text(language, f"pages.{key}", {name: str(v) for name, v in values.items()})

    def choice(subject: str, value: object) -> str:
        key = f"pages.{subject}.{value}"
        return text(language, key) if has(key) else str(value)

    def time(moment: datetime | None) -> Markup:
        if moment is None:
            return Markup('<span class="quiet">–</span>')
        shown = clock_time(moment)
        near = format_timedelta(moment - now, add_direction=True, locale=language)
        iso = moment.astimezone(UTC).isoformat()
        return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, shown, near)

    def clock_time(moment: datetime | None) -> str:
        if moment is None:
            return "–"
        local = moment.astimezone(where)
        day = format_date(local.date(), "medium", locale=language)
        return f"{day} {local:%H:%M}"

    def span(seconds: float | None) -> str:
        if seconds is None:
            return "–"
        return format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=language)

    def number(value: float | None) -> str:
        return "–" if value is None else format_decimal(value, locale=language)

    return {
        "language": language,
        "zone_name": where.key.removeprefix("Etc/"),
        "languages": LANGUAGES,
        "t": t,
        "choice": choice,
        "time": time,
        "clock_time": clock_time,
        "span": span,
        "number": number,
        "percent": lambda share: format_percent(share, locale=language),
        "as_json": _as_json,
    }


def _as_json(value: object) -> Markup:
    """JSON for a data attribute."""
    return escape(json.dumps(value, ensure_ascii=False))
