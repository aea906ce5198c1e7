"""Export definitions over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import Fault
from shared.exports.definitions import meetings
from shared.model.export import Export
from shared.model.ports import Stored, readable
from shared.web.api.answers import listed, shown
from shared.web.api.connections import usable
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.exports import (
    ExportBody,
    ExportParts,
    ExportView,
    export_draft,
    export_view,
)
from shared.web.principal import Role
from shared.web.routes import Route
from shared.web.texts import text

__all__ = ["ROUTES"]

# What the app adds to a definition: not a change that somebody makes.
_OURS = frozenset({"id", "findings", "lastRun", "createdAt", "createdBy", "updatedAt", "updatedBy"})


def _view(call: Call, export: Export, exports: Iterable[Export]) -> ExportView:
    last = call.desk.last_run(export.id)
    return export_view(export, last, call.language, meetings(export, exports))


def _shown(call: Call, stored: Stored[Export], status: int = 200) -> Response:
    location = {"Location": f"/api/exports/{stored.value.id}"} if status == 201 else {}
    exports = (other.value for other in call.desk.exports.all())
    view = _view(call, stored.value, exports)
    return shown(view, call, stored.etag, status=status, headers=location)


def _audited(call: Call, export: Export) -> dict[str, object]:
    """A definition holds no person's data; who wrote it is the entry's own business."""
    content = export_view(export, None, call.language).shown()
    return {name: value for name, value in content.items() if name not in _OURS}


def list_all(call: Call) -> Response:
    """Every export, by name."""
    exports = sorted(
        (stored.value for stored in readable(call.desk.exports.all())),
        key=lambda export: (export.display_name.casefold(), export.id),
    )
    return listed([_view(call, export, exports) for export in exports], call)


def create(call: Call) -> Response:
    """Keep a new export. It does not run by being kept."""
    body, found, unread = call.parts(ExportParts, ExportBody)
    if body.connection_id is None and "connectionId" not in unread:
        found.append(Fault("connectionId", "Choose a connection.", "connectionRequired"))
    stored = call.desk.definitions.create(
        export_draft(body), call.principal.name, usable(call), unread, found
    )
    after = _audited(call, stored.value)
    call.audit("export.create", stored.value.id, stored.value.display_name, None, after)
    return _shown(call, stored, 201)


def read(call: Call) -> Response:
    """One export."""
    return _shown(call, call.desk.definitions.read(call.id))


def change(call: Call) -> Response:
    """Replace what people write of an export."""
    before = call.desk.definitions.read(call.id)
    etag = call.matched(before.etag)
    body, found, unread = call.parts(ExportParts, ExportBody)
    stored = call.desk.definitions.change(
        call.id, export_draft(body), call.principal.name, usable(call), unread, found, etag
    )
    return _changed(call, "export.update", before, stored)


def remove(call: Call) -> Response:
    """Remove an export; what it put into Mailchimp stays there."""
    before = call.desk.definitions.read(call.id)
    export = call.desk.definitions.remove(call.id, call.matched(before.etag))
    call.audit("export.delete", call.id, export.display_name, _audited(call, export), None)
    return Response(204)


def duplicate(call: Call) -> Response:
    """A copy that does not run by itself yet."""
    suffix = text(call.language, "api.copy")
    stored = call.desk.definitions.duplicate(call.id, call.principal.name, suffix)
    after = {**_audited(call, stored.value), "copyOf": call.id}
    call.audit("export.create", stored.value.id, stored.value.display_name, None, after)
    return _shown(call, stored, 201)


def detach(call: Call) -> Response:
    """Take the connection away; the export stops until it gets another."""
    before = call.desk.definitions.read(call.id)
    etag = call.matched(before.etag)
    stored = call.desk.definitions.detach(call.id, call.principal.name, etag)
    return _changed(call, "export.detach", before, stored)


def _changed(call: Call, action: str, before: Stored[Export], stored: Stored[Export]) -> Response:
    call.audit(
        action,
        stored.value.id,
        stored.value.display_name,
        _audited(call, before.value),
        _audited(call, stored.value),
    )
    return _shown(call, stored)


_ALL, _ONE = "/api/exports", "/api/exports/{id}"

ROUTES = (
    Route("GET", _ALL, Role.VIEWER, list_all, "List exports", gives=ExportView, gives_list=True),
    Route(
        "POST",
        _ALL,
        Role.CONTRIBUTOR,
        create,
        "Make an export",
        takes=ExportBody,
        gives=ExportView,
        status=201,
        etag=True,
    ),
    Route("GET", _ONE, Role.VIEWER, read, "Read an export", gives=ExportView, etag=True),
    Route(
        "PUT",
        _ONE,
        Role.CONTRIBUTOR,
        change,
        "Change an export",
        takes=ExportBody,
        gives=ExportView,
        etag=True,
    ),
    Route(
        "DELETE",
        _ONE,
        Role.CONTRIBUTOR,
        remove,
        "Remove an export and its record of who was sent; Mailchimp keeps people and tags",
        status=204,
        etag=True,
    ),
    Route(
        "POST",
        f"{_ONE}/duplicate",
        Role.CONTRIBUTOR,
        duplicate,
        "Copy an export",
        gives=ExportView,
        status=201,
        etag=True,
    ),
    Route(
        "POST",
        f"{_ONE}/detach-connection",
        Role.CONTRIBUTOR,
        detach,
        "Take the connection away from an export",
        gives=ExportView,
        etag=True,
    ),
)
