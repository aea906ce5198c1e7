"""Registers the app's webhook with each audience, and receives its calls.

A call is only a hint: it requests a sweep (updates.py), which reads the contacts from Mailchimp. So a call that is
forged, repeated, late or lost changes nothing. The address contains a random token; the app stores its hash. If
Mailchimp gave a signing secret, calls without a valid signature are refused.

If the app is killed while it registers a webhook, the id of the webhook is not stored, and the next sweep replaces
the webhook. It also registers a webhook again that a person deleted in Mailchimp.
https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import ConfigError, Disconnected, NotFound, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Webhook
from shared.model.consent import ConsentWebhook
from shared.model.finding import Reason
from shared.model.names import audience_in
from shared.model.ports import Records, Secrets, create_or_replace

WEBHOOK_PATH = "/api/mailchimp/webhooks/"
_RETRY_REFUSED = timedelta(days=1)
_TOKEN = re.compile(r"[0-9a-f]{64}")


def webhook_columns(webhook: ConsentWebhook) -> Mapping[str, str]:
    """The column by which a webhook is found when it is called."""
    return {"token": webhook.token_hash}


@dataclass(frozen=True)
class ConsentWebhooks:
    """Registers and verifies webhooks.

    `new_token` returns 64 random hexadecimal digits; `public_url` is the URL of the app.
    """

    records: Records[ConsentWebhook]
    secrets: Secrets
    public_url: str
    new_token: Callable[[], str]
    now: Callable[[], datetime]

    def ensure(self, session: MailchimpSession, key: str) -> None:
        """Register the webhook of an audience if it is missing, and delete outdated ones of this app.

        A refusal is recorded, and tried again after a day. Unavailable, Disconnected.
        """
        audience_id = audience_in(key)
        stored = self.records.read(key)
        known = stored.value if stored else ConsentWebhook()
        try:
            ours = self._ours(session, audience_id)
            for webhook in ours:
                if not self._is_current(webhook, known):
                    session.delete_webhook(audience_id, webhook.id)
            if any(self._is_current(webhook, known) for webhook in ours):
                return
            if known.problem and known.tried_at and self.now() - known.tried_at < _RETRY_REFUSED:
                return
            self._register(session, key)
        except Disconnected:
            raise
        except (ConfigError, Refused) as error:
            # The sweep works without a webhook.
            self._put(key, ConsentWebhook(problem=Reason.of(error), tried_at=self.now()))

    def remove(self, session: MailchimpSession, key: str) -> None:
        """Delete the webhook of an audience at Mailchimp, and its record."""
        audience_id = audience_in(key)
        try:
            for webhook in self._ours(session, audience_id):
                session.delete_webhook(audience_id, webhook.id)
        except NotFound:
            pass  # the audience was deleted, and its webhooks with it
        self.delete_record(key)

    def delete_record(self, key: str) -> None:
        """Delete the record of an audience's webhook, so that its calls are refused."""
        stored = self.records.read(key)
        if stored is not None:
            self.secrets.delete(_secret_name(stored.value))
            self.records.delete(key)

    def audience_of(self, token: str, body: bytes, signature: str) -> str | None:
        """Return the audience of a call; None for an unknown token or a wrong signature."""
        if not _TOKEN.fullmatch(token):
            return None
        token_hash = _hash(token)
        for stored in self.records.all(where={"token": token_hash}):
            # A store may ignore the case of a column.
            if hmac.compare_digest(stored.value.token_hash, token_hash):
                return stored.key if self._is_signed(stored.value, body, signature) else None
        return None

    def _register(self, session: MailchimpSession, key: str) -> None:
        audience_id = audience_in(key)
        token = self.new_token()
        begun = ConsentWebhook(token_hash=_hash(token), tried_at=self.now())
        self._put(key, begun)
        made = session.create_webhook(audience_id, f"{self._prefix}{token}")
        if made.secret:
            self.secrets.put(_secret_name(begun), made.secret)
        self._put(
            key,
            replace(begun, webhook_id=made.id, signed=bool(made.secret), registered_at=self.now()),
        )

    def _put(self, key: str, webhook: ConsentWebhook) -> None:
        stored = self.records.read(key)
        # A registration that was killed may have stored the secret and not that there is one.
        if stored and stored.value.token_hash not in ("", webhook.token_hash):
            self.secrets.delete(_secret_name(stored.value))
        create_or_replace(self.records, key, webhook, stored)

    @property
    def _prefix(self) -> str:
        return f"{self.public_url.rstrip('/')}{WEBHOOK_PATH}"

    def _ours(self, session: MailchimpSession, audience_id: str) -> list[Webhook]:
        return [one for one in session.webhooks(audience_id) if one.url.startswith(self._prefix)]

    def _is_current(self, webhook: Webhook, known: ConsentWebhook) -> bool:
        token = webhook.url.removeprefix(self._prefix)
        return webhook.id == known.webhook_id and _hash(token) == known.token_hash

    def _is_signed(self, webhook: ConsentWebhook, body: bytes, signature: str) -> bool:
        """Whether a call has the signature `t=<time>,v1=<HMAC-SHA256>`, if the webhook has a secret."""
        if not webhook.signed:
            return True
        secret = self.secrets.get(_secret_name(webhook))
        if secret is None:
            return False
        parts = [part.strip().partition("=") for part in signature.split(",")]
        stamp = next((value for name, _, value in parts if name == "t"), "")
        expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
        digest = expected.hexdigest().encode()
        return any(
            hmac.compare_digest(value.encode(), digest) for name, _, value in parts if name == "v1"
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _secret_name(webhook: ConsentWebhook) -> str:
    return f"mailchimp-webhook-{webhook.token_hash[:40]}"
