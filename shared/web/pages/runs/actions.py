"""What a person can do about a run: the buttons of its page, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.model.connection import ConnectionStatus
from shared.model.export import Export
from shared.model.outcome import Code, Lasting
from shared.model.run import Mode, Run, RunStatus
from shared.runs.commands import can_retry
from shared.runs.outcomes import OutcomeReason
from shared.scheduling.schedule import next_run
from shared.web.application.connections import may_use_export
from shared.web.authentication import Role
from shared.web.pages.render import Page
from shared.web.texts import text

# A person can change the audience or the plan in Mailchimp, so that the same row is accepted.
_MAILCHIMP_CAN_CHANGE = frozenset({Code.FIELD_REFUSED, Code.FIELD_REQUIRED})
_STOPPED = frozenset({RunStatus.FAILED, RunStatus.CANCELED, RunStatus.SKIPPED})


@dataclass(frozen=True)
class RunActions:
    """What the caller can do about a run, other than cancel it.

    `run` is to run its export (again), and `connect` to connect its connection to Mailchimp again. `waiting` is another run
    of the export that waits for a confirmation, which is why some actions are missing. With `needs_connection`, the export
    has no connection, so it cannot do anything.
    """

    confirm: bool = False
    retry: bool = False
    run: bool = False
    send_again: bool = False
    edit: bool = False
    connect: bool = False
    add_archived: bool = False
    undo: bool = False
    waiting: Run | None = None
    needs_connection: bool = False


def actions_of(
    page: Page,
    run: Run,
    export: Export | None,
    rejected: Sequence[OutcomeReason],
    *,
    has_outcomes: bool,
) -> RunActions:
    """What the caller can do; nothing without access to the connection of the export.

    While another run of the export waits for a confirmation, actions that would be refused are left out.
    """
    if export is None or not _may_act(page, export):
        return RunActions()
    if not export.connection_id:
        return RunActions(needs_connection=True)
    is_preview = run.mode is Mode.PREVIEW
    # An undo is not repeated.
    is_over = run.is_over and not run.undo_of
    stopped = run.status in _STOPPED and run.mode in (Mode.EXPORT, Mode.FULL)
    actions = RunActions(
        confirm=run.status is RunStatus.AWAITING_CONFIRMATION,
        retry=(
            has_outcomes
            # The newer run does it.
            and not run.is_superseded
            and can_retry(run)
            and _retry_changes_something(run, [group.code for group in rejected])
        ),
        run=is_over and (is_preview or stopped),
        send_again=is_over and run.mode is Mode.ONE_PERSON,
        edit=(is_over and run.status is RunStatus.FAILED) or run.waits_to_send,
        connect=run.status is RunStatus.FAILED and _may_connect(page, export),
        add_archived=run.is_over and any(f.code == "archivedByUndo" for f in run.findings),
        undo=not is_preview and page.services.undo.is_possible(run),
    )
    return _without_refused(page, run, actions)


def _without_refused(page: Page, run: Run, actions: RunActions) -> RunActions:
    """Leave out what is refused while another run of the export waits for a confirmation.

    A retry that waits is replaced by another retry of the same run, so that is offered.
    """
    # A preview that failed is repeated. One that succeeded is followed by a run, which replaces the waiting one.
    repeats_preview = actions.run and run.mode is Mode.PREVIEW and run.status is RunStatus.FAILED
    if not (actions.retry or actions.send_again or actions.undo or repeats_preview):
        return actions
    waiting = page.services.history.waiting_run(run.export_id)
    if waiting is None:
        return actions
    may_retry = actions.retry and waiting.retry_of == run.id
    may_run = actions.run and not repeats_preview
    return replace(
        actions, retry=may_retry, send_again=False, undo=False, run=may_run, waiting=waiting
    )


def _may_act(page: Page, export: Export) -> bool:
    return page.caller.may(Role.CONTRIBUTOR) and may_use_export(page.context, export)


def _may_connect(page: Page, export: Export) -> bool:
    """Whether the export has a connection that is not connected, and the caller can connect it."""
    connection = page.services.connections.find(export.connection_id)
    return (
        connection is not None
        and connection.status is not ConnectionStatus.CONNECTED
        and page.caller.may(Role.ADMINISTRATOR)
    )


def _retry_changes_something(run: Run, codes: Sequence[str]) -> bool:
    """Whether a retry could have another result; `codes` are the reasons of the rejected rows.

    A row that is wrong in the source is wrong until the source changes, and then the next run sends it.
    """
    counts = run.counts
    if counts.not_sent or counts.left > counts.removed:
        return True
    return any(_may_pass(code) for code in codes)


def _may_pass(code: str) -> bool:
    known = next((one for one in Code if one.value == code), None)
    if known is None:
        return False
    return known in _MAILCHIMP_CAN_CHANGE or known.lasting in (Lasting.NEXT_RUN, Lasting.A_FEW_RUNS)


def next_steps(
    page: Page, run: Run, export: Export | None, actions: RunActions, *, lists_rejected: bool
) -> list[str]:
    """What a person can do about a run that is not active, in words."""

    def say(name: str, **values: object) -> str:
        return text(page.language, f"pages.next.{name}", values)

    may_act = export is not None and _may_act(page, export)
    first = "" if actions.needs_connection else _step_after(run, actions, may_act=may_act)
    steps = [say(first)] if first else []
    if lists_rejected and run.status is not RunStatus.FAILED:
        steps.append(say("rejected"))
    if actions.retry:
        steps.append(say("retryOrRun" if actions.run else "retry"))
    coming = next_run(export.schedule, page.services.clock()) if export else None
    if coming is not None and export is not None and export.connection_id and not run.is_active:
        steps.append(say("scheduled", when=page.formats.clock_time(coming)))
    return steps


def _step_after(run: Run, actions: RunActions, *, may_act: bool) -> str:
    """The name of the text that says how to go on after a run; "" if nothing has to be done."""
    if run.status is RunStatus.AWAITING_CONFIRMATION:
        return "confirm" if may_act else "confirmByOthers"
    if not may_act:
        return ""
    if run.status is RunStatus.FAILED:
        if run.undo_of:
            return "failedUndo"
        return "failed" if run.mode.sends_everyone else "failedOther"
    if run.status is RunStatus.CANCELED:
        if run.sent_everything_before_cancel:
            return ""
        if run.undo_of:
            return "canceledUndo"
        # A retry is explained together with a run.
        return "canceled" if run.mode.sends_everyone and not actions.retry else ""
    return "preview" if run.mode is Mode.PREVIEW else ""
