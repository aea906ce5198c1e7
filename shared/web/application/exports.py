"""Export definitions: create, change, duplicate, detach, delete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.errors import Changed, ConfigError, Conflict, ConnectorError, Fault, NotFound
from shared.exports.definitions import export_findings
from shared.model.export import Export, Repeat, Schedule
from shared.model.ports import Stored
from shared.model.run import Finding, Run
from shared.model.tag import folded
from shared.web.application import audit
from shared.web.application.connections import saved_segments, usable
from shared.web.application.etags import etag_of, refuse_changed
from shared.web.caller import Caller
from shared.web.models.exports import ExportBody, recorded_export
from shared.web.services import Services
from shared.web.texts import text

__all__ = [
    "ExportDetails",
    "change",
    "create",
    "delete",
    "detach",
    "duplicate",
    "list_all",
    "read",
    "set_schedules",
]

_CHANGED = "exportChanged"


@dataclass(frozen=True)
class ExportDetails:
    """An export, its newest run of any kind, and its findings."""

    export: Export
    etag: str
    last_run: Run | None
    findings: tuple[Finding, ...]


def list_all(services: Services) -> list[ExportDetails]:
    """Every export, by name."""
    found = services.definitions.all()
    exports = [stored.value for stored in found]
    last_runs = services.history.last_runs(export.id for export in exports)
    return [_details(stored, last_runs.get(stored.value.id), exports) for stored in found]


def read(services: Services, export_id: str, *, saved: bool = False) -> ExportDetails:
    """One export. NotFound.

    With `saved`, the findings include those that need a listing of the landing container.
    """
    return _with_others(services, services.definitions.read(export_id), saved=saved)


def create(services: Services, caller: Caller, body: ExportBody) -> ExportDetails:
    """Create an export; this does not run it. ConfigError with every fault, Conflict for a taken tag."""
    faults = [*body.faults, *_audience_faults(services, caller, body)]
    if body.connection_id is None and "connectionId" not in body.unread:
        faults.append(Fault("connectionId", code="connectionRequired"))
    stored = services.definitions.create(
        body.draft(), caller.name, usable(services, caller), body.unread, faults
    )
    after = recorded_export(stored.value)
    name = stored.value.display_name
    audit.record(services, caller, "export.create", stored.value.id, name, None, after)
    return _with_others(services, stored, saved=True)


def change(
    services: Services,
    caller: Caller,
    export_id: str,
    body: ExportBody,
    if_match: str | None = None,
) -> ExportDetails:
    """Replace a definition. ConfigError with every fault, Conflict, Changed."""
    before = services.definitions.read(export_id)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    stored = services.definitions.change(
        export_id,
        body.draft(),
        caller.name,
        usable(services, caller),
        body.unread,
        [*body.faults, *_audience_faults(services, caller, body)],
        etag,
    )
    return _changed(services, caller, "export.update", before, stored)


def _audience_faults(services: Services, caller: Caller, body: ExportBody) -> list[Fault]:
    """An audience that does not exist, and tags that saved segments of the audience have as names.

    A run checks this again, so an export can be saved while Mailchimp does not answer.
    """
    draft = body.draft()
    if body.unread or body.faults or draft.connection_id not in usable(services, caller):
        return []
    try:
        saved = saved_segments(services, caller, draft.connection_id, draft.audience_id)
    except NotFound:
        return [
            Fault("audienceId", code="audienceNotFound", values={"audience": draft.audience_id})
        ]
    except ConnectorError:
        return []
    taken = {folded(name) for name in saved}
    return [
        Fault(f"segments[{index}].tag", code="tagNameOfSegment", values={"tag": segment.tag_name})
        for index, segment in enumerate(draft.segments)
        if folded(segment.tag_name) in taken
    ]


def delete(services: Services, caller: Caller, export_id: str, if_match: str | None = None) -> None:
    """Delete an export and its ledger; contacts and tags in Mailchimp stay."""
    before = services.definitions.read(export_id)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    export = services.definitions.remove(export_id, etag)
    recorded = recorded_export(export)
    audit.record(services, caller, "export.delete", export_id, export.display_name, recorded, None)


def duplicate(services: Services, caller: Caller, export_id: str) -> ExportDetails:
    """Copy an export with its list of excluded people; the schedule of the copy is off."""
    excluded = services.exclusions.read(export_id)  # a damaged list makes no copy without it
    suffix = text(caller.language, "api.copy")
    stored = services.definitions.duplicate(export_id, caller.name, suffix)
    copy = stored.value
    if excluded:
        services.exclusions.write(copy.id, excluded)
    after = {**recorded_export(copy), "copyOf": export_id}
    audit.record(services, caller, "export.create", copy.id, copy.display_name, None, after)
    return _with_others(services, stored)


def detach(
    services: Services, caller: Caller, export_id: str, if_match: str | None = None
) -> ExportDetails:
    """Remove the connection of an export, which then does not run until it gets another one."""
    before = services.definitions.read(export_id)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    stored = services.definitions.detach(export_id, caller.name, etag)
    return _changed(services, caller, "export.detach", before, stored)


def set_schedules(
    services: Services, caller: Caller, chosen: Iterable[Export], schedule: Schedule
) -> list[tuple[Export, ConnectorError | None]]:
    """Give several exports one schedule. Returns each with the error that kept it unchanged, if any."""
    mine = usable(services, caller)
    done: list[tuple[Export, ConnectorError | None]] = []
    for export_id, export in {export.id: export for export in chosen}.items():
        try:
            before = services.definitions.read(export_id)
            export = before.value
            if export.connection_id is not None and export.connection_id not in mine:
                done.append((export, Conflict("connectionNotShared")))
                continue
            stored = services.definitions.change(
                export_id, replace(export, schedule=schedule), caller.name, mine, etag=before.etag
            )
        except (ConfigError, Conflict, Changed, NotFound) as error:
            # NotFound: someone deleted the export meanwhile.
            done.append((export, error))
            continue
        _record_change(services, caller, "export.update", before, stored)
        done.append((stored.value, None))
    return done


def _changed(
    services: Services, caller: Caller, action: str, before: Stored[Export], stored: Stored[Export]
) -> ExportDetails:
    _record_change(services, caller, action, before, stored)
    return _with_others(services, stored, saved=True)


def _record_change(
    services: Services, caller: Caller, action: str, before: Stored[Export], stored: Stored[Export]
) -> None:
    export = stored.value
    audit.record(
        services,
        caller,
        action,
        export.id,
        export.display_name,
        recorded_export(before.value),
        recorded_export(export),
    )


def _with_others(
    services: Services, stored: Stored[Export], *, saved: bool = False
) -> ExportDetails:
    exports = (other.value for other in services.definitions.all())
    plain = _plain_segments(services, stored.value) if saved else []
    return _details(stored, services.history.last_run(stored.value.id), exports, plain)


def _plain_segments(services: Services, export: Export) -> list[str]:
    """The segments of an export with every refresh that no event announces. A run checks this again."""
    if not export.schedule.enabled or export.schedule.repeat is not Repeat.EVERY_REFRESH:
        return []
    try:
        plain = set(services.catalogue.plain())
    except ConnectorError:
        return []
    return [segment.name for segment in export.segments if segment.name in plain]


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
