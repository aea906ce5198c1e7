"""A real Chromium, and the web interface on an in-memory app at a free port."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.web.client import wsgi
from tests.web.world import World

# Opens a page, as the fixture `open_page` returns it.
Open = Callable[..., Page]
# Only a failing test waits that long; a loaded machine needs more than the default of 5 s.
MOST_MILLISECONDS = 60_000
expect.set_options(timeout=MOST_MILLISECONDS)
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)


def session_ended(route: Route) -> None:
    """Answer as Azure does when the session has ended."""
    route.fulfill(status=302, headers={"Location": "https://login.example.com/"})


def is_form(request: Request) -> bool:
    """Whether the page itself sends a form."""
    return request.method == "POST" and request.is_navigation_request()


def sent_forms(page: Page) -> list[str]:
    """The addresses to which the page sends forms from now on. They do not reach the app, and the page stays."""
    sent: list[str] = []

    def answer(route: Route) -> None:
        if not is_form(route.request):
            return route.continue_()
        sent.append(route.request.url)
        # A route without an answer leaves a task behind, which logs an error while another test runs.
        return route.fulfill(status=204)

    page.route("**", answer)
    return sent


def speed_up(page: Page, times: int) -> None:
    """Run the timers of the next page this many times as fast. The time limit of a request is not one of them."""
    page.add_init_script(
        f"{{ const later = setTimeout; window.setTimeout = (call, time) => later(call, time / {times}); }}"
    )


def choose_list(page: Page, content: bytes) -> None:
    """Choose a file with a list of excluded people."""
    page.locator("#file").set_input_files(
        FilePayload(name="list.csv", mimeType="text/csv", buffer=content)
    )


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Do not log requests."""


class Place:
    """The world of a test and its address for a browser."""

    def __init__(self) -> None:
        self.url = ""
        self.start_again()

    def start_again(self) -> None:
        """Begin with an empty world."""
        self.world = World()
        # Answers before the app, as Azure does; None lets the app answer.
        self.in_front: Callable[[str], tuple[str, list[tuple[str, str]], bytes] | None] = (
            lambda path: None
        )

    def application(
        self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
    ) -> Iterable[bytes]:
        answer = self.in_front(environ["PATH_INFO"])
        if answer is None:
            return wsgi(self.world)(environ, start)
        status, headers, body = answer
        start(status, headers)
        return [body]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for the whole run."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: 'make browser' installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served_place() -> Iterator[Place]:
    """One server for the whole run."""
    here = Place()
    server = make_server("127.0.0.1", 0, here.application, threaded=True, request_handler=Quiet)
    here.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield here
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place(served_place: Place) -> Place:
    """A fresh world behind a server."""
    served_place.start_again()
    return served_place


@pytest.fixture
def complaints() -> list[str]:
    """Errors of the console and violations of the content security policy; must stay empty."""
    return []


@pytest.fixture(scope="session")
def new_context(chromium: Browser, served_place: Place) -> Callable[[str, bool], BrowserContext]:
    """A browser context with a language, and with or without scripts: a new one takes longer than most tests."""

    @cache
    def made(language: str, script: bool) -> BrowserContext:
        return chromium.new_context(
            locale={"en": "en-US", "ko": "ko-KR"}[language],
            base_url=served_place.url,
            java_script_enabled=script,
        )

    return made


@pytest.fixture
def open_page(
    new_context: Callable[[str, bool], BrowserContext], place: Place, complaints: list[str]
) -> Iterator[Open]:
    """Open a page with a language and a window width."""
    contexts = []

    def opened(language: str = "en", width: int = 1280, script: bool = True) -> Page:
        context = new_context(language, script)
        contexts.append(context)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.set_default_timeout(MOST_MILLISECONDS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            page.close()
        context.clear_cookies()
