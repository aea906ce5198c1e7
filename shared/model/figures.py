"""The figures of a run: its progress, its counts, and what proves them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Counts:
    """People and rows of a run.

    `source_rows` counts rows over all segments; `distinct` people by address; `new`, `changed`,
    `unchanged` and `left` come from the plan, `created` to `not_sent` from the outcomes.
    `rejected` counts source rows and members alike; `shared_address` counts profiles that lost
    their address to another profile.
    """

    source_rows: int = 0
    distinct: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    left: int = 0
    created: int = 0
    updated: int = 0
    kept: int = 0
    rejected: int = 0
    removed: int = 0
    not_sent: int = 0
    shared_address: int = 0


class PlanningStep(StrEnum):
    """What the planning of a run is doing: read the segments, then compare them with the audience."""

    READING = "reading"
    COMPARING = "comparing"


@dataclass(frozen=True)
class Planning:
    """How far planning is. `segments_read` of `segments` were read, with `rows` rows."""

    step: PlanningStep
    segments_read: int = 0
    segments: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a run is; `seconds_left` is None while it cannot be estimated.

    `profiles_done` of `profiles_total` counts changes: a person to send is one, and each tag that a person loses is
    another. `profiles_accepted` of `profiles_done` were accepted by Mailchimp. `profiles_per_second` is the
    speed of the last minute, and None while nothing is being sent.
    """

    profiles_done: int = 0
    profiles_total: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    percent: int = 0
    seconds_left: int | None = None
    profiles_accepted: int = 0
    profiles_per_second: float | None = None


@dataclass(frozen=True)
class ConsentProof:
    """How many people the run did not subscribe again (`kept`), and how many statuses it changed, which must be 0.

    `unsubscribed` counts people that the run unsubscribed because they withdrew consent and the export allows
    it: the only status that the app ever changes (record 71). `archived` counts archived contacts with a former
    address (record 72), unused contacts (record 86), and contacts that an undo archived.
    """

    kept: int = 0
    statuses_changed: int = 0
    unsubscribed: int = 0
    archived: int = 0


@dataclass(frozen=True)
class StatusProof:
    """How many contacts had a status before and after a run, and how the run itself changed the number.

    `before` and `after` are Mailchimp's own counts; `by_run` follows from Mailchimp's responses.
    """

    status: str
    before: int
    after: int
    by_run: int

    @property
    def by_others(self) -> int:
        """What others changed meanwhile: people, other exports and other apps."""
        return self.after - self.before - self.by_run


@dataclass(frozen=True)
class AudienceSize:
    """The contacts of an audience that Mailchimp bills: before a run, and after it as planned.

    Mailchimp bills contacts that are subscribed, unsubscribed, pending or transactional. `added` are
    the contacts that the run would create, `archived` those that it would archive. With `exact` false,
    some of `added` may be in the audience already. `budget` is the most that the audience may have.
    """

    before: int
    added: int
    archived: int = 0
    budget: int | None = None
    exact: bool = True

    @property
    def after(self) -> int:
        """The contacts after the run, except people that Mailchimp refuses."""
        return self.before + self.added - self.archived

    @property
    def is_over_budget(self) -> bool:
        """Whether the run would pass the budget, or go further beyond it.

        Planned archivings do not count: they come last, and some contacts may be kept.
        """
        return self.budget is not None and self.added > 0 and self.before + self.added > self.budget


@dataclass(frozen=True)
class RunSegment:
    """One segment of a run: `members` are people of the plan, `in_mailchimp` Mailchimp's count."""

    name: str
    tag: str
    members: int = 0
    in_mailchimp: int | None = None
