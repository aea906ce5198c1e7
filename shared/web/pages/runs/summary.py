"""What a run did, for its page: one sentence, and numbers that add up.

Every person of a run has one outcome, so the outcomes add up to the people. Rows without a usable
address do not count as people; they are counted separately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from babel.lists import format_list

from shared.model.figures import Counts
from shared.model.run import REMOVAL_GUARD, Mode, Run, RunStatus
from shared.web.texts import text


@dataclass(frozen=True)
class Tile:
    """One number; `name` is the name of its text."""

    name: str
    count: int

    @property
    def is_bad(self) -> bool:
        """Whether a person should look at it."""
        return self.name in ("refused", "unusable", "notSent")


@dataclass(frozen=True)
class Summary:
    """A run in short. `people` and `rows` leave out what is zero; `adds_up` is false for damaged records."""

    sentence: str
    people: tuple[Tile, ...]
    tags: tuple[Tile, ...]
    rows: tuple[Tile, ...]
    adds_up: bool


def summary(run: Run, language: str) -> Summary:
    """The summary of a run that is over or waits for a confirmation."""
    counts = run.counts
    is_preview = run.mode is Mode.PREVIEW
    sent = (
        [Tile("new", counts.new), Tile("changed", counts.changed)]
        if is_preview or run.has_sent_nothing
        else [Tile("created", counts.created), Tile("updated", counts.updated)]
    )
    sent += [Tile("unchanged", counts.unchanged), Tile("kept", counts.kept)]
    if not is_preview:
        sent.append(Tile("notSent", counts.not_sent))
    refused = counts.distinct - sum(tile.count for tile in sent)
    if not is_preview and not run.has_all_outcomes:
        # The others have no outcome.
        refused = min(refused, counts.rejected)
    unusable = counts.rejected - refused
    people = [*sent, Tile("refused", refused)]
    if run.has_sent_nothing and _not_zero(people):
        # A guard stops a run when only its new people are known.
        people.append(Tile("notCompared", counts.distinct - sum(tile.count for tile in people)))
    tags = [Tile("left", counts.left)]
    if not is_preview:
        tags.append(Tile("removed", counts.removed))
    rows = [
        Tile("sourceRows", counts.source_rows),
        Tile("unusable", unusable),
        Tile("sharedAddress", counts.shared_address),
    ]
    return Summary(
        _sentence(run, language),
        _not_zero(people),
        _not_zero(tags),
        _not_zero(rows),
        adds_up=refused >= 0 and unusable >= 0,
    )


def _not_zero(tiles: Sequence[Tile]) -> tuple[Tile, ...]:
    return tuple(tile for tile in tiles if tile.count > 0)


def _sentence(run: Run, language: str) -> str:
    say = partial(_say, language)
    if run.mode is Mode.PREVIEW:
        return _of_preview(run, language)
    if run.status is RunStatus.SKIPPED:
        return say("skipped")
    if run.status is RunStatus.AWAITING_CONFIRMATION:
        guarded = run.reason is not None and run.reason.code == REMOVAL_GUARD
        if not guarded:
            return say("waitsBefore")
        return _of_waiting(run.counts, language)
    stopped = {RunStatus.FAILED: "failed", RunStatus.CANCELED: "canceled"}.get(run.status)
    if stopped:
        if run.counts.created or run.counts.updated or run.counts.removed:
            after = "canceledAtEnd" if run.sent_everything_before_cancel else f"{stopped}After"
            return _of_stopped(run.counts, after, language)
        progress = run.progress
        if progress.profiles_done:
            return say(
                f"{stopped}Within", done=progress.profiles_done, total=progress.profiles_total
            )
        return say(f"{stopped}Before")
    if run.is_superseded:
        done = _sent_parts(run.counts, language)
        return say("supersededAfter", parts=done) if done else say("supersededBefore")
    if run.mode is Mode.ARCHIVE:
        return say("archived", people=run.consent_proof.archived)
    if not run.undo_of and _only_rejected(run.counts):
        return say("nothingToSend", people=run.counts.rejected)
    if parts := _parts(run.counts, language, run.consent_proof.archived if run.undo_of else 0):
        return say("done", parts=parts)
    if run.undo_of:
        return say("nothingUndone")
    return _of_nothing_sent(run.counts, language)


def _of_nothing_sent(counts: Counts, language: str) -> str:
    """Why a complete run sent nothing. Without unchanged people there may have been no run before."""
    if counts.unchanged or counts.left:
        return _say(language, "nothingChanged")
    if counts.kept:
        return _say(language, "allKept", people=counts.kept)
    return _say(language, "nothingChanged" if counts.distinct else "noMembers")


def _of_waiting(counts: Counts, language: str) -> str:
    """What was done, what waits, and what was not sent."""
    say = partial(_say, language)
    done = _sent_parts(counts, language)
    sentences = [say("waitsDone", parts=done), say("waits")] if done else [say("waits")]
    if counts.not_sent:
        sentences.append(say("othersNotSent", people=counts.not_sent))
    elif not done:
        sentences.append(say("waitsNothing"))
    return " ".join(sentences)


def _of_stopped(counts: Counts, after: str, language: str) -> str:
    """What was sent before the run stopped, and what was not sent."""
    sentences = [_say(language, after, parts=_sent_parts(counts, language))]
    if counts.not_sent:
        sentences.append(_say(language, "othersNotSent", people=counts.not_sent))
    return " ".join(sentences)


def _only_rejected(counts: Counts) -> bool:
    """Whether a complete run had no one to send, and rejected rows because of their data."""
    planned = counts.new or counts.changed or counts.left
    sent = counts.created or counts.updated or counts.removed or counts.not_sent
    return bool(counts.rejected and not planned and not sent)


def _say(language: str, name: str, **values: object) -> str:
    return text(language, f"pages.summary.{name}", values)


def _of_preview(run: Run, language: str) -> str:
    say = partial(_say, language)
    if run.status is RunStatus.FAILED:
        return say("previewFailed")
    if run.status is RunStatus.CANCELED:
        return say("previewCanceled")
    counts = run.counts
    named = (("wouldAdd", counts.new), ("wouldUpdate", counts.changed), ("wouldLose", counts.left))
    parts = [say(name, people=number) for name, number in named if number]
    if not parts:
        return say("previewNothing")
    return say("preview", parts=format_list(parts, locale=language))


def _sent_parts(counts: Counts, language: str) -> str:
    """What was sent, as a list in words. Rejected rows are not sent; the tiles and the next steps name them."""
    return _parts(replace(counts, rejected=0, not_sent=0), language)


def _parts(counts: Counts, language: str, archived: int = 0) -> str:
    """What happened, as a list in words; empty when nothing did. `archived` counts contacts that an undo archived."""
    named = (
        ("added", counts.created),
        ("updated", counts.updated),
        ("lostTag", counts.removed),
        ("archivedToo", archived),
        ("rejected", counts.rejected),
        ("notSent", counts.not_sent),
    )
    parts = [_say(language, name, people=number) for name, number in named if number]
    return format_list(parts, locale=language) if parts else ""
