"""Pages from templates, in the reader's language, with what every page shows.

Templates escape everything. Times are shown in the time zone of the refresh schedule (until it is set, of the
browser). The policy allows only the app's own style sheet and script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.errors import ConfigError, ConnectorError
from shared.request_time import LAST_CALLS, calls_until
from shared.scheduling.schedule import zone
from shared.scheduling.time_zones import time_zones
from shared.web.application import schedule
from shared.web.authentication import Principal, Role
from shared.web.chosen_language import asked_language, language_cookie
from shared.web.context import Context
from shared.web.cookies import Cookie
from shared.web.csrf import new_token
from shared.web.pages.formats import Formats, template_functions
from shared.web.pages.forms import NO_ERRORS, FormErrors
from shared.web.pages.static import static_url
from shared.web.parameters import CurrentContext
from shared.web.problems import HttpProblem, detail_text, fault_text, for_error
from shared.web.services import Services
from shared.web.texts import LANGUAGE_COOKIE, has, text

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


T = TypeVar("T")


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
    return templates


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

    def attempt(self, action: Callable[[], T], *, only_reads: bool = False) -> T | FormErrors:
        """The result of an action, or FormErrors when a person can correct the cause of its failure.

        A form that was sent for another language changes nothing: its page is shown again with its input.
        """
        if self.switches_language and not only_reads:
            return NO_ERRORS
        try:
            return action()
        except (ConnectorError, HttpProblem, RequestValidationError) as error:
            problem = for_error(error)
            if problem.status_code in (401, 403, 404, 500):
                raise
            return FormErrors(
                problem.status_code,
                detail_text(problem, self.language),
                {fault.field: fault_text(fault, self.language) for fault in problem.faults},
            )

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
            **template_functions(self.language, self.zone, self.services.clock()),
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


def error_page(problem: HttpProblem, language: str, trace_id: str, now: datetime) -> Response:
    """A problem as a page; the reader need not be signed in."""
    shown = {
        **template_functions(language, ZoneInfo("UTC"), now),
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
    shown = {**template_functions(language, ZoneInfo("UTC"), now), "sentence": sentence}
    response = _html("sign_in.html", shown, 400)
    # The address of the page has a code and a state.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _html(template: str, shown: Mapping[str, object], status: int) -> Response:
    body = _templates().get_template(template).render(shown)
    return HTMLResponse(
        body, status, {"Content-Security-Policy": _CSP, "Referrer-Policy": _REFERRER}
    )
