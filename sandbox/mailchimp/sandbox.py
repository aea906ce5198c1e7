"""The sandbox from Python: start it, add contacts, inject faults, inspect it, stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox.mailchimp import state_file
from sandbox.mailchimp.calls import Calls
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.options import Options
from sandbox.mailchimp.server import Server
from sandbox.mailchimp.state import Account, Automation
from sandbox.mailchimp.view import AudienceView, MemberView
from sandbox.mailchimp.world import OAuthApp, World


class Sandbox:
    """A running Mailchimp. Use it as a context manager, or `start` and `close`.

    `now` gives seconds since 1970 and `sleep` waits, so that tests control the time.
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
        """Create it with one account; it listens after `start`. Port 0 takes a free one."""
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
        """The calls so far."""
        return self.world.calls

    def audience(
        self, name: str, *, double_optin: bool = False, account: Account | None = None
    ) -> AudienceView:
        """A new audience."""
        owner = account or self.account
        made = self.world.add_audience(owner, name, double_optin=double_optin)
        return AudienceView(self.world, made)

    def automation(
        self,
        audience: AudienceView,
        title: str,
        workflow_type: str = "welcomeSeries",
        status: str = "sending",
    ) -> Automation:
        """A new classic automation of an audience of the first account."""
        number, created = self.world.hex(10), int(self.world.now())
        made = Automation(number, audience.id, title, workflow_type, status, created)
        self.account.automations.append(made)
        return made

    def members(self, audience_id: str) -> dict[str, MemberView]:
        """All contacts of an audience by lower-cased address; KeyError without such an audience."""
        found = self.world.audience(audience_id)
        if found is None:
            raise KeyError(audience_id)
        return AudienceView(self.world, found).members()

    def audiences(self) -> Iterator[AudienceView]:
        """All audiences of all accounts."""
        for account in self.world.accounts.values():
            for audience in account.audiences.values():
                yield AudienceView(self.world, audience)

    def save(self, path: Path) -> None:
        """Write everything to a file; call it while no call is in flight."""
        state_file.save(self.world, path)

    def load(self, path: Path) -> None:
        """Replace everything by a file that `save` wrote."""
        state_file.load(self.world, path)
        self.account = next(iter(self.world.accounts.values()))

    def set(self, **switches: Any) -> None:
        """Change `Options` while it runs."""
        self.world.options = self.world.options.changed(switches)

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault; `fault.affected` counts."""
        return self.world.faults.arm(fault)

    def deliver_webhooks(self) -> int:
        """Post the events that wait because of the option `hold_webhooks`. Returns their number."""
        return self.world.webhooks.deliver(self.world)

    def disarm(self) -> None:
        """Remove all faults."""
        self.world.faults.clear()

    def app(self, redirect_uri: str) -> OAuthApp:
        """Register an app for sign-in."""
        return self.world.add_app(redirect_uri)

    def token(self, app: OAuthApp) -> str:
        """A token for an app, as if its owner had allowed it."""
        return self.world.token_for(app.client_id, self.account)

    def revoke(self) -> None:
        """The owner removes every app and every key: 401 from now on."""
        self.world.revoke_tokens(self.account)
        for key in self.account.keys:
            self.world.keys.pop(key, None)

    def disable(self, disabled: bool = True) -> None:
        """Disable or enable the account: 403 User Disabled."""
        self.account.disabled = disabled
