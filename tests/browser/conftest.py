"""A real Chromium, and the web interface on an in-memory app at a free port."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect, sync_playwright
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
    """A world and its address for a browser."""

    def __init__(self) -> None:
        self.world = World()
        self.url = ""
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
    # A busy machine needs longer than the usual five seconds.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def place() -> Iterator[Place]:
    """A fresh world behind a server."""
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
def complaints() -> list[str]:
    """Errors of the console and violations of the content security policy; must stay empty."""
    return []


@pytest.fixture
def open_page(chromium: Browser, place: Place, complaints: list[str]) -> Iterator[Open]:
    """Open a page with a language and a window width."""
    contexts = []

    def opened(language: str = "en", width: int = 1280, script: bool = True) -> Page:
        context = chromium.new_context(
            locale={"en": "en-US", "ko": "ko-KR"}[language],
            base_url=place.url,
            viewport={"width": width, "height": 900},
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MOST_MILLISECONDS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
