"""An app with the product's routes: it shows which request reaches it, and answers as the query asks."""

import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
NOTES = Path(os.environ["NOTES_DIR"])
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@app.route("api/respond", methods=METHODS)
def respond(req: func.HttpRequest) -> func.HttpResponse:
    """Answers with the status, the headers and the body that the query asks for."""
    wanted = json.loads(req.params["as"])
    headers = dict(wanted.get("headers", {}))
    answer = func.HttpResponse(wanted.get("body", "body"), status_code=wanted.get("status", 200))
    for name, value in headers.items():
        answer.headers[name] = value
    for cookie in wanted.get("cookies", ()):
        answer.headers.add("Set-Cookie", cookie)
    return answer


@app.route("{*path}", methods=METHODS)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Answers with the request as it arrived."""
    content = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(content), mimetype="application/json")


@app.queue_trigger(arg_name="msg", queue_name="%ORDERS%", connection="AzureWebJobsStorage")
def work(msg: func.QueueMessage) -> None:
    note("work", msg)
    raise ValueError("as wanted")


@app.queue_trigger(arg_name="msg", queue_name="%ORDERS%-poison", connection="AzureWebJobsStorage")
def work_poison(msg: func.QueueMessage) -> None:
    note("work_poison", msg)
    raise ValueError("as wanted")


def note(name: str, msg: func.QueueMessage) -> None:
    with (NOTES / name).open("a") as file:
        file.write(json.dumps([msg.get_body().decode(), msg.dequeue_count]) + "\n")
