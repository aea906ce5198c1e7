"""The admin pages. They call the functions of `application`, as the API does.

A package has the pages of one subject: `list.py` is the list, and `page.py` the page of one of them. The modules beside
the packages are for all pages. The folders of `templates` have the same names.
"""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.pages.audit import router as audit
from shared.web.pages.connections.list import router as connections_list
from shared.web.pages.connections.new import router as new_connection
from shared.web.pages.connections.page import router as connection
from shared.web.pages.connections.removal import router as connection_removal
from shared.web.pages.connections.unused_contacts import router as unused_contacts
from shared.web.pages.exports.bulk import router as bulk
from shared.web.pages.exports.form.page import router as export_form
from shared.web.pages.exports.list import router as exports_list
from shared.web.pages.exports.page import router as export
from shared.web.pages.exports.removal import router as export_removal
from shared.web.pages.people.exclusions import router as exclusions
from shared.web.pages.people.one_person import router as one_person
from shared.web.pages.people.search import router as people
from shared.web.pages.runs.list import router as runs_list
from shared.web.pages.runs.page import router as run
from shared.web.pages.runs.progress import router as run_progress
from shared.web.pages.runs.rejected import router as rejected
from shared.web.pages.runs.undo import router as undo
from shared.web.pages.schedule.page import router as schedule
from shared.web.pages.session import router as session
from shared.web.pages.static import router as static

ROUTERS: tuple[APIRouter, ...] = (
    exports_list,
    export,
    export_removal,
    bulk,
    export_form,
    exclusions,
    one_person,
    unused_contacts,
    connections_list,
    new_connection,
    connection,
    connection_removal,
    runs_list,
    run_progress,
    run,
    undo,
    rejected,
    people,
    audit,
    schedule,
    session,
    static,
)
