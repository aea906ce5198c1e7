"""Export definitions: create, change, duplicate, detach, delete."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    Fault,
    NotFound,
    TimeUp,
)
from shared.exports.definitions import export_findings
from shared.exports.draft import Draft
from shared.fields.merge_fields import chosen_fields
from shared.model.export import Export, Repeat, Schedule
from shared.model.finding import Finding, Severity
from shared.model.ids import is_id
from shared.model.ports import Stored
from shared.model.run import Run
from shared.model.source import composed, find_name, plain_name
from shared.request_time import refuse_late_change
from shared.web.application import audit
from shared.web.application.connections import saved_segments, usable_connections
from shared.web.application.etags import etag_of, refuse_changed
from shared.web.context import Context
from shared.web.models.exports.body import ExportBody
from shared.web.models.exports.view import recorded_export
from shared.web.texts import text


@dataclass(frozen=True)
class ExportDetails:
    """An export, its newest run of any kind, and its findings."""

    export: Export
    etag: str
    last_run: Run | None
    findings: tuple[Finding, ...]


def list_all(context: Context) -> list[ExportDetails]:
    """Every export, by name."""
    found = context.services.definitions.all()
    exports = [stored.value for stored in found]
    last_runs = context.services.history.last_runs(export.id for export in exports)
    return [_details(stored, last_runs.get(stored.value.id), exports) for stored in found]


def read(context: Context, export_id: str, *, saved: bool = False) -> ExportDetails:
    """One export. NotFound.

    With `saved`, the findings include those that need a listing of the landing container.
    """
    return _with_others(context, context.services.definitions.read(export_id), saved=saved)


def title_of(context: Context, export_id: str) -> str:
    """The name of an export, or nothing once it is removed."""
    export = context.services.definitions.find(export_id)
    return export.display_name if export else ""


def create(context: Context, body: ExportBody) -> ExportDetails:
    """Create an export; this does not run it. ConfigError with every fault, Conflict for a taken tag."""
    draft, usable = body.draft(), usable_connections(context)
    faults = _faults_in_mailchimp(context, draft, usable)
    if body.connection_id is None:
        faults.append(Fault("connectionId", code="connectionRequired"))
    stored = context.services.definitions.create(
        draft.with_faults(faults), context.caller.name, usable
    )
    stored = _without_deleted_connection(context, stored)
    export = stored.value
    after = recorded_export(export)
    audit.record(context, "export.create", export.id, export.display_name, after=after)
    return _with_others(context, stored, saved=True)


def change(
    context: Context, export_id: str, body: ExportBody, if_match: str | None = None
) -> ExportDetails:
    """Replace a definition. ConfigError with every fault, Conflict, Changed."""
    before, etag = _unchanged(context, export_id, if_match)
    draft, usable = body.draft(), usable_connections(context)
    faults = _faults_in_mailchimp(context, draft, usable)
    stored = context.services.definitions.change(
        export_id, draft.with_faults(faults), context.caller.name, usable, etag
    )
    stored = _without_deleted_connection(context, stored)
    return _changed(context, "export.update", before, stored)


def _without_deleted_connection(context: Context, stored: Stored[Export]) -> Stored[Export]:
    """Detach an export whose connection was deleted while the export was checked and written."""
    export = stored.value
    if export.connection_id is None or context.services.connections.find(export.connection_id):
        return stored
    try:
        return context.services.definitions.detach(export.id, context.caller.name)
    except Conflict:
        return stored  # its run fails and names the cause


def _faults_in_mailchimp(context: Context, draft: Draft, usable: Collection[str]) -> list[Fault]:
    """An audience that does not exist, and tags that saved segments of the audience have as names.

    A run checks the audience again, so an export can be saved while Mailchimp does not answer.
    """
    export = draft.export
    connection_id = export.connection_id
    if connection_id not in usable or connection_id is None or not is_id(export.audience_id):
        return []
    try:
        saved = saved_segments(context, connection_id, export.audience_id)
    except NotFound as missing:
        if missing.code != "audienceNotFound":  # someone deleted the connection at this moment
            return [Fault("connectionId", code="connectionUnknown")]
        values = {"audience": export.audience_id}
        return [Fault("audienceId", code="audienceNotFound", values=values)]
    except ConnectorError:
        return []
    taken = {plain_name(name) for name in saved}
    return [
        Fault(f"segments[{index}].tag", code="tagNameOfSegment", values={"tag": segment.tag_name})
        for index, segment in enumerate(export.segments)
        if plain_name(segment.tag_name) in taken
    ]


def delete(context: Context, export_id: str, if_match: str | None = None) -> None:
    """Delete an export and its ledger; contacts and tags in Mailchimp stay."""
    _, etag = _unchanged(context, export_id, if_match)

    def record(export: Export) -> None:
        recorded = recorded_export(export)
        audit.record(context, "export.delete", export_id, export.display_name, before=recorded)

    context.services.definitions.remove(export_id, etag, record)


def duplicate(context: Context, export_id: str) -> ExportDetails:
    """Copy an export with its list of excluded people; the schedule of the copy is off."""
    # A damaged list is an error: a copy without it would send people who must not be sent.
    excluded = context.services.exclusions.read(export_id)
    suffix = text(context.language, "api.copy")

    def write_excluded(copy_id: str) -> None:
        # Before the copy: if this process is killed in between, no copy is left without the list. The sweep deletes the list.
        if excluded:
            context.services.exclusions.write(copy_id, excluded)

    stored = context.services.definitions.duplicate(
        export_id, context.caller.name, suffix, write_excluded
    )
    stored = _without_deleted_connection(context, stored)
    copy = stored.value
    after = {**recorded_export(copy), "copyOf": export_id}
    audit.record(context, "export.create", copy.id, copy.display_name, after=after)
    return _with_others(context, stored)


def detach(context: Context, export_id: str, if_match: str | None = None) -> ExportDetails:
    """Remove the connection of an export, which then does not run until it gets another one."""
    before, etag = _unchanged(context, export_id, if_match)
    stored = context.services.definitions.detach(export_id, context.caller.name, etag)
    return _changed(context, "export.detach", before, stored)


def set_schedules(
    context: Context, chosen: Iterable[Export], schedule: Schedule
) -> list[tuple[Export, ConnectorError | None]]:
    """Give several exports one schedule. Returns each with the error that kept it unchanged, if any."""
    mine = usable_connections(context)
    done: list[tuple[Export, ConnectorError | None]] = []
    for export_id, export in {export.id: export for export in chosen}.items():
        try:
            refuse_late_change()
            before = context.services.definitions.read(export_id)
            export = before.value
            if export.connection_id is not None and export.connection_id not in mine:
                done.append((export, Conflict("connectionNotShared")))
                continue
            stored = context.services.definitions.change(
                export_id,
                Draft(replace(export, schedule=schedule)),
                context.caller.name,
                mine,
                etag=before.etag,
            )
        except (ConfigError, Conflict, Changed, NotFound, TimeUp) as error:
            # NotFound: someone deleted the export meanwhile.
            done.append((export, error))
            continue
        _record(context, "export.update", before.value, stored.value)
        done.append((stored.value, None))
    return done


def _unchanged(context: Context, export_id: str, if_match: str | None) -> tuple[Export, str | None]:
    """An export, and the ETag that a write must find. Changed if `if_match` has another one."""
    stored = context.services.definitions.read(export_id)
    return stored.value, refuse_changed(if_match, stored.etag, "exportChanged")


def _changed(
    context: Context, action: str, before: Export, stored: Stored[Export]
) -> ExportDetails:
    _record(context, action, before, stored.value)
    return _with_others(context, stored, saved=True)


def _record(context: Context, action: str, before: Export, after: Export) -> None:
    old, new = recorded_export(before), recorded_export(after)
    audit.record(context, action, after.id, after.display_name, before=old, after=new)


def _with_others(context: Context, stored: Stored[Export], *, saved: bool = False) -> ExportDetails:
    exports = (other.value for other in context.services.definitions.all())
    plain = _plain_segments(context, stored.value) if saved else []
    details = _details(stored, context.services.history.last_run(stored.value.id), exports, plain)
    missing = _missing(context, stored.value) if saved else []
    return replace(details, findings=(*details.findings, *missing))


def _missing(context: Context, export: Export) -> list[Finding]:
    """Segments and attributes of an export that the landing container does not have now.

    Customer Insights may write them later, so they are warnings. A run without them fails.
    """
    try:
        listing, attributes = context.services.catalogue.overview()
    except ConnectorError:
        return []
    names = export.segments_read
    is_complete = {info.name: info.complete for info in listing.segments}
    absent = [name for name in names if composed(name) not in is_complete]
    if absent:
        values = {"segments": ", ".join(absent)}
        return [Finding(Severity.WARNING, "segmentMissing", values=values)]
    if not all(is_complete[composed(name)] for name in names):
        return []  # their attributes are not known yet
    known = [info.name for info in attributes]
    return [
        Finding(Severity.WARNING, "attributeUnknown", values={"attribute": name})
        for name in _attributes(export)
        if find_name(name, known) is None
    ]


def _attributes(export: Export) -> list[str]:
    """The attributes that an export reads, each once."""
    fields = (choice.attribute for choice in chosen_fields(export.mapping))
    names = (export.mapping.email, *fields, export.new_contacts.consent_attribute)
    return [name for name in dict.fromkeys(names) if name]


def _plain_segments(context: Context, export: Export) -> list[str]:
    """The segments of an export with every refresh that no event announces. A run checks this again."""
    if not export.schedule.enabled or export.schedule.repeat is not Repeat.EVERY_REFRESH:
        return []
    try:
        plain = set(context.services.catalogue.plain())
    except ConnectorError:
        return []
    return [each.name for each in export.segments if composed(each.name) in plain]


def _details(
    stored: Stored[Export],
    last_run: Run | None,
    exports: Iterable[Export],
    plain: Iterable[str] = (),
) -> ExportDetails:
    export = stored.value
    return ExportDetails(
        export, etag_of(stored.etag), last_run, export_findings(export, exports, plain)
    )
