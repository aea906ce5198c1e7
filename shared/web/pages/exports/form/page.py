"""Configure an export: the second step of setting up, and editing.

The form shows a definition with the names of the JSON API. Buttons that only change the form (add or remove
an attribute, look for audiences) send it and get it back, so it works without a script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.connection import Connection, ConnectionStatus
from shared.model.export import MAX_SEGMENTS, Export, Mapping
from shared.model.run import Mode
from shared.segments.choosing.catalogue import AttributeInfo, SegmentInfo, SegmentSample
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import exports, runs
from shared.web.application.exports import ExportDetails
from shared.web.authentication import Role
from shared.web.models.exports.body import ExportBody
from shared.web.models.exports.view import recorded_export
from shared.web.pages.conflicts import ConflictingField, conflicting_fields
from shared.web.pages.exports.form.choices import offered_connections, read_choices
from shared.web.pages.exports.form.definition import (
    NEW_FIELD,
    Definition,
    attribute_number,
    definition_from,
    field_id,
    row_name,
)
from shared.web.pages.exports.form.mapping_rows import mapping_rows
from shared.web.pages.forms import NO_ERRORS, Form, FormErrors, SentForm
from shared.web.pages.labels import field_label, field_position
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.schedule.fields import coming_runs, schedule_of
from shared.web.parameters import Id
from shared.web.texts import text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

# With more attributes, an attribute is a text field with suggestions and not a list.
_MOST_LISTED = 40


def _empty(connection_id: str | None) -> Definition:
    """The definition of a new export: the defaults, without a choice."""
    return recorded_export(Export("", "", connection_id, "", Mapping(email=""), segments=()))


def _sample(page: Page, segments: Sequence[str]) -> SegmentSample | None:
    """Values of the chosen segments; the form works without them."""
    try:
        return page.services.catalogue.sample(segments)
    except ConnectorError:
        return None


def _with_only_connection(definition: Definition, offered: Sequence[Connection]) -> Definition:
    """A new export uses the connection that is connected, if there is only one."""
    connected = [c for c in offered if c.status is ConnectionStatus.CONNECTED]
    if definition["connectionId"] or len(connected) != 1:
        return definition
    return {**definition, "connectionId": connected[0].id}


def _suggested(definition: Definition, attributes: Sequence[AttributeInfo]) -> Definition:
    """The mapping of a new export, filled with the attributes that suit it."""
    mapping = dict(definition["mapping"])
    for info in attributes:
        name = info.suggested_for
        if name in ("email", "firstName", "lastName") and not mapping[name]:
            mapping[name] = info.name
    return {**definition, "mapping": mapping}


def _form(
    page: Page,
    definition: Definition,
    export_id: str | None = None,
    *,
    etag: str = "",
    errors: FormErrors = NO_ERRORS,
    suggest: bool = False,
    focus: str = "",
) -> Response:
    """Show the form. `focus` is the id of the element that gets the focus."""
    offered = offered_connections(page, definition["connectionId"])
    if suggest:
        definition = _with_only_connection(definition, offered)
    choices = read_choices(page, definition, offered)
    if suggest:
        definition = _suggested(definition, choices.attributes)
    conflict = None
    if errors.is_outdated and export_id:
        saved = exports.read(page.context, export_id)
        conflict = _conflict(page, saved.export, definition, offered)
        etag = saved.etag
    saved_export = page.services.definitions.find(export_id) if export_id else None
    listed, excludable = _in_order(choices.segments, saved_export)
    choices = replace(choices, segments=listed)
    schedule = definition["schedule"]
    members = {info.name: info.member_count or 0 for info in choices.segments}
    chosen = {segment["name"]: segment for segment in definition["segments"]}
    known = [info.name for info in choices.segments]
    summary = [
        (field_id(path, definition, known), _fault_label(path, definition, page.language), words)
        for path, words in sorted(errors.faults.items(), key=lambda one: field_position(one[0]))
    ]
    return page.render(
        "exports/form.html",
        errors=errors,
        focus="errors" if errors.message and conflict is None else focus,
        summary=summary,
        mapped=mapping_rows(
            definition["mapping"],
            choices.attributes,
            choices.fields,
            _sample(page, list(chosen)) if choices.attributes else None,
            page.language,
        ),
        new_field=NEW_FIELD,
        zone_of_browser=suggest,
        coming=coming_runs(schedule_of(schedule), page.services.clock(), page.language),
        with_refresh=schedule["enabled"] and schedule["repeat"] == "everyRefresh",
        is_listed=len(choices.attributes) <= _MOST_LISTED,
        body=definition,
        choices=choices,
        excludable=excludable,
        export_id=export_id,
        chosen=chosen,
        positions={segment["name"]: at for at, segment in enumerate(definition["segments"])},
        unknown=[name for name in chosen if name not in known],
        total=sum(members.get(name, 0) for name in chosen),
        limit=page.services.max_profiles,
        most_segments=MAX_SEGMENTS,
        conflict=conflict,
        etag=etag,
        path=f"/exports/{export_id}/edit" if export_id else "/setup/export",
    )


def _in_order(
    segments: Sequence[SegmentInfo], saved: Export | None
) -> tuple[list[SegmentInfo], list[SegmentInfo]]:
    """The segments to choose, and those to exclude. Both lists begin with those of the saved export.

    The saved export decides and not the form, so that no row moves while a person edits the form.
    """
    chosen = {one.name for one in saved.segments} if saved else set()
    excluded = set(saved.exclusion_segments) if saved else set()
    return (
        sorted(segments, key=lambda info: info.name not in chosen),
        sorted(segments, key=lambda info: info.name not in excluded),
    )


def _conflict(
    page: Page, saved: Export, definition: Definition, offered: Sequence[Connection]
) -> list[ConflictingField]:
    """The fields in which a form differs from the definition that someone else has saved."""
    names = {connection.id: connection.display_name for connection in offered}
    return conflicting_fields(recorded_export(saved), definition, page.language, names)


def _fault_label(path: str, definition: Definition, language: str) -> str:
    """The label of a field, or the attribute or segment of its row; "" for a fault of several fields."""
    if name := row_name(path, definition):
        return name
    if number := attribute_number(path):
        return text(language, "pages.form.attribute", {"number": str(number)})
    field = re.sub(r"\[\d+\]", "", path)
    label = field_label(field, language)
    return "" if label == field else label


@router.get("/setup/export")
@requires(Role.CONTRIBUTOR)
def show_new(page: CurrentPage, connection: Annotated[str, Query()] = "") -> Response:
    """A form for a new export, filled with suggestions."""
    return _form(page, _empty(connection or None), suggest=True)


@router.get("/exports/{id:id}/edit")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def show_edit(export_id: Id, page: CurrentPage) -> Response:
    """The form of an export."""
    details = exports.read(page.context, export_id)
    return _form(page, recorded_export(details.export), export_id, etag=details.etag)


@router.post("/setup/export")
@requires(Role.CONTRIBUTOR)
def save_new(page: CurrentPage, form: SentForm) -> Response:
    """Create an export."""
    return _save(page, form, None)


@router.post("/exports/{id:id}/edit")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def save_edit(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Change an export."""
    return _save(page, form, export_id)


