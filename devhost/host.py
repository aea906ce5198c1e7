"""Connects triggers with functions, logs every run in one line, and stops without losing messages.

A log line contains the function, its run and the duration; never a body, a path or a message.
devhost/__init__.py lists what this host does not support.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from azure.core.exceptions import AzureError
from azure.functions.meta import Datum

from devhost.configuration import HostOptions, connection_string, resolve
from devhost.functions import Answer, Engine, Function, InvocationFailed
from devhost.queues import LEASE_SECONDS, QueueListener, output_texts, put
from devhost.routes import Routes
from devhost.timers import Timer
from devhost.web import Request, Response, Server

LOG = logging.getLogger("devhost")
ADMIN = "/admin/functions/"
# The real host requires its own key for these paths; a request without it never reaches the app.
HOST_PATHS = ("/admin/host/", "/runtime/webhooks/")


@dataclass(frozen=True)
class Address:
    """Where the app listens; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 7071


class Host:
    """Runs one app: HTTP, queues and timers."""

    def __init__(
        self,
        engine: Engine,
        options: HostOptions,
        settings: Mapping[str, str],
        address: Address = Address(),
        queue_lease: float = LEASE_SECONDS,
    ) -> None:
        """Prepare everything; nothing runs before `start`.

        Raises:
            StartError: a setting is missing, or a trigger is wrong or unknown to this host.
            OSError: the address is taken.
        """
        self._engine = engine
        self._options = options
        self._settings = settings
        self._queue_lease = queue_lease
        self._routes = Routes(engine.functions, options.route_prefix)
        self._functions = {one.name.lower(): one for one in engine.functions}
        self._listeners: list[QueueListener] = []
        self._timers: list[Timer] = []
        self._active = 0
        self._lock = threading.Lock()
        for function in engine.functions:
            self._connect(function)
        self._server = Server(address.host, address.port, self._answer)
        self._only_local = address.host in ("127.0.0.1", "::1", "localhost")
        self.url = self._server.url

    def start(self) -> None:
        """Begin to serve requests, to receive messages and to run timers."""
        for specific, hiding in self._routes.ambiguous():
            LOG.warning(
                "the routes of %s and %s overlap; older hosts would choose the second",
                specific.function.name,
                hiding.function.name,
            )
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        for listener in self._listeners:
            listener.start()
        for timer in self._timers:
            timer.start()

    def stop(self, grace: float) -> bool:
        """Start no further function and wait up to `grace` seconds for running ones; True if all ended."""
        for listener in self._listeners:
            listener.stop()
        for timer in self._timers:
            timer.stop()
        LOG.info("stopping: no new messages are received; %d functions are running", self._active)
        self._server.shutdown()
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and self._is_busy():
            time.sleep(0.05)
        self._server.socket.close()
        return not self._is_busy()

    def _is_busy(self) -> bool:
        return self._active > 0 or any(one.busy() for one in self._listeners)

    def _connect(self, function: Function) -> None:
        trigger = function.trigger
        kind = trigger.type.lower()
        where = f"the trigger of {function.name}"

        def invoke(data: Datum | None, metadata: dict[str, Datum]) -> None:
            self._invoke(function, data, metadata)

        for output in function.outputs:
            if output.type == "queue":
                self._queue_of(output.settings, f"an output of {function.name}")
        if kind == "queuetrigger":
            connection, queue = self._queue_of(trigger.settings, where)
            self._listeners.append(
                QueueListener(connection, queue, self._options.queues, invoke, self._queue_lease)
            )
        elif kind == "timertrigger":
            schedule = resolve(trigger.settings["schedule"], self._settings, where)
            at_start = bool(trigger.settings.get("runOnStartup"))
            self._timers.append(Timer(function.name, schedule, invoke, run_on_startup=at_start))
            if trigger.settings.get("useMonitor"):
                LOG.info(
                    "%s: times that pass while this host is stopped are not made up for",
                    function.name,
                )
        elif kind != "httptrigger":
            LOG.warning(
                "%s does not run: this host does not support %s", function.name, trigger.type
            )

    def _queue_of(self, settings: Mapping[str, object], where: str) -> tuple[str, str]:
        name = str(settings.get("connection") or "AzureWebJobsStorage")
        connection = connection_string(name, self._settings, where)
        return connection, resolve(str(settings["queueName"]), self._settings, where).lower()

    def _invoke(
        self, function: Function, data: Datum | None, metadata: Mapping[str, Datum]
    ) -> Answer:
        """Run a function, send its queue outputs, and log the run in one line.

        Without data, which its trigger could not decode, it fails before its code runs.
        """
        invocation_id = str(uuid.uuid4())
        began = time.monotonic()
        result = "Failed"
        with self._lock:
            self._active += 1
        try:
            if data is None:
                msg = f"the trigger of {function.name} cannot decode its data"
                raise InvocationFailed(msg)
            answer = self._engine.invoke(function, invocation_id, data, metadata)
            self._send_outputs(function, answer)
            result = "Succeeded"
        finally:
            with self._lock:
                self._active -= 1
            LOG.info(
                "Executed '%s' (%s, Id=%s, Duration=%dms)",
                function.name,
                result,
                invocation_id,
                (time.monotonic() - began) * 1000,
            )
        return answer

    def _send_outputs(self, function: Function, answer: Answer) -> None:
        for output in function.outputs:
            value = answer.returned if output.name == "$return" else answer.outputs.get(output.name)
            if output.type != "queue" or value is None or value.value is None:
                continue
            connection, queue = self._queue_of(output.settings, f"an output of {function.name}")
            try:
                put(connection, queue, output_texts(value), encode=self._options.queues.base64)
            except AzureError as error:
                LOG.warning("queue %s cannot be written: %s", queue, type(error).__name__)
                msg = f"output {output.name}"
                raise InvocationFailed(msg) from error

    def _answer(self, request: Request) -> Response:
        if self._only_local and not request.local:
            # A web page can make a browser on this machine call this address under another name.
            return Response.empty(HTTPStatus.MISDIRECTED_REQUEST)
        path = request.path.lower()
        if path.startswith(HOST_PATHS):
            return Response.empty(HTTPStatus.UNAUTHORIZED)
        if path.startswith(ADMIN):
            return self._run_by_hand(request)
        found = self._routes.find(request.method, request.path)
        if found is None:
            return Response.empty(HTTPStatus.NOT_FOUND)
        function, parameters = found
        try:
            answer = self._invoke(function, request.datum(parameters), {})
            return Response.from_datum(answer.returned, request.method)
        except InvocationFailed:
            return Response.empty(HTTPStatus.INTERNAL_SERVER_ERROR)
        except ValueError as error:
            LOG.warning("the response of %s cannot be sent: %s", function.name, error)
            return Response.empty(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _run_by_hand(self, request: Request) -> Response:
        """Run a function for `POST /admin/functions/NAME` with `{"input": "text"}`, from this machine only.

        JSON is required, so that a web page in a browser here cannot do it.
        """
        json_sent = request.headers.get("content-type", "").partition(";")[0] == "application/json"
        if not request.local or "origin" in request.headers or not json_sent:
            return Response.empty(HTTPStatus.FORBIDDEN)
        function = self._functions.get(request.path[len(ADMIN) :].lower())
        kind = function.trigger.type.lower() if function else ""
        if function is None or kind not in ("queuetrigger", "timertrigger"):
            return Response.empty(HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return Response.empty(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            given = json.loads(request.body or b"{}")
            text = str(given.get("input") or "")
        except (ValueError, AttributeError):
            return Response.empty(HTTPStatus.BAD_REQUEST)
        if kind == "timertrigger":
            timer = next(one for one in self._timers if one.name == function.name)
            data, metadata = timer.datum_now(), {}
        else:
            data = Datum(text, "string")
            metadata = {"Id": Datum(str(uuid.uuid4()), "string"), "DequeueCount": Datum(1, "int")}
        threading.Thread(
            target=self._invoke_quietly, args=(function, data, metadata), daemon=True
        ).start()
        return Response(HTTPStatus.ACCEPTED)

    def _invoke_quietly(
        self, function: Function, data: Datum, metadata: Mapping[str, Datum]
    ) -> None:
        try:
            self._invoke(function, data, metadata)
        except InvocationFailed:
            LOG.debug("%s, run by hand, failed", function.name)
