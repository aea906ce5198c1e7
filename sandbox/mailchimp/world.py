"""The whole state of the sandbox: accounts, options, faults, calls, sign-in, clock."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.mailchimp import texts
from sandbox.mailchimp.calls import Calls
from sandbox.mailchimp.faults import Faults
from sandbox.mailchimp.options import Options
from sandbox.mailchimp.state import Account, Audience, MergeField
from sandbox.mailchimp.webhooks import Deliveries

DEFAULT_FIELDS = (
    ("FNAME", "First Name", "text", {"size": 25}),
    ("LNAME", "Last Name", "text", {"size": 25}),
    ("ADDRESS", "Address", "address", {"default_country": 164}),
    ("PHONE", "Phone Number", "phone", {"phone_format": "none"}),
)


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """An app registered with Mailchimp."""

    client_id: str
    client_secret: str
    redirect_uri: str
    name: str


@dataclass(slots=True)
class Grant:
    """An authorization code, waiting to be exchanged once."""

    client_id: str
    redirect_uri: str
    account_id: str
    expires: float


@dataclass
class World:
    """The state of the sandbox. `now` gives seconds since 1970, `sleep` waits (seconds)."""

    options: Options
    now: Callable[[], float]
    sleep: Callable[[float], object]
    seed: int = 1
    accounts: dict[str, Account] = field(default_factory=dict)
    keys: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, Account] = field(default_factory=dict)
    token_of: dict[tuple[str, str], str] = field(default_factory=dict)
    apps: dict[str, OAuthApp] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    faults: Faults = field(default_factory=Faults)
    webhooks: Deliveries = field(default_factory=Deliveries)
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def __post_init__(self) -> None:
        """Start the counters; the same seed gives the same keys and ids."""
        self.reseed(self.seed)
        self.start_numbers(1001, 200_001, 500_001)

    def start_numbers(self, others: int, segments: int, members: int) -> None:
        """Set the next ids."""
        self._numbers = itertools.count(others)
        self._segment_ids = itertools.count(segments)
        self._member_ids = itertools.count(members)

    def reseed(self, seed: int) -> None:
        """Set the seed of generated ids."""
        self._random = random.Random(seed)

    def hex(self, digits: int) -> str:
        """A generated id."""
        with self.lock:
            return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def segment_id(self) -> int:
        """The next segment id."""
        return next(self._segment_ids)

    def member_number(self) -> int:
        """The next member number."""
        return next(self._member_ids)

    def sentence(self, key: str, **facts: object) -> str:
        """A text in the account's language."""
        return texts.text(self.options.language, key, **facts)

    def seconds(self) -> int:
        """Now, in whole seconds."""
        return int(self.now())

    def add_account(self, name: str = "Sandbox", key: str | None = None) -> Account:
        """A new account with one API key."""
        with self.lock:
            account = Account(self.hex(25), name, "us1", next(self._numbers), self.seconds())
            self.accounts[account.id] = account
            self.add_key(account, key)
            return account

    def add_key(self, account: Account, key: str | None = None) -> str:
        """A further API key `<32 hex>-<dc>` of an account."""
        key = key or f"{self.hex(32)}-{account.dc}"
        account.keys.add(key)
        self.keys[key] = account
        return key

    def add_audience(
        self, account: Account, name: str, *, double_optin: bool, id_: str | None = None
    ) -> Audience:
        """A new audience with Mailchimp's four merge fields."""
        with self.lock:
            audience = Audience(
                id=id_ or self.hex(10),
                web_id=next(self._numbers),
                name=name,
                created=self.seconds(),
                double_optin=double_optin,
            )
            for tag, label, kind, options in DEFAULT_FIELDS:
                number = audience.next_merge_id
                audience.next_merge_id += 1
                audience.merge_fields[number] = MergeField(
                    number, tag, label, kind, options=dict(options), display_order=number + 1
                )
            account.audiences[audience.id] = audience
            return audience

    def audience(self, audience_id: str) -> Audience | None:
        """An audience of any account."""
        for account in self.accounts.values():
            if audience_id in account.audiences:
                return account.audiences[audience_id]
        return None

    def add_app(
        self,
        redirect_uri: str,
        name: str = "Export",
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> OAuthApp:
        """Register an app for sign-in; id and secret are generated when absent."""
        app = OAuthApp(
            client_id or str(int(self.hex(10), 16)),
            client_secret or self.hex(50),
            redirect_uri,
            name,
        )
        self.apps[app.client_id] = app
        return app

    def token_for(self, client_id: str, account: Account) -> str:
        """The token of an app for an account; the same for all people who sign in."""
        with self.lock:
            token = self.token_of.get((client_id, account.id))
            if token is None:
                token = self.hex(32)
                self.token_of[(client_id, account.id)] = token
                self.tokens[token] = account
            return token

    def revoke_tokens(self, account: Account) -> int:
        """Revoke all tokens of an account, as its owner can; returns their number."""
        with self.lock:
            gone = [token for token, owner in self.tokens.items() if owner is account]
            for token in gone:
                del self.tokens[token]
            self.token_of = {k: t for k, t in self.token_of.items() if t not in gone}
            return len(gone)
