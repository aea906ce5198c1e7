"""Decides whether a refresh has been written completely, from the state of the container.

The file that Customer Insights writes last is not known, and no event announces the data files. So a refresh
is checked repeatedly, and it is complete when every listed file exists and is new, and nothing has changed
for a while. The rules are pure: a view, what is remembered, and the time.

    new         listed files are there and differ from those that were exported last
    mixed       some differ, some may still be rewritten in place (their folder has no date)
    same        nothing differs; `news` is set when `model.json` itself was rewritten
    incomplete  a listed file does not exist
    fault       a person must change something; the run reports what
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

from shared.model.run import Reason
from shared.model.source import Snapshot

__all__ = [
    "Decision",
    "Kind",
    "Patience",
    "RefreshProgress",
    "Step",
    "View",
    "decide",
    "digest",
    "view_of",
]

# An export of Customer Insights into a folder of its minute is never overwritten.
_DATED = re.compile(r"(?:^|/)\d{4}/\d{2}/\d{2}/\d{4}/[^/]+")


class Kind(StrEnum):
    """The result of a check (see the module)."""

    NEW = "new"
    MIXED = "mixed"
    SAME = "same"
    INCOMPLETE = "incomplete"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What to do now."""

    WAIT = "wait"
    START = "start"
    GIVE_UP = "giveUp"
    CLOSE = "close"


@dataclass(frozen=True)
class Patience:
    """Waiting times in seconds.

    `first` until the first check; `quiet` without a change means written; `doubtful` the same for
    files that may still be rewritten; `fault` and `complete` since the refresh was announced.
    """

    first: float = 2
    quiet: float = 10
    doubtful: float = 30
    fault: float = 120
    complete: float = 3600
    slowest: float = 60


@dataclass(frozen=True)
class RefreshProgress:
    """The stored state of an export's refreshes. Times are in UTC.

    `turn` numbers the checks: a message with an older number is a duplicate. `seen` are the newest
    announcements, `models` the ETags of the `model.json` that were handled, `waiting` those
    announced since. `started` is the fingerprint of what was exported last, `marks` its files;
    `starting_at` is set during a start.
    """

    open: bool = False
    turn: int = 0
    seen: tuple[str, ...] = ()
    models: dict[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    written_at: datetime | None = None
    opened_at: datetime | None = None
    next_at: datetime | None = None
    view: str = ""
    view_since: datetime | None = None
    started: str = ""
    marks: tuple[str, ...] = ()
    starting_at: datetime | None = None
    linger_until: datetime | None = None


@dataclass(frozen=True)
class View:
    """The state that a check has seen. `models` are the current ETags of the announced `model.json`.

    `cause` is why there is no complete snapshot.
    """

    kind: Kind
    fingerprint: str = ""
    marks: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    news: bool = False
    rewritable: bool = False
    exported: bool = False
    cause: Reason | None = None


@dataclass(frozen=True)
class Decision:
    """What to do, what to store, and for `WAIT` the seconds until the next check."""

    step: Step
    watch: RefreshProgress
    delay: float = 0


def view_of(watch: RefreshProgress, snapshot: Snapshot, models: Mapping[str, str]) -> View:
    """Compare a complete snapshot with what was exported last."""
    etags = snapshot.etags
    marks = tuple(sorted(digest(blob, etag)[:12] for blob, etag in etags.items()))
    names = [segment.name for segment in snapshot.segments]
    fingerprint = digest(*names, *(part for pair in sorted(etags.items()) for part in pair))
    known = set(watch.marks)
    in_place = [(blob, etag) for blob, etag in etags.items() if not _DATED.search(blob)]
    if fingerprint == watch.started:
        kind = Kind.SAME
    elif any(digest(blob, etag)[:12] in known for blob, etag in in_place):
        kind = Kind.MIXED
    else:
        kind = Kind.NEW
    news = any(
        watch.models.get(model) != etag
        and any(blob.startswith(model[: model.rfind("/") + 1]) for blob in etags)
        for model, etag in models.items()
    )
    return View(kind, fingerprint, marks, models, news, bool(in_place))


def decide(watch: RefreshProgress, view: View, now: datetime, patience: Patience) -> Decision:
    """Decide what to do about a view."""
    watch = _without_future(watch, now)
    if view.fingerprint != watch.view or watch.view_since is None:
        watch = replace(watch, view=view.fingerprint, view_since=now)
    unchanged = (now - (watch.view_since or now)).total_seconds()
    age = (now - (watch.opened_at or now)).total_seconds()
    lingering = watch.linger_until is not None and now < watch.linger_until
    wait = {
        Kind.NEW: patience.quiet,
        Kind.MIXED: patience.doubtful,
        Kind.SAME: patience.doubtful if view.news and view.rewritable else patience.quiet,
    }.get(view.kind)
    if wait is None:
        bound = patience.fault if view.kind is Kind.FAULT else patience.complete
        if age >= bound:
            return Decision(Step.START if view.kind is Kind.FAULT else Step.GIVE_UP, watch)
        return _wait(watch, now, _pace(age, patience), patience)
    if unchanged < wait:
        return _wait(watch, now, min(wait - unchanged, _pace(age, patience)), patience)
    # Further files may still be rewritten in place, and no event announces them.
    doubtful = view.kind is not Kind.NEW and view.rewritable
    linger_until = now + timedelta(seconds=patience.complete) if doubtful else None
    if view.exported or (view.kind is Kind.SAME and not view.news):
        if lingering:
            return _wait(watch, now, patience.slowest, patience)
        if view.kind is Kind.MIXED and watch.linger_until is None:
            lingers = replace(watch, linger_until=linger_until)
            return _wait(lingers, now, patience.slowest, patience)
        return Decision(Step.CLOSE, replace(watch, linger_until=None))
    return Decision(Step.START, replace(watch, linger_until=linger_until))


def _without_future(watch: RefreshProgress, now: datetime) -> RefreshProgress:
    """The same without times in the future, which a wrong clock has written."""
    return replace(
        watch,
        opened_at=min(watch.opened_at, now) if watch.opened_at else None,
        view_since=min(watch.view_since, now) if watch.view_since else None,
    )


def _wait(watch: RefreshProgress, now: datetime, delay: float, patience: Patience) -> Decision:
    delay = max(delay, min(1.0, patience.quiet))
    watch = replace(watch, turn=watch.turn + 1, next_at=now + timedelta(seconds=delay))
    return Decision(Step.WAIT, watch, delay)


def _pace(age: float, patience: Patience) -> float:
    """The interval grows with the time since the announcement."""
    return min(max(age / 10, patience.quiet / 4), patience.slowest)


def digest(*parts: str) -> str:
    """The SHA-256 digest of several texts, in hexadecimal."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
