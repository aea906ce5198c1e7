"""The triggers, as the worker of Azure calls them."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

import function_app
from shared.telemetry import Telemetry
from tests.web.client import run_async

LOG = logging.getLogger("shared.a_module")


async def logging_in_a_thread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as the endpoints of the app do, which run in threads."""
    await run_in_threadpool(LOG.error, "from a thread")
    await PlainTextResponse("ok")(scope, receive, send)


def test_log_lines_of_the_threads_of_a_request_belong_to_its_invocation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From Python 3.13 on, the worker finds the invocation of a log line in this variable, or drops the line."""
    variable: ContextVar[str | None] = ContextVar("invocation_id", default=None)
    runtime = SimpleNamespace(invocation_id_cv=variable)
    monkeypatch.setitem(sys.modules, "azure_functions_runtime", runtime)
    app: Any = SimpleNamespace(
        web=logging_in_a_thread, telemetry=Telemetry(lambda n: "ab" * n, lambda: datetime.now(UTC))
    )
    monkeypatch.setattr(function_app, "connector", lambda: app)
    seen: list[str | None] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(variable.get())

    handler = Handler()
    LOG.addHandler(handler)
    try:
        request = func.HttpRequest("GET", "https://func.example/api/runs", body=b"")
        context: Any = SimpleNamespace(
            invocation_id="an-invocation", function_name="http_api", trace_context=None
        )
        answer = run_async(function_app._answer(request, context))
    finally:
        LOG.removeHandler(handler)
    assert answer.status_code == 200
    assert seen == ["an-invocation"]


def test_azure_does_not_take_the_app_for_one_of_another_framework() -> None:
    """The worker loads another runtime if it finds one of these texts in the file."""
    text = Path(function_app.__file__).read_text(encoding="utf-8")
    assert "FastAPI()" not in text
    assert "from fastapi import" not in text
