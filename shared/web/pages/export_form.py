"""Configure an export: the second step of setting up, and editing.

What the form shows is the body that the interface takes. Buttons that only change the form (add
or remove an attribute, look for audiences) send it and get it back, so it works without a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.errors import ConnectorError
from shared.model.connection import Connection, ConnectionStatus
from shared.model.export import Export
from shared.web.api import connections as connection_interface
from shared.web.api import exports as interface
from shared.web.api import runs as run_interface
from shared.web.call import Call
from shared.web.http import Response, redirect
from shared.web.models.exports import export_view
from shared.web.models.runs import reason_view
from shared.web.needs import AttributeInfo, SegmentInfo
from shared.web.pages.forms import Answer, Form, ask, form_of
from shared.web.pages.render import page
from shared.web.pages.schedule_form import schedule_body
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.routes import Route

__all__ = ["ROUTES"]

Body = dict[str, Any]

# How many rows of attributes a form may say it has: one more than the interface takes.
_ROWS = frozenset(str(number) for number in range(102))


@dataclass(frozen=True)
class Choices:
    """What a form offers; what cannot be asked now is empty, and `troubles` say why."""

    connections: Sequence[Connection]
    segments: Sequence[SegmentInfo] = ()
    attributes: Sequence[AttributeInfo] = ()
    audiences: Sequence[dict[str, Any]] = ()
    fields: Sequence[dict[str, Any]] = ()
    troubles: Sequence[str] = field(default_factory=tuple)


def _empty(connection: str | None) -> Body:
    return {
        "displayName": "",
        "connectionId": connection,
        "audienceId": "",
        "mapping": {"email": "", "firstName": None, "lastName": None, "attributes": []},
        "segments": [],
        "newContacts": {"status": "audienceDefault", "consentAttribute": None},
        "leavers": "removeTag",
        "removalGuard": {"maxShare": 0.3},
        "schedule": {
            "enabled": True,
            "repeat": "everyRefresh",
            "days": [],
            "times": [],
            "timeZone": "UTC",
        },
    }


def _body_of(export: Export, language: str) -> Body:
    shown: Body = export_view(export, None, language).shown()
    return {name: shown[name] for name in _empty(None)}


def body_from(form: Form) -> Body:
    """The interface's body for what stands in the form."""
    return {
        "displayName": form.get("displayName"),
        "connectionId": form.get("connectionId") or None,
        "audienceId": form.get("audienceId"),
        "mapping": {
            "email": form.get("email"),
            "firstName": form.get("firstName") or None,
            "lastName": form.get("lastName") or None,
            "attributes": list(_attributes(form)),
        },
        "segments": [
            {"name": name, "tag": form.get(f"tag:{name}") or None} for name in form.all("segment")
        ],
        "newContacts": {
            "status": form.get("newStatus") or "audienceDefault",
            "consentAttribute": form.get("consentAttribute") or None,
        },
        "leavers": form.get("leavers") or "removeTag",
        "removalGuard": {"maxShare": _share(form.get("maxShare"))},
        "schedule": schedule_body(form),
    }


def _share(percent: str) -> object:
    """Percent as people write it, as a share; what is no number is left for the interface."""
    try:
        return float(percent) / 100
    except ValueError:
        return percent


def _attributes(form: Form) -> Iterable[Body]:
    """The rows of further attributes, but the one that is to be removed."""
    sent = form.get("attributes")
    rows = int(sent) if sent in _ROWS else 0
    for number in range(rows):
        if form.get("do") == f"removeAttribute-{number}":
            continue
        attribute = form.get(f"attribute-{number}")
        tag = form.get(f"field-{number}").upper()
        create = None
        if form.has(f"create-{number}"):
            create = {"name": attribute, "type": form.get(f"type-{number}") or "text"}
        yield {
            "attribute": attribute,
            "mergeField": tag,
            "create": create,
            "part": form.get(f"part-{number}") or None,
            "dateOrder": form.get(f"dateOrder-{number}") or None,
        }


def _choices(call: Call, body: Body) -> Choices:
    """What can be chosen now. What does not answer leaves a plain field to type into."""
    troubles: list[str] = []
    connections = [
        stored.value
        for stored in call.desk.connections_kept.all()
        if connection_interface.may_use(call, stored.value)
        or stored.value.id == body["connectionId"]
    ]
    segments: Sequence[SegmentInfo] = ()
    attributes: Sequence[AttributeInfo] = ()
    try:
        listing = call.desk.catalogue.listing()
        segments = listing.segments
        troubles += [reason_view(each, call.language).message for each in listing.faults]
        attributes = call.desk.catalogue.attributes(None)
    except ConnectorError as error:
        troubles.append(str(error))
    audiences: Sequence[dict[str, Any]] = ()
    fields: Sequence[dict[str, Any]] = ()
    chosen = next((c for c in connections if c.id == body["connectionId"]), None)
    if chosen and chosen.status is ConnectionStatus.CONNECTED:
        audiences = _asked(call, chosen.id, "", troubles)
        if body["audienceId"] in {audience["id"] for audience in audiences}:
            fields = _asked(call, chosen.id, body["audienceId"], troubles)
    return Choices(connections, segments, attributes, audiences, fields, troubles)


