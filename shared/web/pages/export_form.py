"""Configure an export: the second step of setting up, and editing.

The form shows a definition with the names of the JSON API. Buttons that only change the form (add or remove
an attribute, look for audiences) send it and get it back, so it works without a script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.fields.merge_fields import proper_tag
from shared.model.audience import Audience, MergeField
from shared.model.connection import Connection, ConnectionStatus
from shared.model.export import Export, Mapping
from shared.model.run import Mode
from shared.segments.catalogue import AttributeInfo, SegmentInfo, SegmentSample
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import connections, exports, runs
from shared.web.application.exports import ExportDetails
from shared.web.authentication import Role
from shared.web.dependencies import Id
from shared.web.models.exports import ExportBody, recorded_export
from shared.web.models.runs import in_words
from shared.web.pages.conflicts import differences
from shared.web.pages.export_consent import consent_fields, evidence_fields, withdrawal_fields
from shared.web.pages.export_guards import guard_fields
from shared.web.pages.forms import NO_REFUSAL, Form, Refusal, SentForm, attempt
from shared.web.pages.mapping_rows import mapping_rows
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.schedule_form import coming_runs, schedule_fields, schedule_of
from shared.web.problems import HttpProblem, detail_text, for_error

__all__ = ["router"]

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

T = TypeVar("T")
Definition = dict[str, Any]

# The choice of a field that the audience does not have yet.
NEW_FIELD = "+"

_ATTRIBUTE = re.compile(r"mapping\.attributes\[(\d+)\](?:\.(.+))?")
_ATTRIBUTE_FIELDS = {"attribute": "attribute", "create.name": "newField", "create.type": "type"}
_SEGMENT = re.compile(r"segments\[(\d+)\](?:\..+)?")

# With more attributes, an attribute is a text field with suggestions and not a list.
_MOST_LISTED = 40

# How many rows of attributes a form may have: one more than a definition.
_ROWS = frozenset(str(number) for number in range(102))


@dataclass(frozen=True)
class Choices:
    """The choices of a form; a list that cannot be read is empty, and `troubles` has the reason."""

    connections: Sequence[Connection]
    segments: Sequence[SegmentInfo] = ()
    attributes: Sequence[AttributeInfo] = ()
    audiences: Sequence[Audience] = ()
    fields: Sequence[MergeField] = ()
    troubles: Sequence[str] = ()


def _empty(connection_id: str | None) -> Definition:
    """The definition of a new export: the defaults, without a choice."""
    return recorded_export(Export("", "", connection_id, "", Mapping(email=""), segments=()))


def definition_from(form: Form) -> Definition:
    """The definition that the form shows."""
    return {
        "displayName": form.get("displayName"),
        "connectionId": form.get("connectionId") or None,
        "audienceId": form.get("audienceId"),
        "mapping": {
            "email": form.get("email"),
            "firstName": form.get("firstName") or None,
            "lastName": form.get("lastName") or None,
            "attributes": list(_attributes(form)),
            **evidence_fields(form),
        },
        "segments": [
            {"name": name, "tag": form.get(f"tag:{name}") or None} for name in form.all("segment")
        ],
        "newContacts": {
            "status": form.get("newStatus") or "audienceDefault",
            **consent_fields(form),
        },
        "leavers": form.get("leavers") or "removeTag",
        **withdrawal_fields(form),
        "removalGuard": {"maxShare": form.share("maxShare")},
        **guard_fields(form),
        "schedule": schedule_fields(form),
    }


def _attributes(form: Form) -> Iterable[Definition]:
    """The rows of further attributes, except the one to remove."""
    sent = form.get("attributes")
    rows = int(sent) if sent in _ROWS else 0
    for number in range(rows):
        if form.get("do") == f"removeAttribute-{number}":
            continue
        attribute = form.get(f"attribute-{number}")
        tag = form.get(f"field-{number}").upper()
        is_new = tag == NEW_FIELD
        if is_new:
            tag = form.get(f"newField-{number}").upper() or proper_tag(attribute)
        create = None
        # A field that the export created keeps its definition, so that it is created again if it is deleted.
        created = tag != "" and tag == form.get(f"created-{number}")
        if is_new or created or form.has(f"create-{number}"):
            create = {"name": attribute, "type": form.get(f"type-{number}") or "text"}
        yield {
            "attribute": attribute,
            "mergeField": tag,
            "create": create,
            "part": form.get(f"part-{number}") or None,
            "dateOrder": form.get(f"dateOrder-{number}") or None,
        }


def _choices(page: Page, definition: Definition) -> Choices:
    """Read the available choices. A field without choices becomes a plain text field."""
    services, troubles = page.services, list[str]()
    offered = [
        stored.value
        for stored in services.connections.all()
        if connections.may_use(page.context, stored.value)
        or stored.value.id == definition["connectionId"]
    ]
    segments, attributes = _offered(page, troubles)
    audiences: Sequence[Audience] = ()
    fields: Sequence[MergeField] = ()
    chosen = next((c for c in offered if c.id == definition["connectionId"]), None)
    if chosen and chosen.status is ConnectionStatus.CONNECTED:
        audience_id = definition["audienceId"]

        def read_audiences() -> Sequence[Audience]:
            return connections.audiences(page.context, chosen.id)

        def read_fields() -> Sequence[MergeField]:
            return connections.merge_fields(page.context, chosen.id, audience_id)

        audiences = _available(page, read_audiences, troubles)
        if audience_id in {audience.id for audience in audiences}:
            fields = _available(page, read_fields, troubles)
    return Choices(offered, segments, attributes, audiences, fields, tuple(dict.fromkeys(troubles)))


def _offered(
    page: Page, troubles: list[str]
) -> tuple[Sequence[SegmentInfo], Sequence[AttributeInfo]]:
    """Every segment and attribute, read at once; what could not be read becomes a trouble."""
    try:
        listing, attributes = page.services.catalogue.overview()
    except ConnectorError as error:
        troubles.append(detail_text(for_error(error), page.language))
        return (), ()
    troubles += [in_words(fault, page.language) for fault in listing.faults]
    return listing.segments, attributes


def _available(page: Page, read: Callable[[], Sequence[T]], troubles: list[str]) -> Sequence[T]:
    """Read choices; when they are unavailable, return nothing and add the reason to the troubles."""
    try:
        return read()
    except (ConnectorError, HttpProblem) as error:
        troubles.append(detail_text(for_error(error), page.language))
        return ()


def _sample(page: Page, segments: Sequence[str]) -> SegmentSample | None:
    """Values of the chosen segments; the form works without them."""
    try:
        return page.services.catalogue.sample(segments)
    except ConnectorError:
        return None


def field_id(path: str, chosen: Iterable[str], known: Sequence[str]) -> str:
    """The id of the form field for a path of the definition."""
    if row := _ATTRIBUTE.fullmatch(path):
        return f"{_ATTRIBUTE_FIELDS.get(row[2] or '', 'field')}-{row[1]}"
    if segment := _SEGMENT.fullmatch(path):
        name = next((n for at, n in enumerate(chosen) if at == int(segment[1])), "")
        return f"tag-{known.index(name) + 1}" if name in known else "segments"
    if path.startswith("schedule."):
        field = re.sub(r"\[\d+\]", "", path.removeprefix("schedule."))
        return {"times": "time-0", "days": "day-monday", "timeZone": "timeZone"}.get(
            field, "repeat"
        )
    return path.rpartition(".")[2]


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
    refusal: Refusal = NO_REFUSAL,
    suggest: bool = False,
    focus: str = "",
) -> Response:
    """Show the form. `focus` is the id of the element that gets the focus."""
    choices = _choices(page, definition)
    if suggest:
        definition = _suggested(definition, choices.attributes)
    connected = [c for c in choices.connections if c.status is ConnectionStatus.CONNECTED]
    if suggest and not definition["connectionId"] and len(connected) == 1:
        definition = {**definition, "connectionId": connected[0].id}
        choices = _choices(page, definition)
    conflict = None
    if refusal.is_outdated and export_id:
        saved = exports.read(page.context, export_id)
        names = {connection.id: connection.display_name for connection in choices.connections}
        conflict = differences(recorded_export(saved.export), definition, page.language, names)
        etag = saved.etag
    schedule = definition["schedule"]
    members = {info.name: info.member_count or 0 for info in choices.segments}
    chosen = {segment["name"]: segment for segment in definition["segments"]}
    known = [info.name for info in choices.segments]
    summary = [(field_id(path, chosen, known), words) for path, words in refusal.faults.items()]
    return page.render(
        "export_form.html",
        refusal=refusal,
        focus="errors" if refusal.message and conflict is None else focus,
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
        reasons={
            info.name: in_words(info.reason, page.language)
            for info in choices.segments
            if info.reason
        },
        export_id=export_id,
        chosen=chosen,
        positions={segment["name"]: at for at, segment in enumerate(definition["segments"])},
        unknown=[name for name in chosen if name not in known],
        total=sum(members.get(name, 0) for name in chosen),
        limit=page.services.max_profiles,
        conflict=conflict,
        etag=etag,
    )


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


def _save(page: Page, form: Form, export_id: str | None) -> Response:
    definition, action = definition_from(form), form.get("do")
    focus = {"": "", "look": "audienceId"}.get(action, "addAttribute")
    if action == "addAttribute":
        focus = f"attribute-{len(definition['mapping']['attributes'])}"
        definition["mapping"]["attributes"].append(
            {"attribute": "", "mergeField": "", "create": None}
        )
    if action in ("selectAll", "selectNone"):
        definition["segments"], focus = _all_segments(page, form, action), "selectAll"
    if action not in ("save", "saveAndRun"):
        return _form(page, definition, export_id, etag=form.get("etag"), focus=focus)

    def save() -> ExportDetails:
        body = ExportBody.from_form(definition)
        if export_id is None:
            return exports.create(page.context, body)
        return exports.change(page.context, export_id, body, form.etag)

    saved = attempt(page, save)
    if isinstance(saved, Refusal):
        return _form(page, definition, export_id, etag=form.get("etag"), refusal=saved)
    saved_id = saved.export.id
    if action == "saveAndRun":
        run = attempt(page, lambda: runs.start(page.context, saved_id, Mode.EXPORT))
        # The page of the export shows its findings.
        if not isinstance(run, Refusal) and not saved.findings:
            return redirect(f"/runs/{run.id}")
    return redirect(f"/exports/{saved_id}?done=saved")
