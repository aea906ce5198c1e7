"""`make demo`: export sample segments to a sandbox Mailchimp, all on this machine.

Starts Azurite, a sandbox Mailchimp and the app, puts the sample segments into Blob Storage, exports
them over HTTP with a progress bar, prints the result, and runs the export again to show that nothing is
sent twice. At the end it stops everything that it started. Its files are in `.demo/`; those of a
demo that failed are kept in `.demo-failed/`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections import Counter
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
# The outcomes of people. They add up to the people of a run.
PEOPLE = {
    "created": "added",
    "updated": "updated",
    "unchanged": "unchanged",
    "kept": "left as they are, because they are not subscribed in Mailchimp",
    "notSent": "not sent",
}
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
    [audience] = _read(sandbox, "audiences")["value"]
    _print(
        "\nFirst run: sends the members of the segments to the audience. The audience already has"
    )
    _print(
        f"{audience['people']:,} contacts: subscribers are updated, the others stay as they are."
    )
    first = _run(api, export["id"])
    _report(api, first)
    (FOLDER / "outcomes.csv").write_text(api.outcomes(first["id"]), encoding="utf-8")
    _print("\nSecond run: nothing has changed, so nothing is sent.")
    again = _run(api, export["id"])
    _report(api, again)
    peak = _read(sandbox, "calls").get("peakInFlight", "?")
    _print(f"\nConnections to Mailchimp at the same time: at most {peak} (10 are allowed).")
    _print(f"Outcome of each row of the first run:   {FOLDER.name}/outcomes.csv")
    _print(f"Log of the app:                         {FOLDER.name}/app.log")
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


def _read(sandbox: dict[str, Any], name: str) -> dict[str, Any]:
    """What the control API of the sandbox Mailchimp says about audiences or calls."""
    with requests.get(f"{sandbox['url']}/sandbox/{name}", timeout=10) as answer:
        content: dict[str, Any] = answer.json()
    return content


def _report(api: ApiClient, run: dict[str, Any]) -> None:
    """Print the result of a run.

    Raises:
        ProcessError: the run was not successful.
    """
    counts, calls = run["counts"], run["calls"]
    # completedWithWarnings: Completed with warnings
    status = re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", run["status"]).capitalize()
    reason = f": {run['reason']['message']}" if run["reason"] else ""
    _print(f"  {status} in {run['seconds']:.1f} s{reason}")
    if run["status"] not in SUCCESS:
        # It may have no outcomes.
        cause = f" ({run['reason']['code']})" if run["reason"] else ""
        message = f"run {run['id']} is {run['status']}{reason}{cause}"
        raise ProcessError(message)
    _print(f"  {counts['sourceRows']:,} rows read, {counts['rejected']:,} of them rejected:")
    if counts["rejected"]:
        for text, rows in _rejections(api, run).most_common():
            _print(f"    {rows:>7,}  {text}")
    _print(
        f"  {counts['distinct']:,} people in the other rows "
        f"({counts['sharedAddress']:,} rows have the address of another person):"
    )
    for name, text in PEOPLE.items():
        if counts[name]:
            _print(f"    {counts[name]:>7,}  {text}")
    _print(f"  statuses of contacts changed: {run['consentProof']['statusesChanged']}")
    _print(f"  calls: {calls['write']} write, {calls['read']} read, {calls['throttled']} throttled")
    for segment in run["segments"]:
        _print(
            f"  tag {segment['tag']:<22}{segment['members']:>9,} people, "
            f"{segment['inMailchimp'] or 0:>9,} subscribers in Mailchimp"
        )
    for finding in run["findings"]:
        # The rows that cannot be read are among the rejected rows above.
        if finding["code"] != "rowsUnreadable":
            _print(f"  {finding['severity']}: {finding['message']}")


def _rejections(api: ApiClient, run: dict[str, Any]) -> Counter[str]:
    """The rejected rows of a run by the reason, without the file and line of an unreadable row."""
    rows = csv.DictReader(io.StringIO(api.outcomes(run["id"], only="rejected")))
    return Counter(row["reason"].partition(" (file ")[0] for row in rows)


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
