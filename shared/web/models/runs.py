"""A run as JSON. Reasons and findings are in the caller's language."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.model.figures import PlanningStep
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.web.models.base import Body, Choice, ListView, Time, View
from shared.web.texts import text_or_default


class StartMode(StrEnum):
    """The modes that a start chooses; one person is sent in another way."""

    EXPORT = Mode.EXPORT
    PREVIEW = Mode.PREVIEW
    FULL = Mode.FULL


class StartBody(Body):
    """How to run an export."""

    mode: Annotated[Choice[StartMode], Field(examples=["preview"])] = StartMode.EXPORT
    add_archived: bool = Field(
        default=False, description="Whether to add contacts again that an undo archived"
    )


class UndoBody(Body):
    """How to undo a run."""

    archive_created: bool = Field(
        default=False, description="Whether to archive the contacts that the run created"
    )


class ReasonView(View):
    """Why a run was skipped, failed, stopped or is waiting."""

    code: str
    message: str


class FindingView(View):
    """A remark about a run or an export, with what to do."""

    severity: Severity
    code: str
    message: str


class PlanningView(View):
    """How far planning is: segments and rows read so far, then compared with the audience."""

    step: Annotated[PlanningStep, Field(examples=["reading"])]
    segments_read: Annotated[int, Field(examples=[2])]
    segments: Annotated[int, Field(examples=[3])]
    rows: Annotated[int, Field(examples=[128400])]


class ProgressView(View):
    """The progress of a run."""

    profiles_done: Annotated[int, Field(examples=[500])]
    profiles_total: Annotated[
        int,
        Field(
            description="People to send and tags to remove: a person who loses two tags counts twice",
            examples=[1200],
        ),
    ]
    chunks_done: int
    chunks_total: int
    percent: int
    seconds_left: int | None
    profiles_accepted: Annotated[
        int,
        Field(
            description="Profiles that Mailchimp has accepted so far; counted while the run sends",
            examples=[480],
        ),
    ] = 0
    profiles_per_second: Annotated[
        float | None,
        Field(
            description="The speed of the last minute; null while nothing is being sent",
            examples=[41.5],
        ),
    ] = None


class CountsView(View):
    """People and rows of a run."""

    source_rows: int
    distinct: int
    new: int
    changed: int
    unchanged: int
    left: int
    created: int
    updated: int
    kept: int
    rejected: int
    removed: int
    not_sent: int
    shared_address: int


class ConsentProofView(View):
    """How many contacts stayed unsubscribed, how many statuses changed, and how many were unsubscribed."""

    kept: int
    statuses_changed: int
    unsubscribed: Annotated[
        int,
        Field(
            description="The number of people that the run unsubscribed because they withdrew consent"
        ),
    ]
    archived: Annotated[
        int,
        Field(description="The number of contacts that the run archived"),
    ]


class StatusProofView(View):
    """The number of contacts in one status, by Mailchimp's own count."""

    status: Annotated[str, Field(examples=["subscribed"])]
    before: Annotated[int, Field(description="Before the run")]
    after: Annotated[int, Field(description="After the run")]
    by_run: Annotated[int, Field(description="The change that the run made")]
    by_others: Annotated[
        int,
        Field(description="The change that others made meanwhile, such as people who unsubscribed"),
    ]


class AudienceSizeView(View):
    """The contacts of the audience that Mailchimp bills, before the run and after it as planned."""

    before: Annotated[int, Field(examples=[8200])]
    added: Annotated[int, Field(description="Contacts that the run creates", examples=[640])]
    archived: Annotated[int, Field(description="Contacts that the run archives", examples=[3])]
    after: Annotated[
        int,
        Field(
            description="Contacts after the run; people that Mailchimp refuses are not foreseeable",
            examples=[8837],
        ),
    ]
    budget: Annotated[
        int | None, Field(description="The contact budget of the audience", examples=[10000])
    ]
    exact: Annotated[
        bool,
        Field(description="False if some of `added` may be in the audience already"),
    ]


class CallsView(View):
    """Calls made to Mailchimp."""

    write: int
    read: int
    throttled: int
    retried: int


class RunSegmentView(View):
    """One segment of a run."""

    name: str
    tag: str
    members: int
    in_mailchimp: int | None


class RunView(View):
    """A run."""

    id: str
    export_id: str
    trigger: Trigger
    mode: Mode
    status: RunStatus
    reason: ReasonView | None
    progress: ProgressView
    counts: CountsView
    consent_proof: ConsentProofView
    proof: Annotated[
        tuple[StatusProofView, ...],
        Field(
            description="Empty until the run ends, and for a run that sent nothing or was stopped"
        ),
    ]
    calls: CallsView
    segments: tuple[RunSegmentView, ...]
    requested_by: str
    queued_at: Time | None
    confirmed_at: Annotated[
        Time | None, Field(description="When a person confirmed it last; null if no one did")
    ] = None
    started_at: Time | None
    finished_at: Time | None
    retry_of: str | None
    undo_of: str | None
    findings: tuple[FindingView, ...]
    planning: Annotated[
        PlanningView | None,
        Field(description="How far planning is; null before it, and for plans of a second or two"),
    ] = None
    audience_size: Annotated[
        AudienceSizeView | None,
        Field(
            description="The predicted size of the audience; null while it is unknown, and for a run that adds no one"
        ),
    ] = None


def reason_view(reason: Reason | None, language: str) -> ReasonView | None:
    """The JSON form of a reason, in the caller's language."""
    return ReasonView(code=reason.code, message=in_words(reason, language)) if reason else None


def in_words(message: Reason | Finding | None, language: str) -> str:
    """The sentence of a reason or a finding; empty without one."""
    if message is None:
        return ""
    return text_or_default(language, message.code, message.values, message.message)


def finding_views(findings: Sequence[Finding], language: str) -> tuple[FindingView, ...]:
    """The JSON form of findings, in the caller's language."""
    return tuple(
        FindingView(severity=f.severity, code=f.code, message=in_words(f, language))
        for f in findings
    )


def run_view(run: Run, language: str) -> RunView:
    """The JSON form of a run."""
    return RunView.of(
        run,
        reason=reason_view(run.reason, language),
        findings=finding_views(run.findings, language),
    )


class RunList(ListView[RunView]):
    """Runs, newest first."""