def _asked(call: Call, connection: str, audience: str, troubles: list[str]) -> list[dict[str, Any]]:
    """Audiences of the account, or the merge fields of one."""

    params = {"id": connection, "audienceId": audience}
    endpoint = connection_interface.merge_fields if audience else connection_interface.audiences
    try:
        answer = ask(replace(call, params=params), endpoint)
    except HttpProblem as problem:
        troubles.append(problem.detail or problem.kind)
        return []
    if answer.response is None:
        troubles.append(answer.message)
        return []
    listed: Any = answer.response.json()
    return list(listed["value"])


def _suggested(body: Body, attributes: Sequence[AttributeInfo]) -> Body:
    """A new export's mapping, filled with what the attributes seem to be good for."""
    mapping = dict(body["mapping"])
    for info in attributes:
        name = info.suggested_for
        if name in ("email", "firstName", "lastName") and not mapping[name]:
            mapping[name] = info.name
    return {**body, "mapping": mapping}


def _form(
    call: Call,
    body: Body,
    export_id: str | None,
    *,
    answer: Answer | None = None,
    suggest: bool = False,
    etag: str = "",
) -> Response:
    choices = _choices(call, body)
    if suggest:
        body = _suggested(body, choices.attributes)
    usable = [c for c in choices.connections if c.status is ConnectionStatus.CONNECTED]
    if suggest and not body["connectionId"] and len(usable) == 1:
        body = {**body, "connectionId": usable[0].id}
        choices = _choices(call, body)
    members = {info.name: info.member_count or 0 for info in choices.segments}
    chosen = {segment["name"]: segment for segment in body["segments"]}
    known = [info.name for info in choices.segments]
    return page(
        call,
        "export_form.html",
        status=400 if answer and answer.message else 200,
        body=body,
        choices=choices,
        export_id=export_id,
        chosen=chosen,
        reasons={
            info.name: reason_view(info.reason, call.language).message
            for info in choices.segments
            if info.reason
        },
        places={segment["name"]: place for place, segment in enumerate(body["segments"])},
        strangers=[name for name in chosen if name not in known],
        total=sum(members.get(name, 0) for name in chosen),
        limit=call.desk.max_profiles,
        message=answer.message if answer else "",
        faults=dict(answer.faults) if answer else {},
        etag=etag,
    )


def show_new(call: Call) -> Response:
    """An empty form; what can be guessed is filled in."""
    return _form(call, _empty(call.request.query.get("connection") or None), None, suggest=True)


def show_edit(call: Call) -> Response:
    """The form of an export."""
    export = call.desk.definitions.read(call.id).value
    return _form(call, _body_of(export, call.language), call.id)


def save_new(call: Call) -> Response:
    """Keep a new export."""
    return _save(call, None)


def save_edit(call: Call) -> Response:
    """Change an export."""
    return _save(call, call.id)


def _save(call: Call, export_id: str | None) -> Response:
    form = form_of(call)
    body, action = body_from(form), form.get("do")
    if action == "addAttribute":
        body["mapping"]["attributes"].append(
            {"attribute": "", "mergeField": "", "create": None, "part": None, "dateOrder": None}
        )
    if action not in ("save", "saveAndRun"):
        return _form(call, body, export_id)
    answer = ask(call, interface.change if export_id else interface.create, body)
    if answer.response is None:
        return _form(call, body, export_id, answer=answer)
    saved: Any = answer.response.json()
    if action == "saveAndRun":
        started = ask(replace(call, params={"id": saved["id"]}), run_interface.start)
        # What is to be said about the export stands on its own page.
        if started.response is not None and not saved["findings"]:
            return redirect(f"/runs/{started.response.headers['Location'].rpartition('/')[2]}")
    return redirect(f"/exports/{saved['id']}?done=saved")


ROUTES = (
    Route("GET", "/setup/export", Role.CONTRIBUTOR, show_new, "Set up an export", is_page=True),
    Route("POST", "/setup/export", Role.CONTRIBUTOR, save_new, "Keep an export", is_page=True),
    Route("GET", "/exports/{id}/edit", Role.CONTRIBUTOR, show_edit, "Edit an export", is_page=True),
    Route(
        "POST", "/exports/{id}/edit", Role.CONTRIBUTOR, save_edit, "Change an export", is_page=True
    ),
)
