"""Decides whether a refresh has been written completely, from the state of the container.

The file that Customer Insights writes last is not known, and no event announces the data files. So a refresh
is checked repeatedly until every listed file exists and is new. Then a run starts, which checks once more
before it sends anything (planning/reading/settled_source.py). If files may be rewritten in place, nothing must have
changed for a while. The rules are pure: they depend on what a check found, the stored progress, and the time.

The files of an export have one of these states:

    new         listed files are there and differ from those that were exported last
    mixed       some differ, some may still be rewritten in place (their folder has no date)
    same        nothing differs; `model_rewritten` is set when `model.json` itself was rewritten
    incomplete  a listed file does not exist
    fault       a person must change something; the run that starts then reports it
    unknown     the storage account does not answer

https://learn.microsoft.com/dynamics365/customer-insights/data/export-azure-blob-storage
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.model.finding import Reason
from shared.model.source import Snapshot
from shared.planning.reading.settled_source import UNCHANGED

# An export of Customer Insights into a folder of its minute is never overwritten.
_DATED = re.compile(r"(?:^|/)\d{4}/\d{2}/\d{2}/\d{4}/[^/]+")


class FilesState(StrEnum):
    """The state of the files that an export reads (see the module)."""

    NEW = "new"
    MIXED = "mixed"
    SAME = "same"
    INCOMPLETE = "incomplete"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What to do now."""

    WAIT = "wait"
    REPORT = "report"
    START = "start"
    GIVE_UP = "giveUp"
    CLOSE = "close"


@dataclass(frozen=True)
class WaitingTimes:
    """Waiting times in seconds.

    A refresh without dated folders counts as written when nothing has changed for `unchanged`, or for
    `unchanged_in_place` if not all of its files are new. A fault is reported `fault_limit` after the newest
    announcement. A refresh that is still not complete is reported `limit` after `incomplete_since`
    (RefreshProgress). It is given up `limit` after the newest announcement. Checks are at most
    `longest_interval` apart.
    """

    unchanged: float = UNCHANGED.total_seconds()
    unchanged_in_place: float = 30
    fault_limit: float = 120
    limit: float = 3600
    longest_interval: float = 60


@dataclass(frozen=True)
class RefreshProgress:
    """The stored state of an export's refreshes. Times are in UTC.

    A message with a number below `check_number` is a duplicate. `announcements` are digests of the newest
    announcements (blob and ETag). `announced_models` are the `model.json` that were announced and not handled
    yet; `handled_models` has the ETag of each of the others. `found` is the fingerprint of the files that the
    last check found, unchanged since `found_since`. `opened_at` is the time of the newest announcement.
    `incomplete_since` is the time of the first announcement after the last check that found all files, or of the last
    report. `exported` is the fingerprint of the files that were exported last, and `exported_files`
    a short digest of each. `starting_at` is set during a start, and `newest_before` is then the id of the newest run before
    it (None in records of earlier versions). Until `recheck_until`, checks continue after a start,
    because files may still be rewritten in place.
    """

    open: bool = False
    # The aliases are the names in stored records, which version 1.0 reads as well.
    check_number: Annotated[int, Field(alias="turn")] = 0
    announcements: Annotated[tuple[str, ...], Field(alias="seen")] = ()
    announced_models: Annotated[tuple[str, ...], Field(alias="waiting")] = ()
    handled_models: Annotated[dict[str, str], Field(alias="models")] = field(default_factory=dict)
    written_at: datetime | None = None
    opened_at: datetime | None = None
    next_at: datetime | None = None
    found: Annotated[str, Field(alias="view")] = ""
    found_since: Annotated[datetime | None, Field(alias="view_since")] = None
    exported: Annotated[str, Field(alias="started")] = ""
    exported_files: Annotated[tuple[str, ...], Field(alias="marks")] = ()
    starting_at: datetime | None = None
    newest_before: str | None = None
    incomplete_since: datetime | None = None
    recheck_until: Annotated[datetime | None, Field(alias="linger_until")] = None


@dataclass(frozen=True)
class CheckResult:
    """What a check has found. `files` are short digests of the listed files.

    `models` are the current ETags of the announced `model.json`. `is_exported`: a run has read exactly these
    files. `cause` is why there is no complete snapshot.
    """

    state: FilesState
    fingerprint: str = ""
    files: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    model_rewritten: bool = False
    rewritable: bool = False
    is_exported: bool = False
    cause: Reason | None = None


@dataclass(frozen=True)
class Decision:
    """What to do, what to store, and for `WAIT` the seconds until the next check."""

    step: Step
    progress: RefreshProgress
    delay: float = 0


