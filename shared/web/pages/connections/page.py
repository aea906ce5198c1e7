"""One connection: its name, who may use it, and how it is connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter
from starlette.responses import Response

from shared.connections.sign_in import Provider
from shared.web.access import AccessRoute, requires
from shared.web.application import connections
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.cookies import sign_in_cookie
from shared.web.models.connections import ApiKeyBody, ConnectionBody
from shared.web.models.consent import audience_consent_view
from shared.web.pages.conflicts import conflicting_fields
from shared.web.pages.forms import NO_ERRORS, Form, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/connections/{id:id}"


def shared_with(form: Form) -> list[str]:
    """The roles that may use the connection."""
    return [Role.CONTRIBUTOR.label] if form.has("shared") else []


@router.get(_ONE)
@requires(Role.ADMINISTRATOR)
def show(connection_id: Id, page: CurrentPage) -> Response:
    """One connection."""
    return _show(page, connection_id)


def _show(
    page: Page,
    connection_id: str,
    errors: FormErrors = NO_ERRORS,
    sent: Mapping[str, object] | None = None,
) -> Response:
    """Show a connection, with the values that were `sent` instead of the saved ones if they were refused."""
    stored = page.services.connections.read(connection_id)
    connection, sign_ins = stored.value, page.services.sign_ins
    saved = {"displayName": connection.display_name, "sharedWith": list(connection.shared_with)}
    conflict = (
        conflicting_fields(saved, sent, page.language) if errors.is_outdated and sent else None
    )
    return page.render(
        "connections/page.html",
        errors=errors,
        connection=connection,
        form=sent or saved,
        conflict=conflict,
        etag=etag_of(stored.etag),
        exports=page.services.definitions.using(connection_id),
        audiences=[
            audience_consent_view(state, page.language)
            for state in connections.consent_states(page.context, connection_id)
        ],
        has_sign_in=sign_ins is not None and sign_ins.mailchimp is not None,
        has_entra=sign_ins is not None and sign_ins.entra is not None,
    )


def _done(page: Page, connection_id: str, action: Callable[[], object], done: str) -> Response:
    result = page.attempt(action)
    if isinstance(result, FormErrors):
        return _show(page, connection_id, result)
    return redirect(f"/connections/{connection_id}?done={done}")


@router.post(_ONE)
@requires(Role.ADMINISTRATOR)
def change(connection_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Rename or share."""
    sent = {"displayName": form.get("displayName"), "sharedWith": shared_with(form)}

    def changed() -> object:
        body = ConnectionBody.from_form(sent)
        return connections.change(page.context, connection_id, body, form.etag)

    result = page.attempt(changed)
    if isinstance(result, FormErrors):
        return _show(page, connection_id, result, sent)
    return redirect(f"/connections/{connection_id}?done=saved")


@router.post(f"{_ONE}/api-key")
@requires(Role.ADMINISTRATOR)
def put_key(connection_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Connect with an API key."""

    def connect() -> object:
        body = ApiKeyBody.from_form({"apiKey": form.get("apiKey")})
        return connections.connect_with_key(page.context, connection_id, body.api_key)

    return _done(page, connection_id, connect, "connected")


@router.get(f"{_ONE}/disconnect")
@requires(Role.ADMINISTRATOR)
def ask_disconnection(connection_id: Id, page: CurrentPage) -> Response:
    """Explain what disconnecting does, and list the exports that use the connection."""
    return page.render(
        "connections/disconnect.html",
        connection=page.services.connections.read(connection_id).value,
        exports=page.services.definitions.using(connection_id),
    )


@router.post(f"{_ONE}/disconnect")
@requires(Role.ADMINISTRATOR)
def disconnect(connection_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Delete the grant."""
    return _done(
        page,
        connection_id,
        lambda: connections.disconnect(page.context, connection_id),
        "disconnected",
    )


@router.get(f"{_ONE}/api-key")
@router.get(f"{_ONE}/authenticate")
@router.get(f"{_ONE}/export-user")
@router.get(f"{_ONE}/export-user/drop")
@requires(Role.ADMINISTRATOR)
def show_again(connection_id: Id) -> Response:
    """Return to the connection: a refused form has the address of its action, and reloading asks for it."""
    return redirect(f"/connections/{connection_id}")


def _show_sign_in_link(page: Page, connection_id: str, provider: Provider) -> Response:
    """Show the link to a sign-in page.

    A page and not a redirect: `form-action 'self'` keeps a form from leading to another site.
    """
    begun = page.attempt(lambda: connections.begin_sign_in(page.context, provider, connection_id))
    if isinstance(begun, FormErrors):
        return _show(page, connection_id, begun)
    cookie = sign_in_cookie(page.request, page.services.public_url, begun.cookie)
    return page.render("connections/sign_in_link.html", cookie=cookie, url=begun.url)


@router.post(f"{_ONE}/authenticate")
@requires(Role.ADMINISTRATOR)
def authenticate(connection_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Continue at Mailchimp's sign-in page."""
    return _show_sign_in_link(page, connection_id, Provider.MAILCHIMP)


@router.post(f"{_ONE}/export-user")
@requires(Role.ADMINISTRATOR)
def add_export_user(connection_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Continue at Entra's sign-in page."""
    return _show_sign_in_link(page, connection_id, Provider.ENTRA)


@router.post(f"{_ONE}/export-user/drop")
@requires(Role.ADMINISTRATOR)
def drop_export_user(connection_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Remove the export user."""
    return _done(
        page,
        connection_id,
        lambda: connections.drop_export_user(page.context, connection_id),
        "saved",
    )
