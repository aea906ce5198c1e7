"""Connections for administrators: agree, connect, sign in, share, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.web.api import connections as interface
from shared.web.api import sign_in
from shared.web.call import Call
from shared.web.http import Response, redirect
from shared.web.pages.forms import Answer, ask, form_of
from shared.web.pages.render import page
from shared.web.principal import Role
from shared.web.routes import Route

__all__ = ["ROUTES"]


def list_all(call: Call) -> Response:
    """Every connection and how many exports use it."""
    rows = [
        {"connection": s.value, "exports": call.desk.definitions.using(s.value.id)}
        for s in call.desk.connections_kept.all()
    ]
    return page(call, "connections.html", rows=rows)


def show_new(call: Call) -> Response:
    """The first step of setting up."""
    return _new(call, {"displayName": "", "agreed": False, "shared": True}, Answer())


def _new(call: Call, form: dict[str, Any], answer: Answer) -> Response:
    return page(
        call,
        "connection_new.html",
        status=400 if answer.message else 200,
        form=form,
        message=answer.message,
        faults=dict(answer.faults),
    )


def create(call: Call) -> Response:
    """Keep a new connection, and go on with signing in."""
    form = form_of(call)
    shared = form.has("shared")
    body = {
        "displayName": form.get("displayName"),
        "consent": {"agreed": form.has("agreed"), "locale": call.language},
        "sharedWith": ["Contributor"] if shared else [],
    }
    answer = ask(call, interface.create, body)
    if answer.response is None:
        again = {"displayName": body["displayName"], "agreed": form.has("agreed"), "shared": shared}
        return _new(call, again, answer)
    made: Any = answer.response.json()
    return redirect(f"/connections/{made['id']}")


def show(call: Call) -> Response:
    """One connection."""
    return _show(call)


def _show(call: Call, answer: Answer | None = None) -> Response:
    connection = call.desk.connections_kept.read(call.id).value
    return page(
        call,
        "connection.html",
        status=400 if answer and answer.message else 200,
        connection=connection,
        exports=call.desk.definitions.using(call.id),
        has_sign_in=call.desk.sign_in_states is not None and call.desk.mailchimp_door is not None,
        has_entra=call.desk.sign_in_states is not None and call.desk.entra_door is not None,
        message=answer.message if answer else "",
        faults=dict(answer.faults) if answer else {},
    )


def _done(call: Call, answer: Answer, done: str) -> Response:
    if answer.response is None:
        return _show(call, answer)
    return redirect(f"/connections/{call.id}?done={done}")


def change(call: Call) -> Response:
    """Rename or share."""
    form = form_of(call)
    body = {
        "displayName": form.get("displayName"),
        "sharedWith": ["Contributor"] if form.has("shared") else [],
    }
    return _done(call, ask(call, interface.change, body), "saved")


def put_key(call: Call) -> Response:
    """Connect with an API key."""
    answer = ask(call, interface.put_api_key, {"apiKey": form_of(call).get("apiKey")})
    return _done(call, answer, "connected")


def disconnect(call: Call) -> Response:
    """Forget the grant."""
    form_of(call)
    return _done(call, ask(call, interface.disconnect), "disconnected")


def _leave(call: Call, endpoint: Callable[[Call], Response]) -> Response:
    """Show the way to a sign-in page.

    A page and not a redirect: `form-action 'self'` would keep a form from leading elsewhere.
    """
    form_of(call)
    answer = ask(call, endpoint)
    if answer.response is None:
        return _show(call, answer)
    way: Any = answer.response.json()
    cookie = {"Set-Cookie": answer.response.headers["Set-Cookie"]}
    return page(call, "leaving.html", headers=cookie, url=way["authorizeUrl"])


def authenticate(call: Call) -> Response:
    """Out to Mailchimp's sign-in page."""
    return _leave(call, sign_in.authorize_mailchimp)


def add_export_user(call: Call) -> Response:
    """Out to Entra's sign-in page."""
    return _leave(call, sign_in.authorize_entra)


def drop_export_user(call: Call) -> Response:
    """Forget the export user."""
    form_of(call)
    return _done(call, ask(call, sign_in.drop_export_user), "saved")


def ask_removal(call: Call) -> Response:
    """Say what removing will and will not do, and what uses the connection."""
    return _removal(call)


def _removal(call: Call, message: str = "") -> Response:
    return page(
        call,
        "remove_connection.html",
        status=409 if message else 200,
        connection=call.desk.connections_kept.read(call.id).value,
        exports=call.desk.definitions.using(call.id),
        message=message,
    )


def remove(call: Call) -> Response:
    """Remove, detaching the exports first when that was ticked."""
    query = {"detachExports": "true"} if form_of(call).has("detach") else {}
    answer = ask(call, interface.remove, query=query)
    if answer.response is None:
        return _removal(call, answer.message)
    return redirect("/connections?done=removed")


_ONE = "/connections/{id}"


def _page(method: str, path: str, role: Role, endpoint: Callable[[Call], Response]) -> Route:
    return Route(method, path, role, endpoint, str(endpoint.__doc__), is_page=True)


ROUTES = (
    _page("GET", "/connections", Role.VIEWER, list_all),
    _page("GET", "/setup/connection", Role.ADMINISTRATOR, show_new),
    _page("POST", "/setup/connection", Role.ADMINISTRATOR, create),
    _page("GET", _ONE, Role.ADMINISTRATOR, show),
    _page("POST", _ONE, Role.ADMINISTRATOR, change),
    _page("POST", f"{_ONE}/api-key", Role.ADMINISTRATOR, put_key),
    _page("POST", f"{_ONE}/authenticate", Role.ADMINISTRATOR, authenticate),
    _page("POST", f"{_ONE}/disconnect", Role.ADMINISTRATOR, disconnect),
    _page("POST", f"{_ONE}/export-user", Role.ADMINISTRATOR, add_export_user),
    _page("POST", f"{_ONE}/export-user/drop", Role.ADMINISTRATOR, drop_export_user),
    _page("GET", f"{_ONE}/remove", Role.ADMINISTRATOR, ask_removal),
    _page("POST", f"{_ONE}/remove", Role.ADMINISTRATOR, remove),
)
