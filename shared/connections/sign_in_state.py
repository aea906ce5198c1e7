"""The OAuth `state` parameter: signed, short-lived and single-use.

    <payload>.<signature>      both base64url; payload = version, purpose, connection, principal,
                               issued (seconds since 1970), nonce

The signature covers the payload and the random value of a cookie, so that a state cannot be used from
another browser. A portal on another site starts a sign-in with a token, and cannot set a cookie of the app in the
browser. The state of such a sign-in is bound to the person only. Signatures are compared in constant time.
`use_once` stores the nonce, so that a state works once.
https://www.rfc-editor.org/rfc/rfc9700#section-4.7
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime

import orjson

from shared.errors import ConfigError, Conflict
from shared.model.connection import UsedNonce
from shared.model.ports import Records

LIFE_SECONDS = 600

# Signed instead of the value of a cookie if the callback may come from any browser. The app sets no cookie with this value.
_ANY_BROWSER = "*"
_VERSION = 1
_LONGEST = 2000
# The clocks of two instances may differ by this much.
_AHEAD_SECONDS = 60


@dataclass(frozen=True)
class SignInState:
    """The content of a state. `issued_at` is in seconds since 1970."""

    purpose: str
    connection_id: str
    principal_id: str
    issued_at: int
    nonce: str


def sign(state: SignInState, cookie: str, key: bytes) -> str:
    """Sign a state, bound to the browser that has a cookie with this value."""
    payload = _encode(orjson.dumps([_VERSION, *astuple(state)]))
    return f"{payload}.{_encode(_signature(payload, cookie, key))}"


def check(
    text: str, *, purpose: str, principal_id: str, cookie: str, key: bytes, now: float
) -> SignInState:
    """Verify a state: its signature, person, purpose and age, and that it is bound to the cookie or to no cookie.

    `cookie` is the value that the browser sent, "" if it sent none. ConfigError: `signInIncomplete` if a cookie is
    needed and was not sent, `signInForeign` for another person, `signInExpired`, else `signInInvalid`.
    """
    if not (text.isascii() and cookie.isascii()):
        raise _invalid()
    payload, _, signature = text[:_LONGEST].partition(".")
    accepted = [_ANY_BROWSER, cookie] if cookie else [_ANY_BROWSER]
    expected = [_encode(_signature(payload, one, key)) for one in accepted]
    if not any(hmac.compare_digest(signature.encode(), one.encode()) for one in expected):
        raise _invalid() if cookie else ConfigError("signInIncomplete")
    try:
        version, *values = orjson.loads(_decode(payload))
        state = SignInState(*values)
    except (ValueError, TypeError, binascii.Error):
        raise _invalid() from None
    same_person = hmac.compare_digest(state.principal_id.encode(), principal_id.encode())
    if version != _VERSION or state.purpose != purpose:
        raise _invalid()
    if not same_person:
        raise ConfigError("signInForeign")
    if not -_AHEAD_SECONDS <= now - state.issued_at <= LIFE_SECONDS:
        raise ConfigError("signInExpired")
    return state


@dataclass(frozen=True)
class SignedStates:
    """Issues and redeems signed, single-use states.

    `key` returns the signing key (at least 32 bytes), `now` seconds since 1970, `random_text` a new random text of
    letters and digits. `use_once` stores a nonce and returns whether it is new.
    """

    key: Callable[[], bytes]
    use_once: Callable[[str], bool]
    now: Callable[[], float]
    random_text: Callable[[], str]

    def issue(
        self, purpose: str, connection_id: str, principal_id: str, *, in_browser: bool
    ) -> tuple[str, str]:
        """Issue a state and the value of its cookie.

        `in_browser`: a browser starts the sign-in and can store a cookie. If not, the value is "".
        """
        cookie = self.random_text() if in_browser else ""
        state = SignInState(
            purpose, connection_id, principal_id, int(self.now()), self.random_text()
        )
        return sign(state, cookie if in_browser else _ANY_BROWSER, self.key()), cookie

    def redeem(self, state: str, purpose: str, principal_id: str, cookie: str) -> str:
        """Return the connection id of a state, once. ConfigError when it is invalid or expired."""
        checked = check(
            state,
            purpose=purpose,
            principal_id=principal_id,
            cookie=cookie,
            key=self.key(),
            now=self.now(),
        )
        if not self.use_once(checked.nonce):
            raise ConfigError("signInUsed")
        return checked.connection_id


@dataclass(frozen=True)
class UsedNonces:
    """Stores the nonces of redeemed states. `now` returns UTC times."""

    records: Records[UsedNonce]
    now: Callable[[], datetime]

    def use_once(self, nonce: str) -> bool:
        """Store a nonce. Returns whether it is new."""
        try:
            self.records.create(nonce, UsedNonce(self.now()))
        except Conflict:
            return False
        return True


def _signature(payload: str, cookie: str, key: bytes) -> bytes:
    # The length first, so that no two pairs give the same text.
    text = f"{len(payload)}.{payload}.{cookie}".encode()
    return hmac.new(key, text, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _invalid() -> ConfigError:
    return ConfigError("signInInvalid")
