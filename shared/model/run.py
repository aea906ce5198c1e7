"""A run of an export, and its states.

    queued ─► planning ─► sending ─► finishing ─► successful | completedWithWarnings
                 │                        └─► awaitingConfirmation ─► sending (the removals)
                 └─► awaitingConfirmation ─► queued (it is planned again)

Planning may also end as `skipped`, and every active run as `failed` or `canceled`. Terminal states never change again. A
preview ends after planning. A run that looks like a mistake waits in `awaitingConfirmation` before its first write. A run
with unusually many removals waits at its end: everything else was sent and is in the ledger. A later run that plans the
same changes replaces a run that waits. runs/transitions.py makes all changes of the state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.model.audience import CallCounts
from shared.model.figures import (
    AudienceSize,
    ConsentProof,
    Counts,
    Planning,
    Progress,
    RunSegment,
    StatusProof,
)
from shared.model.finding import Finding, Reason


class Trigger(StrEnum):
    """What started a run."""

    ON_DEMAND = "onDemand"
    SCHEDULE = "schedule"
    REFRESH = "refresh"
    RETRY = "retry"


class Mode(StrEnum):
    """What a run does.

    export: send changes. preview: only plan. full: send all people and compare all tags with Mailchimp.
    onePerson: send one person of the export, whether or not anything changed (record 85).
    archive: archive the contacts that no export targets any more (record 86).
    """

    EXPORT = "export"
    PREVIEW = "preview"
    FULL = "full"
    ONE_PERSON = "onePerson"
    ARCHIVE = "archive"

    @property
    def is_partial(self) -> bool:
        """Whether such a run has outcomes of some people only."""
        return self in (Mode.ONE_PERSON, Mode.ARCHIVE)

    @property
    def sends_everyone(self) -> bool:
        """Whether such a run sends the whole export."""
        return self is not Mode.PREVIEW and not self.is_partial


class RunStatus(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    PLANNING = "planning"
    SENDING = "sending"
    FINISHING = "finishing"
    AWAITING_CONFIRMATION = "awaitingConfirmation"
    SUCCESSFUL = "successful"
    COMPLETED_WITH_WARNINGS = "completedWithWarnings"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_completed(self) -> bool:
        """Whether a run ended successfully, with or without warnings."""
        return self in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)


ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.PLANNING, RunStatus.SENDING, RunStatus.FINISHING})
TERMINAL = frozenset(
    {
        RunStatus.SUCCESSFUL,
        RunStatus.COMPLETED_WITH_WARNINGS,
        RunStatus.SKIPPED,
        RunStatus.FAILED,
        RunStatus.CANCELED,
    }
)


# A confirmation that a run starts with: contacts that an undo archived are added again.
ADD_ARCHIVED = "addArchived"

# The reason of a run that waits because too many people would lose a tag at once.
REMOVAL_GUARD = "removalGuard"

# The reason of a run that waits because tags were made outside the export.
TAG_EXISTS = "tagExists"

# The findings of a run that compared everyone with an empty ledger, although the export had sent people before: it sent to
# another audience since, or its ledger was deleted.
AUDIENCE_MOVED = "audienceMoved"
LEDGER_MISSING = "ledgerMissing"
NO_LEDGER = frozenset({AUDIENCE_MOVED, LEDGER_MISSING})

# The reason of a run that was canceled when it had already sent everything.
CANCELED_AFTER_SENDING = "canceledAfterSending"

# The reason of a run that waited for a confirmation until a newer run took its place. It made only a part of its changes.
SUPERSEDED = "superseded"

# The reasons of a run that waits because an exclusion segment has lost many of its members, many people who objected to email
# do not object any more, or a segment has grown. A confirmation applies to the number of people of such a reason.
EXCLUSION_SHRANK = "exclusionShrank"
FEWER_OBJECTIONS = "fewerObjections"
SEGMENT_GREW = "segmentGrew"
WITH_PEOPLE = frozenset({EXCLUSION_SHRANK, FEWER_OBJECTIONS, SEGMENT_GREW})

# The reasons of a run that waits before its first write because it looks like a mistake (planning/checking/guards.py).
GUARDS = WITH_PEOPLE | {"fewAddresses", "growthGuard", "strangeAudience"}


END_NOT_LOGGED = "notLogged"
"""The column `end` of a run that is over and has no `run.finished` yet."""


class Stage(StrEnum):
    """What is left to do with a run. Queries for work select runs by it."""

    ACTIVE = "active"
    WAITING = "waiting"
    STORED = "stored"
    CLEARED = "cleared"


@dataclass(frozen=True)
class Run:
    """One run. Its progress is calculated from its chunks when it is read (progress.py)."""

    id: str
    export_id: str
    trigger: Trigger
    mode: Mode
    status: RunStatus = RunStatus.QUEUED
    reason: Reason | None = None
    progress: Progress = field(default_factory=Progress)
    counts: Counts = field(default_factory=Counts)
    consent_proof: ConsentProof = field(default_factory=ConsentProof)
    # Empty while the run is active, and after a run that sent nothing or was stopped.
    proof: tuple[StatusProof, ...] = ()
    calls: CallCounts = field(default_factory=CallCounts)
    segments: tuple[RunSegment, ...] = ()
    findings: tuple[Finding, ...] = ()
    requested_by: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    sending_at: datetime | None = None
    finished_at: datetime | None = None
    moved_at: datetime | None = None
    cancel_requested: bool = False
    confirmed: tuple[str, ...] = ()
    # When a person confirmed it last; None in runs of earlier versions, whose `queued_at` changed to this time.
    confirmed_at: datetime | None = None
    # How long it has waited for confirmations until someone answered, in seconds.
    waited_seconds: float = 0.0
    # How many new contacts the run would have added when a person confirmed it.
    confirmed_new: int = 0
    # When a person confirmed it: by name, how many people each segment that had grown has, and how many each exclusion segment
    # that had shrunk excludes; under "", how many people did not object any more.
    confirmed_members: dict[str, int] = field(default_factory=dict)
    # A fingerprint of the export when the run was planned last: a confirmation applies only to it.
    definition: str = ""
    # What the plan does to the number of contacts; None while unknown, and when it adds no contact.
    audience_size: AudienceSize | None = None
    retry_of: str | None = None
    undo_of: str | None = None
    # The runs that retry or undo this one. `later_is_complete` is false in runs of earlier versions, which
    # did not record them.
    later: tuple[str, ...] = ()
    later_is_complete: bool = False
    archive_created: bool = False
    # How many contacts a person agreed to archive.
    agreed: int = 0
    # When the run that an undo reverses had ended: what changed since was changed by others.
    undone_at: datetime | None = None
    # The `traceparent` of its start; every message about the run continues this trace.
    trace: str = ""
    # How often the watchdog has resumed it without progress, when it did so last, and how far the run was then.
    resumed: int = 0
    resumed_at: datetime | None = None
    resumed_progress: str = ""
    # The name of the audience at that time, for pages: they make no calls to Mailchimp.
    audience_name: str = ""
    # Recorded from time to time while the run is being planned.
    planning: Planning | None = None
    # False from its end until `run.finished` was logged; the tick logs what a killed process did not.
    end_logged: bool = True
    # Since when planning waits for storage, Customer Insights or Mailchimp; `reason` is the cause.
    waiting_since: datetime | None = None
    # Its plan, chunks and outcomes are gone: the retention is over.
    cleared: bool = False

    @property
    def continued_at(self) -> datetime | None:
        """When the app was asked to work on the run: at its start, or when a person confirmed it."""
        return self.confirmed_at or self.queued_at

    def seconds_since(self, begin: datetime | None) -> float | None:
        """The seconds from `begin` to its end, without those in which it waited for confirmations. None before its end."""
        if begin is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - begin).total_seconds() - self.waited_seconds)

    @property
    def seconds(self) -> float | None:
        """How long the run took, without waiting for confirmations. None before its end."""
        return self.seconds_since(self.started_at)

    @property
    def planning_seconds(self) -> float | None:
        """How long reading and comparing took. None if it did not end, or was repeated after a confirmation."""
        if self.started_at is None or self.sending_at is None or self.confirmed_at is not None:
            return None
        return (self.sending_at - self.started_at).total_seconds()

    @property
    def rows_per_second(self) -> float | None:
        """Source rows per second from start to end. None for runs that are not over, too short, or ended before they sent."""
        if not self.seconds or self.seconds < 1 or not self.counts.source_rows:
            return None
        if not self.mode.sends_everyone or self.has_sent_nothing:
            return None
        rate = self.counts.source_rows / self.seconds
        return round(rate) if rate >= 10 else round(rate, 1)

    @property
    def stage(self) -> Stage:
        """active or waiting; stored while its files are kept after its end; cleared after that."""
        if self.is_active:
            return Stage.ACTIVE
        if not self.is_over:
            return Stage.WAITING
        return Stage.CLEARED if self.cleared else Stage.STORED

    def is_of_definition(self, fingerprint: str) -> bool:
        """Whether this is the `definition` of the run: its export has not changed since it was planned. True if it has none."""
        return self.definition in ("", fingerprint)

    @property
    def waits_to_send(self) -> bool:
        """Whether the run waits for a confirmation, and plans again after it."""
        return (
            self.status is RunStatus.AWAITING_CONFIRMATION
            and self.reason is not None
            and self.reason.code != REMOVAL_GUARD
        )

    @property
    def removals_confirmed(self) -> bool:
        """Whether a person has confirmed the removals that were held back."""
        return REMOVAL_GUARD in self.confirmed

    @property
    def is_active(self) -> bool:
        """Whether the app is working on the run, or is about to."""
        return self.status in ACTIVE

    @property
    def is_over(self) -> bool:
        """Whether the run has ended for good."""
        return self.status in TERMINAL

    @property
    def is_stopped(self) -> bool:
        """Whether sending was ended early: by a cancel, or for the reason of the run."""
        return self.cancel_requested or self.reason is not None

    @property
    def is_superseded(self) -> bool:
        """Whether a newer run took the place of this one while it waited for a confirmation."""
        return self.reason is not None and self.reason.code == SUPERSEDED

    @property
    def has_all_outcomes(self) -> bool:
        """Whether the run has an outcome for every person of its plan."""
        return self.status.is_completed and not self.is_superseded

    @property
    def has_sent_nothing(self) -> bool:
        """Whether the run waits or ended before its first call, so that its counts are those of the plan."""
        counts = self.counts
        outcomes = counts.created or counts.updated or counts.not_sent
        return not self.has_all_outcomes and not outcomes and not self.progress.profiles_done

    @property
    def sent_everything_before_cancel(self) -> bool:
        """Whether the run had already sent everything when it was canceled."""
        return self.reason is not None and self.reason.code == CANCELED_AFTER_SENDING

    @property
    def covers_export(self) -> bool:
        """Whether the run is an export or a retry of one: not a preview, an undo, archiving or a run of one person."""
        return self.mode in (Mode.EXPORT, Mode.FULL) and self.undo_of is None

    @property
    def sends_all_changes(self) -> bool:
        """Whether the run sends the changes of all people, so that a scheduled start or a refresh needs no other run.

        A retry does not: it may send only the rows that failed.
        """
        return self.covers_export and self.retry_of is None


def run_columns(run: Run) -> dict[str, str]:
    """The columns by which runs are queried."""
    end = "" if run.end_logged else END_NOT_LOGGED
    return {"export": run.export_id, "status": run.status, "stage": run.stage, "end": end}
