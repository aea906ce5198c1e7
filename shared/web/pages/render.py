"""Pages from templates, in the reader's language, with what every page shows.

Templates escape everything. Times are shown in the time zone of the refresh schedule (until it is set, of the
browser), numbers and dates in the format of the language. The policy allows only the app's own style sheet and script.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from fastapi import Depends
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.errors import ConfigError
from shared.request_time import LAST_CALLS, calls_until
from shared.scheduling.schedule import zone
from shared.web.application import schedule
from shared.web.authentication import Principal, Role
from shared.web.chosen_language import asked_language, language_cookie
from shared.web.context import Context
from shared.web.cookies import Cookie
from shared.web.csrf import new_token
from shared.web.models.runs import in_words
from shared.web.pages.forms import NO_ERRORS, FormErrors
from shared.web.pages.run_summary import rows_per_second, seconds_of
from shared.web.pages.run_warnings import warnings
from shared.web.pages.schedule_form import time_zones
from shared.web.pages.static import static_url
from shared.web.parameters import CurrentContext
from shared.web.problems import HttpProblem, detail_text
from shared.web.services import Services
from shared.web.texts import LANGUAGE_COOKIE, LANGUAGES, action_text, has, reason_text, text

_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# With no-referrer a browser sends the app's own forms with "Origin: null".
_REFERRER = "same-origin"
_NOT_DONE = ("chooseExports", "chosenGone", "savedNotRun", "scheduledOthers")
_UNCHANGED = "unchanged"
# The time zone of the browser, which app.js stores.
_ZONE_COOKIE = "zone"
# How long a page may stay open before its forms are refused, also when the browser was closed in between.
_FORM_SECONDS = 7 * 86_400
# Clocks differ, so a moment that is this near may be in the future.
_JUST_NOW = timedelta(seconds=2)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["static"] = static_url
    templates.globals["time_zones"] = time_zones
    templates.globals["seconds_of"] = seconds_of
    templates.globals["rows_per_second"] = rows_per_second
    return templates


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


@dataclass(frozen=True)
class Page:
    """Renders pages for one request."""

    request: Request
    context: Context

    @property
    def services(self) -> Services:
        """The services that answer the request."""
        return self.context.services

    @property
    def caller(self) -> Principal:
        """Who makes the request."""
        return self.context.caller

    @property
    def language(self) -> str:
        """The language of the reader."""
        return self.context.language

    @property
    def switches_language(self) -> bool:
        """Whether a form was sent in order to show it in another language."""
        return bool(asked_language(self.request))

    def render(
        self,
        template: str,
        *,
        errors: FormErrors = NO_ERRORS,
        cookie: str | None = None,
        **context: object,
    ) -> Response:
        """A page. It shows what was refused of a form; `cookie` is one more Set-Cookie.

        The query parameter `done` names the action that was just completed, or why it was not.
        """
        csrf = Cookie("csrf", self.request, self.services.public_url)
        token = new_token(csrf, self.services.new_id)
        action = self.request.query_params.get("done", "")
        done = f"pages.done.{action}"
        shown = {
            "principal": self.caller,
            "path": self.request.scope["path"],
            "address": self._address,
            "sent_to": self._sent_to,
            "csrf": token,
            "done": text(self.language, done) if has(done) else "",
            "done_kind": "warn" if action in _NOT_DONE else "good",
            "message": errors.message,
            "faults": errors.faults,
            **_formats(self.language, self.zone, self.services.clock()),
            "may_run": self.caller.may(Role.CONTRIBUTOR),
            "may_administer": self.caller.may(Role.ADMINISTRATOR),
            **context,
        }
        response = _html(template, shown, errors.status)
        switched = [language_cookie(self.language)] if self.switches_language else []
        for value in (
            csrf.header(token, _FORM_SECONDS),
            *([cookie] if cookie else []),
            *switched,
        ):
            response.headers.append("Set-Cookie", value)
        return response

    @property
    def _sent_to(self) -> str:
        """The path to which a form was sent whose response is this page; "" if the page was opened.

        Also "" if the form was sent without changes, only to show it in another language (unsaved.js).
        """
        was_opened = self.request.method != "POST" or _UNCHANGED in self.request.query_params
        return "" if was_opened else str(self.request.scope["path"])

    @property
    def _address(self) -> str:
        """Path and query of this page, without the confirmation of the last action."""
        query = [
            (name, value)
            for name, value in self.request.query_params.multi_items()
            if name not in ("done", LANGUAGE_COOKIE, _UNCHANGED)
        ]
        path = str(self.request.scope["path"])
        return f"{path}?{urlencode(query)}" if query else path

    @cached_property
    def formats(self) -> Formats:
        """How this reader writes numbers and times."""
        return Formats(self.language, self.zone)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the refresh schedule. Until someone sets it, the time zone of the browser."""
        # The page may say that there was no time left.
        with calls_until(LAST_CALLS):
            stored = schedule.read(self.context)
        name = stored.value.time_zone
        if not schedule.is_set(stored):
            name = self.request.cookies.get(_ZONE_COOKIE) or name
        try:
            return zone(name)
        except ConfigError:
            return ZoneInfo("UTC")


async def _page(request: Request, context: CurrentContext) -> Page:
    return Page(request, context)


CurrentPage = Annotated[Page, Depends(_page)]


def redirect(location: str) -> Response:
    """See Other: the browser continues with GET. `location` is a path of this app, never an input."""
    return Response(status_code=303, headers={"Location": location})


def removed_export(page: Page, typed: str) -> Response:
    """The response to a form of an export that someone has removed. Shows what was typed, so that it can be copied."""
    return page.render("removed_export.html", errors=FormErrors(404), typed=typed)


def error_page(problem: HttpProblem, language: str, trace_id: str, now: datetime) -> Response:
    """A problem as a page; the reader need not be signed in."""
    shown = {
        **_formats(language, ZoneInfo("UTC"), now),
        "title": text(language, f"problems.{problem.kind}.title"),
        "detail": detail_text(problem, language),
        "status": problem.status_code,
        "trace_id": trace_id,
    }
    response = _html("error.html", shown, problem.status_code)
    response.headers.update(problem.headers or {})
    return response


def sign_in_page(language: str, sentence: str, now: datetime) -> Response:
    """The page of a sign-in that failed: fixed texts, nothing of the request."""
    shown = {**_formats(language, ZoneInfo("UTC"), now), "sentence": sentence}
    response = _html("sign_in.html", shown, 400)
    # The address of the page has a code and a state.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _html(template: str, shown: Mapping[str, object], status: int) -> Response:
    body = _templates().get_template(template).render(shown)
    return HTMLResponse(
        body, status, {"Content-Security-Policy": _CSP, "Referrer-Policy": _REFERRER}
    )


def _formats(language: str, where: ZoneInfo, now: datetime) -> dict[str, object]:
    """Texts, numbers and times as this reader writes them."""

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
