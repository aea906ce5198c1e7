"""`python -m sandbox.mailchimp`: run the sandbox until SIGTERM or Ctrl-C.

Every field of options.py is an option, such as `--member-ms 5 --call-ms 100 --language de`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any, get_args, get_origin

import orjson

from sandbox.mailchimp.options import Options, names
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.mailchimp.seeds import SEEDS
from sandbox.mailchimp.view import AudienceView


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; the options of options.py that were given are in `switches`."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailchimp", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--url", default="", help="the address in responses, if not this one")
    parser.add_argument("--api-key", help="<32 hex>-us1; made up when absent")
    parser.add_argument("--redirect-uri", help="register an app for sign-in with this address")
    parser.add_argument("--client-id", help="the app's id, with --redirect-uri")
    parser.add_argument("--client-secret", help="the app's secret, with --redirect-uri")
    parser.add_argument("--seed", choices=sorted(SEEDS), help="an audience with people in it")
    parser.add_argument("--audience", action="append", default=[], help="name of an empty audience")
    parser.add_argument(
        "--state", type=Path, help="read this file at the start and write it at the end"
    )
    parser.add_argument("--ready-file", type=Path, help="write where it listens and with what key")
    for name, hint in names().items():
        flag = "--" + name.replace("_", "-")
        if hint is bool:
            parser.add_argument(flag, action="store_true", default=None)
        elif get_origin(hint) is frozenset or (get_args(hint) and hint != int | None):
            parser.add_argument(flag)
        else:
            parser.add_argument(flag, type=float if hint is float else int)
    given = parser.parse_args(arguments)
    given.switches = {n: getattr(given, n) for n in names() if getattr(given, n) is not None}
    return given


def main(arguments: list[str] | None = None) -> int:
    """Run; the first line of output contains the address. Returns the exit code."""
    given = parsed(arguments)
    try:
        options = Options().changed(given.switches)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    stop = _stop_signal()  # before the ready file exists
    sandbox = Sandbox(options, host=given.host, port=given.port)
    sandbox.world.url = given.url
    if given.state and given.state.exists():
        sandbox.load(given.state)
        audiences = list(sandbox.audiences())
    else:
        audiences = _begun(sandbox, given)
    ready: dict[str, Any] = {}
    if given.redirect_uri:
        app = sandbox.world.add_app(
            given.redirect_uri, "Export", given.client_id, given.client_secret
        )
        ready |= {"clientId": app.client_id, "clientSecret": app.client_secret}
    with sandbox:
        ready |= {
            "url": sandbox.url,
            "apiKey": sandbox.api_key,
            "audiences": {view.name: view.id for view in audiences},
        }
        if given.ready_file:
            given.ready_file.write_bytes(orjson.dumps(ready))
        sys.stdout.write(f"Sandbox Mailchimp is listening on {sandbox.url} (pages: /sandbox/)\n")
        sys.stdout.flush()
        stop.wait()
    if given.state:
        sandbox.save(given.state)
    return 0


def _begun(sandbox: Sandbox, given: argparse.Namespace) -> list[AudienceView]:
    if given.api_key:
        sandbox.world.keys.pop(sandbox.api_key)
        sandbox.account.keys.clear()
        sandbox.world.add_key(sandbox.account, given.api_key)
    audiences = [sandbox.audience(name) for name in given.audience]
    if given.seed:
        audiences.append(SEEDS[given.seed](sandbox))
    return audiences


def _stop_signal() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
