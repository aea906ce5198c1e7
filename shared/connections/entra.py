"""Sign-in of export users with Microsoft Entra ID, and renewal of their access tokens.

Uses the authorization code flow of MSAL with PKCE, state and nonce. The verifier and the nonce of a
sign-in are stored in a record that can be used once; only the state passes through the browser. A
user's MSAL token cache is stored as a secret. It renews access tokens until the user is deleted or
consent is withdrawn.
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow

MSAL is imported where it is used: most processes start without it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from shared.connections.entra_http import EntraHttpClient
from shared.errors import Changed, ConfigError, Conflict, Disconnected, Refused, Unavailable
from shared.model.connection import ExportUser
from shared.model.ports import Records

if TYPE_CHECKING:
    import msal


# The resource id of the API differs from its URL.
# https://learn.microsoft.com/dynamics365/customer-insights/data/apis
CUSTOMER_INSIGHTS = "https://api.ci.ai.microsoft.com/.default"

_MICROSOFT = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)
_LIFE = timedelta(minutes=15)
# Errors that a retry cannot solve: the user must sign in again.
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_GONE = frozenset(
    {
        "access_denied",
        "consent_required",
        "interaction_required",
        "invalid_grant",
        "invalid_scope",
        "login_required",
    }
)


@dataclass(frozen=True)
class AppRegistration:
    """An app registration in Entra. `authority` is the URL without the tenant."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str
    scopes: tuple[str, ...] = (CUSTOMER_INSIGHTS,)


@dataclass(frozen=True)
class PendingSignIn:
    """A sign-in that has begun: what MSAL needs to finish it."""

    flow: dict[str, Any] = field(repr=False)
    begun_at: datetime


@dataclass(frozen=True)
class Renewed:
    """An access token, valid for `expires_in` seconds, and the token cache if it changed."""

    token: str = field(repr=False)
    expires_in: int
    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class Entra:
    """Signs export users in and renews their access tokens."""

    registration: AppRegistration
    pending: Records[PendingSignIn]
    now: Callable[[], datetime]

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """Begin a sign-in and return its URL. Unavailable when Entra does not answer."""
        self._forget_old()
        app = self._app()
        # The administrator's own account often has no access to Customer Insights. Providers other
        # than Entra issue refresh tokens only after a consent prompt (OpenID Connect Core, 11).
        prompt = "select_account" if self.registration.authority in _MICROSOFT else "consent"
        with warnings.catch_warnings():
            # MSAL recommends form_post, but a cross-site POST would not carry our cookie.
            warnings.simplefilter("ignore", UserWarning)
            flow = app.initiate_auth_code_flow(
                list(self.registration.scopes),
                redirect_uri=redirect_uri,
                state=state,
                prompt=prompt,
                response_mode="query",
            )
        url = flow.pop("auth_uri", None)
        if not isinstance(url, str):
            _refuse(flow)
        try:
            self.pending.create(_key(state), PendingSignIn(flow, self.now()))
        except Conflict as conflict:
            raise _unknown() from conflict
        return url

    def redeem(self, state: str, code: str, redirect_uri: str) -> tuple[ExportUser, str]:
        """Exchange an authorization code for the user and the secret to store. Works once a state.

        ConfigError when the state is unknown or was used before; Refused when Entra refuses the
        code; Unavailable.
        """
        flow = self._take(state)
        if flow.get("redirect_uri") != redirect_uri:
            raise _unknown()
        import msal

        cache = msal.SerializableTokenCache()
        answer = {"code": code, "state": state}
        try:
            result = self._app(cache).acquire_token_by_auth_code_flow(flow, answer)
        except (ValueError, RuntimeError) as error:  # the state or the nonce is another
            raise _unknown() from error
        if "error" in result:
            _refuse(result)
        return self._person(result.get("id_token_claims") or {}), cache.serialize()

    def renew(self, secret: str) -> Renewed:
        """Get an access token from a stored secret, without interaction.

        Disconnected when the user was deleted or consent was withdrawn; Unavailable.
        """
        import msal

        cache = msal.SerializableTokenCache()
        try:
            cache.deserialize(secret)
            app = self._app(cache)
            account = next(iter(app.get_accounts()), None)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _gone() from error
        if account is None:
            raise _gone()
        result = app.acquire_token_silent_with_error(list(self.registration.scopes), account)
        if not result or result.get("error") in _GONE:
            raise _gone()
        if "error" in result:
            _refuse(result)
        changed = cache.serialize() if cache.has_state_changed else None
        return Renewed(str(result["access_token"]), _seconds(result.get("expires_in")), changed)

    def app_token(self) -> Renewed:
        """Get a token of the app itself with its client secret. Refused; Unavailable."""
        result = self._app().acquire_token_for_client(list(self.registration.scopes))
        if "error" in result:
            _refuse(result)
        return Renewed(str(result["access_token"]), _seconds(result.get("expires_in")), None)

    def _app(
        self, cache: msal.SerializableTokenCache | None = None
    ) -> msal.ConfidentialClientApplication:
        import msal

        at = self.registration
        where = (
            {"authority": f"{at.authority}/{at.tenant_id}"}
            if at.authority in _MICROSOFT
            else {"oidc_authority": f"{at.authority}/{at.tenant_id}/v2.0"}
        )
        try:
            return msal.ConfidentialClientApplication(
                at.client_id,
                client_credential=at.client_secret,
                token_cache=cache,
                http_client=EntraHttpClient(),
                **where,
            )
        except ValueError as error:
            raise ConfigError("entraAuthority") from error

    def _person(self, claims: Mapping[str, Any]) -> ExportUser:
        object_id = str(claims.get("oid") or claims.get("sub") or "")
        if not object_id:
            raise Refused("exportUserUnknown")
        return ExportUser(
            name=str(claims.get("preferred_username") or claims.get("name") or object_id),
            object_id=object_id,
            tenant_id=str(claims.get("tid") or self.registration.tenant_id),
            added_at=self.now(),
        )

    def _take(self, state: str) -> dict[str, Any]:
        """Read and delete what MSAL needs for a state, so that it is used once."""
        stored = self.pending.read(_key(state))
        if stored is None or self.now() - stored.value.begun_at > _LIFE:
            raise _unknown()
        try:
            self.pending.delete(stored.key, stored.etag)
        except Changed as changed:
            raise _unknown() from changed
        return stored.value.flow

    def _forget_old(self) -> None:
        for stored in list(self.pending.all()):
            if self.now() - stored.value.begun_at > _LIFE:
                with suppress(Changed):
                    self.pending.delete(stored.key, stored.etag)


def _key(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _seconds(value: object) -> int:
    return int(value) if isinstance(value, (int, float, str)) and str(value).isdigit() else 0


def _unknown() -> ConfigError:
    return ConfigError("signInInvalid")


def _gone() -> Disconnected:
    return Disconnected("exportUserDisconnected")


def _refuse(result: Mapping[str, Any]) -> NoReturn:
    """Raise the error of a response. Its description is omitted, because it may name people."""
    code = str(result.get("error") or "")
    if code in ("temporarily_unavailable", "server_error", "service_unavailable"):
        raise Unavailable("entraUnavailable")
    if code in ("invalid_client", "unauthorized_client"):
        raise ConfigError("entraClientRefused")
    raise Refused("entraRefused")
