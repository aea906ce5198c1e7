"""The audit trail: who did what to which export, run or connection, in sentences with links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter
from markupsafe import Markup, escape
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.web.access import AccessRoute, requires
from shared.web.application import audit
from shared.web.audit_entry import AuditEntry, Change
from shared.web.authentication import Role
from shared.web.pages.filters import Word, day_range
from shared.web.pages.labels import NO_VALUE, field_label, value_words
from shared.web.pages.render import CurrentPage, Page
from shared.web.texts import has, text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ENTRIES = 50
_KINDS = ("export", "run", "connection", "person", "schedule")
# Placeholders for links: characters that no text and no name contains.
_WHO, _WHAT = "\x01", "\x02"
# The ids of runs say nothing to a reader; the sentence has the link.
_HIDDEN = frozenset({"runId", "exportId", "copyOf"})


@dataclass(frozen=True)
class ShownChange:
    """One field that changed, in words."""

    label: str
    before: str
    after: str

    @property
    def has_value(self) -> bool:
        """Whether there is a value before or after the change. A new export has fields without a value."""
        return not {self.before, self.after} <= {"", NO_VALUE}


@dataclass(frozen=True)
class ShownEntry:
    """One entry in words."""

    entry: AuditEntry
    sentence: Markup
    changes: tuple[ShownChange, ...]


def _link(page: Page, names: Mapping[str, str], entry: AuditEntry) -> Markup:
    """The subject of an entry, as a link where it still exists."""
    kind, _, _ = entry.action.partition(".")
    subject, name = entry.subject_id, entry.subject_name
    if kind == "run":
        return _run_link(page, names, subject)
    if kind not in ("export", "connection"):
        return Markup("")
    if subject not in names:
        # An entry about something removed has the name of its time only.
        return escape(f"“{name or subject}”")
    return Markup('<a href="/{}s/{}">{}</a>').format(kind, subject, name or names[subject])


def _run_link(page: Page, names: Mapping[str, str], run_id: str) -> Markup:
    try:
        run = page.services.runs.read(run_id)
    except ConnectorError:
        return escape(text(page.language, "pages.audited.someRun"))
    export = names.get(run.export_id) or text(page.language, "pages.run.removedExport")
    when = page.formats.clock_time(run.queued_at)
    return Markup('<a href="/runs/{}">{}, {}</a>').format(run.id, export, when)


@router.get("/audit")
@requires(Role.ADMINISTRATOR)
def show_audit(
    page: CurrentPage,
    kind: Word = "",
    subject: Word = "",
    who: Word = "",
    since: Word = "",
    until: Word = "",
    after: Word = "",
) -> Response:
    """Who changed what, newest first."""
    services = page.services
    exports = [stored.value for stored in services.definitions.all()]
    connections = services.connections.all()
    accounts = [one.account for one in connections if one.account]
    names = {
        **{one.id: one.display_name for one in exports},
        **{one.id: one.display_name for one in connections},
        **{account.id: account.name for account in accounts},
    }
    first, before, days = day_range(since, until, page.zone)
    wanted = audit.AuditFilter(kind if kind in _KINDS else "", subject, who, first, before)
    found = audit.page(page.context, wanted, after, _ENTRIES)
    filters = {"kind": wanted.kind, "subject": subject, "who": who, **days}
    chosen = {name: value for name, value in filters.items() if value}
    return page.render(
        "audit.html",
        entries=[_shown(page, names, entry, chosen) for entry in found.entries],
        exports=exports,
        kinds=_KINDS,
        filters=filters,
        chosen=chosen,
        who=next((one.actor_name for one in found.entries if who), who),
        paged=bool(after),
        older={**chosen, "after": found.after} if found.after else None,
    )


def _shown(
    page: Page, names: Mapping[str, str], entry: AuditEntry, chosen: Mapping[str, str]
) -> ShownEntry:
    language = page.language
    key = f"pages.audited.{entry.action}"
    if not has(key):
        # A version that knows more actions wrote it.
        key = "pages.audited.other"
    words = text(language, key, {"who": _WHO, "what": _WHAT, "action": entry.action})
    actor = entry.actor_name
    if entry.is_application:
        actor = f"{actor} {text(language, 'pages.audit.application')}"
    query = urlencode({**chosen, "who": entry.actor_id})
    link = Markup('<a href="/audit?{}"><strong>{}</strong></a>').format(query, actor)
    sentence = escape(words).replace(_WHO, link)
    sentence = sentence.replace(_WHAT, _link(page, names, entry))
    changes = (_in_words(entry, change, language, names) for change in entry.changes)
    shown = [change for change in changes if change is not None and change.has_value]
    if entry.action == "person.erase" and entry.subject_id != "-":
        shown.insert(0, ShownChange(field_label("receipt", language), "", entry.subject_id))
    return ShownEntry(entry, Markup(sentence), tuple(shown))  # noqa: S704 - every part is escaped above


def _in_words(
    entry: AuditEntry, change: Change, language: str, names: Mapping[str, str]
) -> ShownChange | None:
    if change.field in _HIDDEN:
        return None
    kind, _, _ = entry.action.partition(".")
    field = f"schedule.{change.field}" if kind == "schedule" else change.field
    if kind == "connection" and field == "status":
        field = "connectionStatus"
    before, after = (
        value_words(field, _value(written), language, names) if written else ""
        for written in (change.before, change.after)
    )
    return ShownChange(field_label(field, language), before, after)


def _value(written: str) -> object:
    """A recorded value; long ones were cut and are shown as they are."""
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        return written