def _all_segments(page: Page, form: Form, action: str) -> list[Definition]:
    """Every segment that can be exported, with the tags of the form, or no segment."""
    if action == "selectNone":
        return []
    return [
        {"name": info.name, "tag": form.get(f"tag:{info.name}") or None}
        for info in page.services.catalogue.listing().segments
    ]


def _change(page: Page, form: Form, definition: Definition, action: str) -> str:
    """Change a definition as a button of the form does. Returns the id of the element that gets the focus."""
    if action == "addAttribute":
        attributes = definition["mapping"]["attributes"]
        attributes.append({"attribute": "", "mergeField": "", "create": None})
        return f"attribute-{len(attributes) - 1}"
    if action in ("selectAll", "selectNone"):
        definition["segments"] = _all_segments(page, form, action)
        return "selectAll"
    return {"": "", "look": "audienceId"}.get(action, "addAttribute")


def _save(page: Page, form: Form, export_id: str | None) -> Response:
    definition, action = definition_from(form), form.get("do")
    if action not in ("save", "saveAndRun"):
        focus = _change(page, form, definition, action)
        return _form(page, definition, export_id, etag=form.get("etag"), focus=focus)

    if export_id is not None and page.services.definitions.find(export_id) is None:
        # Saving the form again creates an export.
        return _form(
            page, definition, errors=FormErrors(404, text(page.language, "pages.gone.form"))
        )

    def save() -> ExportDetails:
        body = ExportBody.from_form(definition)
        if export_id is None:
            return exports.create(page.context, body)
        return exports.change(page.context, export_id, body, form.etag)

    saved = page.attempt(save)
    if isinstance(saved, FormErrors):
        return _form(page, definition, export_id, etag=form.get("etag"), errors=saved)
    saved_id = saved.export.id
    if action == "saveAndRun":
        run = page.attempt(lambda: runs.start(page.context, saved_id, Mode.EXPORT))
        if isinstance(run, FormErrors):
            return redirect(f"/exports/{saved_id}?done=savedNotRun")
        # The page of the export shows its findings.
        return redirect(
            f"/exports/{saved_id}?done=savedAndRun" if saved.findings else f"/runs/{run.id}"
        )
    return redirect(f"/exports/{saved_id}?done=saved")
