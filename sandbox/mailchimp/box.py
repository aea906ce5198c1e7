"""The sandbox from Python: start it, fill it, break it, look inside, stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.mailchimp.calls import Calls
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.options import Options
from sandbox.mailchimp.server import Server
from sandbox.mailchimp.state import STATUSES, Account, Audience, Member, digest
from sandbox.mailchimp.world import OAuthApp, World


@dataclass(frozen=True, slots=True)
class MemberView:
    """One person as an audience holds them. `merge_fields` has only the values that are set."""

    email_address: str
    status: str
    cause: str
    merge_fields: dict[str, Any]
    tags: frozenset[str]


class AudienceView:
    """One audience, for filling and for looking into; nothing here counts as a call."""

    def __init__(self, world: World, audience: Audience) -> None:
        """Wrap an audience of this world."""
        self._world = world
        self.state = audience
        self.id = audience.id
        self.name = audience.name

    def add(
        self,
        address: str,
        *,
        status: str = "subscribed",
        cause: str = "",
        merge_fields: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Put somebody in, or change them. `cause`: "self", "admin", "bounce", "review" or ""."""
        if status not in STATUSES:
            message = f"unknown status {status}"
            raise ValueError(message)
        now = self._world.seconds()
        with self.state.lock:
            member = self.state.members.get(digest(address))
            if member is None:
                member = Member(address, self._world.member_number(), now)
                self.state.add(member, status, cause)
            else:
                self.state.set_status(member, status, cause, now)
            if merge_fields is not None:
                kept = orjson.loads(member.merge) | merge_fields
                member.merge = orjson.dumps({k: v for k, v in kept.items() if v != ""})
            ids = {self.state.tag(tag, self._world.segment_id, now) for tag in tags}
            if ids:
                self.state.set_tags(member, ids | set(member.tags), now)

    def unsubscribe(self, address: str, *, by: str = "self") -> None:
        """Somebody leaves: by themselves ("self"), or taken off by an admin ("admin")."""
        self.add(address, status="unsubscribed", cause=by)

    def forget(self, address: str) -> None:
        """Delete somebody for good, as delete-permanent does."""
        with self.state.lock:
            self.state.remove(self.state.members[digest(address)], self._world.seconds())

    def members(self) -> dict[str, MemberView]:
        """Everybody, archived people too, by lower-cased address."""
        return {view.email_address.lower(): view for view in self.each()}

    def each(self) -> Iterator[MemberView]:
        """Everybody, one at a time, as it was when asked."""
        with self.state.lock:
            people = list(self.state.members.values())
        for member in people:
            yield MemberView(
                member.address,
                member.status,
                member.cause,
                orjson.loads(member.merge),
                frozenset(self.state.segments[tag].name for tag in member.tags),
            )

    def member(self, address: str) -> MemberView | None:
        """One person, or None."""
        return self.members().get(address.lower())

    def statuses(self) -> dict[str, int]:
        """How many people of each status."""
        return {status: n for status, n in self.state.counts.items() if n}

    def tags(self) -> dict[str, int]:
        """Tag name -> how many people carry it, whatever their status."""
        with self.state.lock:
            return {s.name: s.counts.total() for s in self.state.segments.values()}

    def merge_tags(self) -> list[str]:
        """The merge tags, in order."""
        return [field.tag for field in self.state.merge_fields.values()]


class Sandbox:
    """A running Mailchimp. Use it as a context manager, or `start` and `close`.

    `now` gives seconds since 1970 and `sleep` waits, so that tests own the time.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make it with one account; it listens after `start`. Port 0 takes a free one."""
        self.world = World(options or Options(), now, sleep, seed=seed)
        self.account: Account = self.world.add_account()
        self._address = (host, port)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Sandbox:
        """Listen."""
        self._server = Server(self.world, *self._address)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox-mailchimp", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Sandbox:
        """Start."""
        return self.start()

    def __exit__(self, *gone: object) -> None:
        """Stop."""
        self.close()

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:40123 (Mailchimp's `api_endpoint`)."""
        return self.world.url

    @property
    def api_url(self) -> str:
        """The base of the Marketing API: `url` and /3.0."""
        return f"{self.world.url}/3.0"

    @property
    def api_key(self) -> str:
        """An API key of the first account."""
        return min(self.account.keys)

    @property
    def calls(self) -> Calls:
        """What was asked so far."""
        return self.world.calls

    def audience(
        self, name: str, *, double_optin: bool = False, account: Account | None = None
    ) -> AudienceView:
        """A new audience."""
        owner = account or self.account
        made = self.world.add_audience(owner, name, double_optin=double_optin)
        return AudienceView(self.world, made)

    def members(self, audience_id: str) -> dict[str, MemberView]:
        """Everybody in an audience, by lower-cased address; KeyError when there is no such audience."""
        found = self.world.audience(audience_id)
        if found is None:
            raise KeyError(audience_id)
        return AudienceView(self.world, found).members()

    def set(self, **switches: Any) -> None:
        """Turn switches of `Options` while it runs."""
        self.world.options = self.world.options.changed(switches)

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault; `fault.struck` counts."""
        return self.world.faults.arm(fault)

    def disarm(self) -> None:
        """Take all faults away."""
        self.world.faults.clear()

    def app(self, redirect_uri: str) -> OAuthApp:
        """Register an app for sign-in."""
        return self.world.add_app(redirect_uri)

    def token(self, app: OAuthApp) -> str:
        """A token for an app, as if somebody had allowed it."""
        return self.world.token_for(app.client_id, self.account)

    def revoke(self) -> None:
        """The owner removes every app and every key: 401 from now on."""
        self.world.revoke_tokens(self.account)
        for key in self.account.keys:
            self.world.keys.pop(key, None)

    def disable(self, disabled: bool = True) -> None:
        """Disable or enable the account: 403 User Disabled."""
        self.account.disabled = disabled
