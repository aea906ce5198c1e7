"""Mailchimp's sign-in: a page with Allow and Deny, codes that work once, tokens that never expire.

Two people who authorize the same app for the same account get the same token.
https://mailchimp.com/developer/marketing/guides/access-user-data-oauth-2/
"""

from __future__ import annotations

import hmac
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from sandbox.mailchimp.answer import HTML, JSON, Answer
from sandbox.mailchimp.state import Account
from sandbox.mailchimp.world import Grant, OAuthApp, World

_CODE_SECONDS = 600.0


def call(
    world: World, method: str, path: str, query: dict[str, str], authorization: str, raw: bytes
) -> Answer:
    """Answer one call below /oauth2/."""
    form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    match method, path:
        case "GET", "/oauth2/authorize":
            return _authorize_page(world, query)
        case "POST", "/oauth2/authorize":
            return _decided(world, form)
        case "POST", "/oauth2/token":
            return _token(world, form)
        case "GET", "/oauth2/metadata":
            return _metadata(world, authorization)
    return Answer(404, b"<h1>Not found</h1>", HTML)


def _app(world: World, given: dict[str, str]) -> OAuthApp | None:
    app = world.apps.get(given.get("client_id", ""))
    # The registered address, exactly; without one in the request, the registered one applies.
    if app is None or given.get("redirect_uri", app.redirect_uri) != app.redirect_uri:
        return None
    return app


def _authorize_page(world: World, query: dict[str, str]) -> Answer:
    app = _app(world, query)
    if app is None or query.get("response_type") != "code":
        return Answer(
            400,
            _page(
                "Sign-in is not possible",
                "<p>The app or its address is not registered, or the request is incomplete.</p>",
            ),
            HTML,
        )
    choices = "".join(
        f'<option value="{escape(account.id)}">{escape(account.name)}</option>'
        for account in world.accounts.values()
        if not account.disabled
    )
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (
            ("client_id", app.client_id),
            ("redirect_uri", app.redirect_uri),
            ("state", query.get("state", "")),
        )
    )
    body = (
        f"<p><strong>{escape(app.name)}</strong> asks for access to your Mailchimp account.</p>"
        f'<form method="post" action="/oauth2/authorize">{hidden}'
        f'<p><label for="account">Account</label> <select id="account" name="account">{choices}'
        '</select></p><p><button name="decision" value="allow">Allow</button> '
        '<button name="decision" value="deny">Deny</button></p></form>'
    )
    return Answer(200, _page("Sign in to Mailchimp (sandbox)", body), HTML)


def _decided(world: World, form: dict[str, str]) -> Answer:
    app = _app(world, form)
    if app is None:
        return Answer(400, _page("Sign-in is not possible", "<p>Unknown app.</p>"), HTML)
    account = world.accounts.get(form.get("account", ""))
    if form.get("decision") != "allow" or account is None:
        result = {"error": "access_denied"}
    else:
        code = world.hex(64)
        world.grants[code] = Grant(
            app.client_id, app.redirect_uri, account.id, world.now() + _CODE_SECONDS
        )
        result = {"code": code}
    if form.get("state"):
        result["state"] = form["state"]
    joint = "&" if urlsplit(app.redirect_uri).query else "?"
    where = f"{app.redirect_uri}{joint}{urlencode(result)}"
    return Answer(302, b"", HTML, {"Location": where})


def _token(world: World, form: dict[str, str]) -> Answer:
    app = world.apps.get(form.get("client_id", ""))
    if app is None or not hmac.compare_digest(
        form.get("client_secret", "").encode(), app.client_secret.encode()
    ):
        return _json(401, {"error": "invalid_client"})
    if form.get("grant_type") != "authorization_code":
        return _json(400, {"error": "unsupported_grant_type"})
    with world.lock:
        grant = world.grants.pop(form.get("code", ""), None)
    if (
        grant is None
        or grant.client_id != app.client_id
        or grant.redirect_uri != form.get("redirect_uri")
        or grant.expires < world.now()
        or grant.account_id not in world.accounts
    ):
        return _json(400, {"error": "invalid_grant"})
    token = world.token_for(app.client_id, world.accounts[grant.account_id])
    return _json(200, {"access_token": token, "expires_in": 0, "scope": None})


def _metadata(world: World, authorization: str) -> Answer:
    scheme, _, token = authorization.partition(" ")
    account = world.tokens.get(token.strip()) if scheme.lower() in ("oauth", "bearer") else None
    if account is None:
        text = "The access token provided is invalid"
        return _json(401, {"error": "invalid_token", "error_description": text})
    return _json(200, metadata(world, account))


def metadata(world: World, account: Account) -> dict[str, object]:
    """Mailchimp's metadata about the owner of a token."""
    return {
        "dc": account.dc,
        "role": "owner",
        "accountname": account.name,
        "user_id": account.number,
        "login": {
            "email": "owner@example.com",
            "avatar": None,
            "login_id": account.number,
            "login_name": "sandbox",
            "login_email": "owner@example.com",
        },
        "login_url": f"{world.url}/oauth2/login",
        "api_endpoint": world.url,
    }


def _json(status: int, value: object) -> Answer:
    return Answer(status, orjson.dumps(value), JSON, {"Cache-Control": "no-store"})


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>body{{font:16px/1.5 system-ui;max-width:40rem;"
        "margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1rem}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    ).encode()
