"""A small app that uses every feature of the host; both engines run it in the contract test."""

import json
import os
import time
import typing
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
NOTES = Path(os.environ["NOTES_DIR"])


def note(name: str, value: object) -> None:
    with (NOTES / name).open("a") as file:
        file.write(json.dumps(value) + "\n")


@app.route("api/echo/{id}", methods=["GET", "POST"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    content = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("X-Thing"),
        "body": req.get_body().decode(),
        "function": context.function_name,
        "hasId": bool(context.invocation_id),
    }
    answer = func.HttpResponse(json.dumps(content), status_code=201, mimetype="application/json")
    answer.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    answer.headers.add("Set-Cookie", "b=x+y=; Path=/; SameSite=Lax")
    return answer


@app.route("files/{*path}", methods=["GET"])
def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params.get("path", "nothing"))


@app.route("{ignored:maxlength(0)?}", methods=["GET"])
def home(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("home")


@app.route("api/soon", methods=["GET"])
async def soon(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("soon")


@app.route("api/broken", methods=["GET"])
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("as wanted")


@app.route("api/order", methods=["POST"])
@app.queue_output(arg_name="orders", queue_name="%ORDERS%", connection="AzureWebJobsStorage")
def order(
    req: func.HttpRequest,
    orders: func.Out[typing.List[str]],  # noqa: UP006  # the worker refuses list[str]
) -> func.HttpResponse:
    orders.set([line for line in req.get_body().decode().split("\n") if line])
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="%ORDERS%", connection="AzureWebJobsStorage")
def work(msg: func.QueueMessage) -> None:
    text = msg.get_body().decode()
    note("work", {"text": text, "count": msg.dequeue_count, "id": bool(msg.id)})
    if text.startswith("fail"):
        raise ValueError(text)
    if text.startswith("slow"):
        end = NOTES / "end"
        seconds = float(text.partition(" ")[2])
        began = time.monotonic()
        while time.monotonic() - began < seconds and not end.exists():
            time.sleep(0.05)
        note("slow", text)


@app.timer_trigger(arg_name="tick", schedule="%TICKS%", use_monitor=False)
def clock(tick: func.TimerRequest) -> None:
    note("clock", tick.past_due)
