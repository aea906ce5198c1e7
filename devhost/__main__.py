"""`python -m devhost`: run the app of a folder until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from devhost.configuration import SETTINGS_FILES, fill_settings, read_host_json
from devhost.engine import KINDS, load_engine
from devhost.events import BlobEvents
from devhost.functions import StartError
from devhost.host import Address, Host
from devhost.queues import LEASE_SECONDS

LOG = logging.getLogger("devhost")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 after SIGTERM or Ctrl-C, 1 when the app could not start."""
    options = _options(arguments)
    app_dir = Path(options.app).resolve()
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", level=logging.INFO
    )
    for library in ("azure.core", "azure.identity", "azure.functions"):
        logging.getLogger(library).setLevel(logging.WARNING)
    end = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: os._exit(1) if end.is_set() else end.set())
    try:
        fill_settings(os.environ, app_dir, options.settings)
        os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
        host_options = read_host_json(app_dir)
        engine = load_engine(app_dir, options.engine)
        address = Address(options.host, options.port)
        host = Host(engine, host_options, os.environ, address, options.queue_lease)
        # The app reads its settings at first use, and its address is known only now.
        os.environ["PUBLIC_URL"] = os.environ.get("PUBLIC_URL") or host.url.rstrip("/")
        events = BlobEvents.from_settings(os.environ) if options.blob_events else None
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    host.start()
    if events:
        events.start()
    LOG.info("%d functions at %s (%s)", len(engine.functions), host.url, engine.label)
    if options.ready_file:
        _announce(Path(options.ready_file), host.url)
    end.wait()
    if events:
        events.stop()
    if not host.stop(options.grace):
        LOG.warning("some functions were still running; their messages are delivered again")
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(0)  # do not wait for threads of functions that still run


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devhost", description=__doc__)
    add = parser.add_argument
    add("--app", default=".", metavar="DIR", help="folder with function_app.py and host.json")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=7071, help="0 takes a free one")
    add("--engine", choices=KINDS, default="auto")
    add("--queue-lease", type=float, default=LEASE_SECONDS, metavar="SECONDS", help="600 in Azure")
    add(
        "--settings",
        choices=SETTINGS_FILES,
        default="local",
        help="settings files that the environment overrides",
    )
    add("--blob-events", action="store_true", help="send the app an event for each new model.json")
    add(
        "--grace",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="time for running functions at the end",
    )
    add("--ready-file", metavar="FILE", help="file that contains the address when the app is ready")
    return parser.parse_args(arguments)


def _announce(path: Path, url: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(url)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
