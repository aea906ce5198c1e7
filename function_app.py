"""Triggers and bindings, a few lines each, without business rules.

Messages contain ids only. When a function raises Unavailable or an unexpected error, its message is
delivered again later. After five attempts it moves to the poison queue, whose trigger logs the failure.
https://learn.microsoft.com/azure/azure-functions/functions-reference-python
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import azure.functions as func

from shared.allocator import use_one_arena
from shared.errors import ConfigError
from shared.garbage import skip_loaded_objects
from shared.messaging.messages import audience_of, lane_of, number_of, run_of
from shared.settings import authentication_is_on
from shared.shutdown import PROCESS
from shared.web.asgi import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from shared.app import App

PROCESS.install()
use_one_arena()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

# All: the host answers a method that is not listed with an empty 404. The app answers it with 405 and the allowed ones.
_METHODS = list(func.HttpMethod)


def connector() -> App:
    """The app of this process. The first call imports it, because indexing does not need it."""
    from shared.app import app

    return app()


def _platform_trace(context: func.Context) -> str | None:
    """Return the platform's `traceparent`. Workers up to Python 3.12 spell the attribute differently."""
    trace = context.trace_context
    return getattr(trace, "trace_parent", None) or getattr(trace, "Traceparent", None)


def _set_invocation_id(context: func.Context) -> None:
    """Set the id of the invocation for other threads: from Python 3.13 on, Azure drops their log lines without it.

    The worker does this only for functions that are not async.
    https://github.com/Azure/azure-functions-python-worker/issues/1860
    """
    with suppress(ImportError):  # before Python 3.13
        from azure_functions_runtime import invocation_id_cv

        invocation_id_cv.set(context.invocation_id)


async def _answer(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    _set_invocation_id(context)
    traces = (_platform_trace(context), req.headers.get("traceparent"))
    with ExitStack() as stack:
        try:
            # The first request builds the app, which is too much work for the event loop.
            web: ASGIApp = await asyncio.to_thread(lambda: connector().web)
            stack.enter_context(connector().telemetry.request(context.function_name, *traces))
        except ConfigError as error:
            from shared.web.unconfigured import unconfigured

            web = unconfigured(error, authentication_on=authentication_is_on())
        complete = await answer(web, req.method, req.url, req.headers, req.get_body())
    response = func.HttpResponse(complete.body, status_code=complete.status)
    for name, value in complete.headers:
        response.headers.add(name, value)
    return response


@contextmanager
def _processing(msg: func.QueueMessage, context: func.Context, run_id: str = "") -> Iterator[None]:
    """Process a message in its trace."""
    platform_trace = _platform_trace(context)
    with (
        PROCESS.working(),
        connector().traced_message(context.function_name, msg.get_body(), run_id, platform_trace),
    ):
        # By now, everything is imported that runs use.
        skip_loaded_objects()
        yield


def _poison_message(
    msg: func.QueueMessage, context: func.Context
) -> AbstractContextManager[str | None]:
    """Process a message of a poison queue. Yields the run id, or None for an unreadable message."""
    platform_trace = _platform_trace(context)
    return connector().poison_message(context.function_name, msg.get_body(), platform_trace)


@app.function_name("http_api")
@app.route("api/{*path}", methods=_METHODS)
async def http_api(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The JSON API."""
    return await _answer(req, context)


@app.function_name("pages")
@app.route("{*path}", methods=_METHODS)
async def pages(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The admin pages."""
    return await _answer(req, context)


@app.function_name("tick")
@app.timer_trigger("timer", schedule="%TICK_SCHEDULE%", run_on_startup=False, use_monitor=True)
def tick(timer: func.TimerRequest, context: func.Context) -> None:
    """Start due exports, resume stalled runs, delete expired data, request sweeps of audiences."""
    with connector().telemetry.request(context.function_name, _platform_trace(context)):
        connector().tick()


@app.function_name("plan_run")
@app.queue_trigger("msg", queue_name="plan-runs", connection="AzureWebJobsStorage")
def plan_run(msg: func.QueueMessage, context: func.Context) -> None:
    """Plan a run."""
    run_id = run_of(msg.get_body())
    with _processing(msg, context, run_id):
        connector().planner.plan(run_id, number_of(msg.get_body()))


@app.function_name("plan_run_poison")
@app.queue_trigger("msg", queue_name="plan-runs-poison", connection="AzureWebJobsStorage")
def plan_run_poison(msg: func.QueueMessage, context: func.Context) -> None:
    """End a run whose planning failed in every attempt."""
    with _poison_message(msg, context) as run_id:
        if run_id:
            connector().planner.give_up(run_id)


@app.function_name("send_lane")
@app.queue_trigger("msg", queue_name="send-lanes", connection="AzureWebJobsStorage")
def send_lane(msg: func.QueueMessage, context: func.Context) -> None:
    """Send chunks of a run as one of its lanes."""
    run_id, lane = lane_of(msg.get_body())
    with _processing(msg, context, run_id):
        connector().lanes.run(run_id, lane, number_of(msg.get_body()))


@app.function_name("send_lane_poison")
@app.queue_trigger("msg", queue_name="send-lanes-poison", connection="AzureWebJobsStorage")
def send_lane_poison(msg: func.QueueMessage, context: func.Context) -> None:
    """Log a lane that failed in every attempt; the other lanes and the watchdog continue the run."""
    with _poison_message(msg, context) as run_id:
        if run_id:
            connector().watchdog.log_lane_given_up(run_id)


@app.function_name("blob_event")
@app.queue_trigger("msg", queue_name="blob-events", connection="AzureWebJobsStorage")
def blob_event(msg: func.QueueMessage, context: func.Context) -> None:
    """Check whether a refresh arrived."""
    with _processing(msg, context):
        connector().refreshes.event(msg.get_body())


@app.function_name("blob_event_poison")
@app.queue_trigger("msg", queue_name="blob-events-poison", connection="AzureWebJobsStorage")
def blob_event_poison(msg: func.QueueMessage, context: func.Context) -> None:
    """Log a refresh event that failed in every attempt."""
    with _processing(msg, context):
        connector().refreshes.give_up(msg.get_body())


@app.function_name("consent_sweep")
@app.queue_trigger("msg", queue_name="consent-sweeps", connection="AzureWebJobsStorage")
def consent_sweep(msg: func.QueueMessage, context: func.Context) -> None:
    """Read which contacts of an audience changed, and publish their statuses."""
    with _processing(msg, context):
        connector().consent_updates.update(audience_of(msg.get_body()))


@app.function_name("consent_sweep_poison")
@app.queue_trigger("msg", queue_name="consent-sweeps-poison", connection="AzureWebJobsStorage")
def consent_sweep_poison(msg: func.QueueMessage, context: func.Context) -> None:
    """Log a sweep that failed in every attempt; the timer requests another one."""
    with _processing(msg, context):
        connector().consent_updates.give_up(msg.get_body())
