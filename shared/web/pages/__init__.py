"""The admin pages. They call the functions of `application`, as the API does."""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.pages import (
    audit_trail,
    bulk,
    connections,
    exclusions,
    export_form,
    exports,
    one_person,
    people,
    rejected,
    run_list,
    runs,
    settings,
    static,
    unused_contacts,
)

ROUTERS: tuple[APIRouter, ...] = (
    exports.router,
    bulk.router,
    export_form.router,
    exclusions.router,
    one_person.router,
    unused_contacts.router,
    connections.router,
    run_list.router,
    runs.router,
    rejected.router,
    people.router,
    audit_trail.router,
    settings.router,
    static.router,
)