def check_result(
    progress: RefreshProgress, snapshot: Snapshot, models: Mapping[str, str]
) -> CheckResult:
    """Compare a complete snapshot with what was exported last."""
    etags = snapshot.etags
    files = tuple(sorted(_file_digest(blob, etag) for blob, etag in etags.items()))
    names = [segment.name for segment in snapshot.segments]
    fingerprint = digest(*names, *(part for pair in sorted(etags.items()) for part in pair))
    known = set(progress.exported_files)
    in_place = [(blob, etag) for blob, etag in etags.items() if not _DATED.search(blob)]
    if fingerprint == progress.exported:
        state = FilesState.SAME
    elif any(_file_digest(blob, etag) in known for blob, etag in in_place):
        state = FilesState.MIXED
    else:
        state = FilesState.NEW
    model_rewritten = any(
        progress.handled_models.get(model) != etag
        and any(blob.startswith(model[: model.rfind("/") + 1]) for blob in etags)
        for model, etag in models.items()
    )
    return CheckResult(state, fingerprint, files, models, model_rewritten, bool(in_place))


def decide(
    progress: RefreshProgress, result: CheckResult, now: datetime, times: WaitingTimes
) -> Decision:
    """Decide what to do after a check."""
    progress = _without_future(progress, now)
    if result.fingerprint != progress.found or progress.found_since is None:
        progress = replace(progress, found=result.fingerprint, found_since=now)
    needed = _seconds_without_change(result, times)
    if needed is None:
        return _decide_incomplete(progress, result, now, times)
    # All files exist, so an announcement that follows begins the waiting time again.
    progress = replace(progress, incomplete_since=None)
    unchanged = _seconds_since(progress.found_since, now)
    if unchanged < needed:
        interval = _check_interval(_seconds_since(progress.opened_at, now), times)
        return wait(progress, now, min(needed - unchanged, interval), times)
    return _decide_complete(progress, result, now, times)


def _seconds_without_change(result: CheckResult, times: WaitingTimes) -> float | None:
    """How long files must not have changed before they count as written; None if they are not complete."""
    match result.state:
        case FilesState.NEW:
            return times.unchanged if result.rewritable or result.is_exported else 0
        case FilesState.MIXED:
            return times.unchanged_in_place
        case FilesState.SAME:
            in_place = result.model_rewritten and result.rewritable
            return times.unchanged_in_place if in_place else times.unchanged
        case _:
            return None


def _decide_incomplete(
    progress: RefreshProgress, result: CheckResult, now: datetime, times: WaitingTimes
) -> Decision:
    age = _seconds_since(progress.opened_at, now)
    # Announcements that follow one another closely must not delay a report forever. Each is reported once.
    incomplete_for = _seconds_since(progress.incomplete_since or progress.opened_at, now)
    is_late = incomplete_for >= times.limit
    if result.state is FilesState.FAULT and age >= times.fault_limit:
        return Decision(Step.START, progress)
    if age >= times.limit:
        return Decision(Step.GIVE_UP if is_late else Step.CLOSE, progress)
    waiting = wait(progress, now, _check_interval(age, times), times)
    return replace(waiting, step=Step.REPORT) if is_late else waiting


def _decide_complete(
    progress: RefreshProgress, result: CheckResult, now: datetime, times: WaitingTimes
) -> Decision:
    # Further files may still be rewritten in place, and no event announces them.
    may_change = result.state is not FilesState.NEW and result.rewritable
    recheck_until = now + timedelta(seconds=times.limit) if may_change else None
    has_news = result.state is not FilesState.SAME or result.model_rewritten
    if has_news and not result.is_exported:
        return Decision(Step.START, replace(progress, recheck_until=recheck_until))
    if progress.recheck_until is not None and now < progress.recheck_until:
        return wait(progress, now, times.longest_interval, times)
    if result.state is FilesState.MIXED and progress.recheck_until is None:
        rechecked = replace(progress, recheck_until=recheck_until)
        return wait(rechecked, now, times.longest_interval, times)
    return Decision(Step.CLOSE, replace(progress, recheck_until=None))


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment else 0.0


def _without_future(progress: RefreshProgress, now: datetime) -> RefreshProgress:
    """The same without times in the future, which a wrong clock has written."""
    return replace(
        progress,
        opened_at=min(progress.opened_at, now) if progress.opened_at else None,
        incomplete_since=min(progress.incomplete_since, now) if progress.incomplete_since else None,
        found_since=min(progress.found_since, now) if progress.found_since else None,
    )


def wait(progress: RefreshProgress, now: datetime, delay: float, times: WaitingTimes) -> Decision:
    """Decide to check again after `delay` seconds."""
    delay = max(delay, min(1.0, times.unchanged))
    progress = replace(
        progress, check_number=progress.check_number + 1, next_at=now + timedelta(seconds=delay)
    )
    return Decision(Step.WAIT, progress, delay)


def _check_interval(age: float, times: WaitingTimes) -> float:
    """The interval grows with the time since the announcement."""
    return min(max(age / 10, times.unchanged / 4), times.longest_interval)


def _file_digest(blob: str, etag: str) -> str:
    return digest(blob, etag)[:12]


def digest(*parts: str) -> str:
    """The SHA-256 digest of several texts, in hexadecimal."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
