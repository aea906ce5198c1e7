"""Runs: start, read, cancel, confirm, retry, undo, and the outcome of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.errors import Conflict, NotFound, TimeUp
from shared.model.export import Export
from shared.model.outcome import Outcome
from shared.model.preview import Preview
from shared.model.run import ADD_ARCHIVED, Mode, Run, RunStatus, Trigger
from shared.previews.differences import Difference
from shared.request_time import refuse_late_change
from shared.runs.confirmation import question_of
from shared.runs.outcomes import OutcomePage, OutcomeRow
from shared.runs.start import RunOptions
from shared.web.application import audit
from shared.web.application.connections import usable_connections
from shared.web.application.etags import etag_of, refuse_changed
from shared.web.application.exports import title_of
from shared.web.authentication import Role
from shared.web.context import Context


def start(context: Context, export_id: str, mode: Mode, *, add_archived: bool = False) -> Run:
    """Start a run of an export; while a run is active, that run. NotFound, Conflict.

    `add_archived` allows adding contacts again that an undo archived. Conflict while a run is active that does not.
    """
    options = RunOptions(confirmed=(ADD_ARCHIVED,) if add_archived else ())
    run = context.services.starter.start(
        export_id, Trigger.ON_DEMAND, mode, context.caller.name, options
    )
    if add_archived and ADD_ARCHIVED not in run.confirmed:
        raise Conflict("otherRunGoing")
    _record_start(context, run)
    return run


# The reason for an export that was not started because the time of the request was up.
_NOT_IN_TIME = "timeUp"


@dataclass(frozen=True)
class StartedAll:
    """What "run all" does or did with every export, by name.

    `omitted` has the exports that are not started, with the name of the reason: `off`,
    `noConnection`, `notShared`, `failed` or `timeUp`.
    """

    started: tuple[tuple[Export, Run | None], ...]
    running: tuple[tuple[Export, Run], ...]
    omitted: tuple[tuple[Export, str], ...]

    @property
    def runs(self) -> list[Run]:
        """The runs that were started or were active before."""
        return [run for _, run in (*self.started, *self.running) if run is not None]

    @property
    def is_complete(self) -> bool:
        """Whether there was time to start all of them."""
        return all(reason != _NOT_IN_TIME for _, reason in self.omitted)


def would_start_all(context: Context) -> StartedAll:
    """What `start_all` would do: start every export whose schedule is on and whose connection the
    caller may use."""
    mine = None if context.caller.may(Role.ADMINISTRATOR) else usable_connections(context)
    exports = [stored.value for stored in context.services.definitions.all()]
    last_runs = context.services.history.last_runs(export.id for export in exports)
    started: list[tuple[Export, Run | None]] = []
    running, omitted = [], []
    for export in exports:
        last = last_runs.get(export.id)
        if not export.connection_id:
            omitted.append((export, "noConnection"))
        elif not export.schedule.enabled:
            omitted.append((export, "off"))
        elif mine is not None and export.connection_id not in mine:
            omitted.append((export, "notShared"))
        elif last is not None and last.is_active:
            running.append((export, last))
        else:
            started.append((export, None))
    return StartedAll(tuple(started), tuple(running), tuple(omitted))


def start_all(context: Context) -> StartedAll:
    """Start every export whose schedule is on and whose connection the caller may use."""
    planned = would_start_all(context)
    started: list[tuple[Export, Run | None]] = []
    omitted = list(planned.omitted)
    for export, _ in planned.started:
        try:
            refuse_late_change()
            run = context.services.starter.start(
                export.id, Trigger.ON_DEMAND, Mode.EXPORT, context.caller.name
            )
        except (NotFound, Conflict):
            # An export that is removed or detached at this moment does not stop the others.
            omitted.append((export, "failed"))
            continue
        except TimeUp:
            omitted.append((export, _NOT_IN_TIME))
            continue
        _record_start(context, run)
        started.append((export, run))
    return StartedAll(tuple(started), planned.running, tuple(omitted))


def _record_start(context: Context, run: Run) -> None:
    """Record the run that a request started. The active run that it returned may have another mode than the request."""
    after = {"exportId": run.export_id, "mode": run.mode}
    audit.record(context, "run.start", run.id, after=after)


def cancel(context: Context, run_id: str) -> Run:
    """Stop a run after its current calls. Conflict when it has ended."""
    before = context.services.runs.read(run_id)
    return _acted(context, "run.cancel", before, context.services.runs.cancel(run_id))


def question_etag(run: Run) -> str | None:
    """The ETag of what a run asks to confirm; None if it does not wait."""
    is_waiting = run.status is RunStatus.AWAITING_CONFIRMATION
    return etag_of(question_of(run)) if is_waiting else None


def confirm(context: Context, run_id: str, if_match: str | None = None) -> Run:
    """Continue a run that waits for a confirmation. Conflict when it does not wait.

    Changed if what it asks has changed since `if_match`, the ETag of what the person was shown.
    """

    def check(run: Run) -> None:
        refuse_changed(if_match, question_of(run), "questionChanged")

    before = context.services.runs.read(run_id)
    return _acted(context, "run.confirm", before, context.services.runs.confirm(run_id, check))


def retry(context: Context, run_id: str) -> Run:
    """A new run of the rows that failed. Conflict."""
    before = context.services.runs.read(run_id)
    return _acted(
        context, "run.retry", before, context.services.runs.retry(run_id, context.caller.name)
    )


def undo(context: Context, run_id: str, archive_created: bool) -> Run:
    """A new run that reverts a run; on request it archives the contacts that the run created. Conflict."""
    before = context.services.runs.read(run_id)
    run = context.services.undo.start(run_id, context.caller.name, archive_created)
    return _acted(context, "run.undo", before, run)


def rejected(
    context: Context, run: Run, code: str, wanted: str, skip: int, top: int
) -> OutcomePage:
    """One page of the rejected rows. The read is recorded: it is personal data."""
    found = context.services.outcomes.page(run.id, Outcome.REJECTED.value, code, wanted, skip, top)
    audit.record(context, "run.readRejected", run.id, after={"reason": code or "all"})
    return found


def preview(
    context: Context, run_id: str, totals: Sequence[tuple[str, str, str, int]] | None = None
) -> Preview:
    """What a preview found. The read is recorded: it is personal data. NotFound for other runs.

    `totals` are those of the outcomes, if they are known already.
    """
    run = _read_preview(context, run_id)
    if totals is None:
        totals = context.services.outcomes.totals(run.id)
    found = Preview(totals, context.services.outcomes.samples(run.id))
    audit.record(context, "run.readPreview", run.id)
    return found


def differences(context: Context, run_id: str) -> tuple[Sequence[str], Iterator[Difference]]:
    """The merge fields of a preview, and every person that the run would change. The read is recorded."""
    run = _read_preview(context, run_id)
    found = context.services.differences.read(run.id)
    audit.record(context, "run.downloadDifferences", run.id)
    return found


def _read_preview(context: Context, run_id: str) -> Run:
    """A preview. NotFound for other runs."""
    run = context.services.runs.read(run_id)
    if run.mode is not Mode.PREVIEW:
        raise NotFound("previewGone")
    return run


def _acted(context: Context, action: str, before: Run, run: Run) -> Run:
    after = {"status": run.status, "runId": run.id}
    audit.record(context, action, before.id, before={"status": before.status}, after=after)
    return run


def title(context: Context, run_id: str) -> str:
    """The name of the export of a run, or nothing once the export is removed."""
    return title_of(context, context.services.runs.read(run_id).export_id)


def outcomes(context: Context, run_id: str, only: str | None) -> Iterator[OutcomeRow]:
    """The outcome of every row. The read is recorded: it is personal data."""
    run = context.services.runs.read(run_id)
    rows = context.services.outcomes.rows(run.id, only)
    audit.record(context, "run.download", run.id, after={"only": only or "all"})
    return rows
