"""`make demo`: export sample segments to a sandbox Mailchimp, all on this machine.

Starts Azurite, a sandbox Mailchimp and the app, puts the sample segments into Blob Storage, exports
them over HTTP with a progress bar, prints the result, and runs the export again to show that nothing is
sent twice. At the end it stops everything that it started. Its files are in `.demo/`; those of a
demo that failed are kept in `.demo-failed/`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests

from devhost.api_client import ApiClient, ApiError
from devhost.mailchimp import start_mailchimp
from devhost.processes import (
    ROOT,
    Process,
    ProcessError,
    start_app,
    start_azurite,
)
from sandbox import samples, upload

FOLDER = ROOT / ".demo"
FAILED = ROOT / ".demo-failed"
# A call takes 0.1 s and 1 ms for each member: slow enough to watch, but faster than Mailchimp.
MAILCHIMP = ("--seed", "demo", "--call-ms", "100", "--member-ms", "1", "--read-ms", "20")
SUCCESS = ("successful", "completedWithWarnings")
P = TypeVar("P", bound=Process)


def main() -> int:
    """Returns 0 after success, 1 after an error, 130 after Ctrl-C."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        with contextlib.ExitStack() as stack:
            _show(stack)
    except (ProcessError, ApiError, TimeoutError, requests.ConnectionError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        _keep_files()
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; all started programs have ended.", file=sys.stderr)
        return 130
    return 0


def _show(stack: contextlib.ExitStack) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    _print("Starting Azurite, a sandbox Mailchimp and the app ...")
    azurite = stack.enter_context(_ended(start_azurite(FOLDER / "azurite")))
    mailchimp, sandbox = start_mailchimp(FOLDER, MAILCHIMP)
    stack.enter_context(_ended(mailchimp))
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "MAILCHIMP_API_URL": f"{sandbox['url']}/3.0",
    }
    app = start_app(
        settings,
        port=_port(),
        log=FOLDER / "app.log",
        options=("--settings", "sample"),
    )
    stack.enter_context(_ended(app))
    api = ApiClient(app.url)

    _print("Writing the sample segments as Customer Insights writes them ...")
    samples.write(samples.DEMO, FOLDER / "segments", datetime.now(UTC))
    upload.upload(FOLDER / "segments", azurite.connection_string, "segments")
    for segment in api.get("/api/segments")["value"]:
        _print(f"  {segment['name']:<22}{segment['memberCount']:>9,} members")

    connection = api.connect(sandbox["apiKey"], "Sandbox Mailchimp")
    export = api.define(
        displayName="Demo export",
        connectionId=connection["id"],
        audienceId=sandbox["audiences"]["Newsletter"],
        mapping={"email": "EMail", "firstName": "FirstName", "lastName": "LastName"},
        segments=[{"name": segment.name} for segment in samples.DEMO.segments],
    )
    _print("\nFirst run: all members of the segments are sent to the audience.")
    _report(_run(api, export["id"]))
    _print("\nSecond run: nothing has changed, so nothing is sent.")
    again = _run(api, export["id"])
    _report(again)
    (FOLDER / "outcomes.csv").write_text(api.outcomes(again["id"]), encoding="utf-8")
    with requests.get(f"{sandbox['url']}/sandbox/calls", timeout=10) as answer:
        peak = answer.json().get("peakInFlight", "?")
    _print(f"\nConnections to Mailchimp at the same time: at most {peak} (10 are allowed).")
    _print(f"Outcome of each row:   {FOLDER.name}/outcomes.csv")
    _print(f"Log of the app:        {FOLDER.name}/app.log")
    if sys.stdin.isatty() and sys.stdout.isatty():
        _print("\nOpen these pages, then press Enter to stop all programs:")
        _print(f"  {app.url}exports/{export['id']}  the export, its two runs and their outcomes")
        _print(f"  {sandbox['url']}/sandbox/  the contacts and tags that Mailchimp has now")
        with contextlib.suppress(EOFError):
            input()
    _print("\nTo use the app in the browser, run: make sandbox")
    if again["calls"]["write"] != 0:
        message = f"the second run made {again['calls']['write']} write calls instead of 0"
        raise ProcessError(message)


def _run(api: ApiClient, export_id: str) -> dict[str, Any]:
    started = time.monotonic()
    run: dict[str, Any] = {}
    for run in api.watch(api.start(export_id)["id"]):
        _bar(run)
    run["seconds"] = time.monotonic() - started
    if sys.stdout.isatty():
        print()
    return run


def _bar(run: dict[str, Any]) -> None:
    """Print the progress on one line, if the output is a terminal."""
    if not sys.stdout.isatty():
        return
    progress = run["progress"]
    width = 30
    filled = width * progress["percent"] // 100
    left = progress["secondsLeft"]
    rest = "" if left is None else f", about {left} s left"
    print(
        f"\r  [{'#' * filled}{'.' * (width - filled)}] {progress['percent']:>3} %  "
        f"{progress['profilesDone']:,} of {progress['profilesTotal']:,}{rest}  "
        f"{run['status']:<24}",
        end="",
        flush=True,
    )


def _report(run: dict[str, Any]) -> None:
    """Print the result of a run.

    Raises:
        ProcessError: the run was not successful.
    """
    counts, calls, proof = run["counts"], run["calls"], run["consentProof"]
    _print(
        f"  {run['status']} in {run['seconds']:.1f} s"
        + (f": {run['reason']['message']}" if run["reason"] else "")
    )
    _print(
        f"  rows read {counts['sourceRows']:,}, people {counts['distinct']:,} "
        f"(addresses shared by two profiles: {counts['sharedAddress']:,})"
    )
    _print(
        f"  created {counts['created']:,}, updated {counts['updated']:,}, "
        f"unchanged {counts['unchanged']:,}, kept {counts['kept']:,}, "
        f"rejected {counts['rejected']:,}, removed {counts['removed']:,}, "
        f"not sent {counts['notSent']:,}"
    )
    _print(
        f"  consent: {proof['kept']:,} people not subscribed and left as they are, "
        f"{proof['statusesChanged']} statuses changed"
    )
    _print(f"  calls: {calls['write']} write, {calls['read']} read, {calls['throttled']} throttled")
    for segment in run["segments"]:
        _print(
            f"  tag {segment['tag']:<22}{segment['members']:>9,} in the segment, "
            f"{segment['inMailchimp'] or 0:>9,} subscribers in Mailchimp"
        )
    for finding in run["findings"]:
        _print(f"  {finding['severity']}: {finding['message']}")
    if run["status"] not in SUCCESS:
        reason = run["reason"]
        cause = f"{reason['message']} ({reason['code']})" if reason else "there is no reason"
        message = f"run {run['id']} is {run['status']}: {cause}"
        raise ProcessError(message)


def _keep_files() -> None:
    """Keep the logs and the storage of a demo that failed, because the next one deletes its folder."""
    shutil.rmtree(FAILED, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):  # it failed before there were any
        FOLDER.replace(FAILED)
    print(f"Its logs and its storage: {FAILED.name}/", file=sys.stderr)


@contextlib.contextmanager
def _ended(process: P) -> Iterator[P]:
    """Stop the process after the block; Ctrl-C does not interrupt this."""
    try:
        yield process
    finally:
        previous = (
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if threading.current_thread() is threading.main_thread()
            else None
        )
        process.stop()
        if previous is not None:
            signal.signal(signal.SIGINT, previous)


def _port() -> int:
    text = os.environ.get("PORT") or "0"
    if not text.isdigit() or int(text) > 65535:
        message = f"PORT must be a number up to 65535, not {text!r}."
        raise ProcessError(message)
    return int(text)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
