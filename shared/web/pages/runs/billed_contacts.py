"""How many contacts of the audience Mailchimp bills before and after a run, for its page."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.audience import BILLED
from shared.model.figures import AudienceSize
from shared.model.run import Mode, Run


@dataclass(frozen=True)
class SizeTile:
    """One number; `name` is the name of its text. If it is not exact, it is at most this number."""

    name: str
    count: int
    exact: bool = True


def size_tiles(run: Run) -> list[SizeTile]:
    """The contacts before and after a run; empty if the run adds no one or the numbers are unknown.

    A run that has sent nothing shows what it would do, and other runs what they did. What the audience has after a run is
    Mailchimp's own count, which a run that was stopped does not read.
    """
    size = run.audience_size
    if size is None:
        return []
    is_planned = run.mode is Mode.PREVIEW or run.has_sent_nothing
    tiles = [SizeTile("before", size.before), *(_planned(size) if is_planned else _done(run))]
    if size.budget is not None:
        tiles.append(SizeTile("budget", size.budget))
    return tiles


def _planned(size: AudienceSize) -> list[SizeTile]:
    tiles = [SizeTile("wouldAdd", size.added, size.exact)]
    if size.archived:
        tiles.append(SizeTile("wouldArchive", size.archived))
    return [*tiles, SizeTile("after", size.after, size.exact)]


def _done(run: Run) -> list[SizeTile]:
    tiles = []
    # A run that failed in the middle may not have counted its people.
    if run.counts.created or run.status.is_completed:
        tiles.append(SizeTile("added", run.counts.created))
    if run.consent_proof.archived:
        tiles.append(SizeTile("archived", run.consent_proof.archived))
    if run.proof:
        billed = sum(line.after for line in run.proof if line.status in BILLED)
        tiles.append(SizeTile("after", billed))
    return tiles
