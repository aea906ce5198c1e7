"""Makes calls to the audiences of all exports, for a person who may be in any of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, Disconnected, Refused, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.model.export import Export
from shared.model.names import audience_key
from shared.request_time import RequestThreads

# An account that does not answer takes two minutes, so the others do not wait for it.
_ACCOUNTS_AT_ONCE = 8


@dataclass(frozen=True)
class Unreached:
    """The audiences (ids) that were not reached, each with the name of an export that uses it.

    `unavailable` is the error if Mailchimp is temporarily unavailable.
    """

    audiences: dict[str, str] = field(default_factory=dict)
    unavailable: Unavailable | None = None


@dataclass(frozen=True)
class AllAudiences:
    """Calls audiences. `account_of` returns the id of the Mailchimp account of a connection."""

    sessions: OnDemandSessions
    account_of: Callable[[str], str]

    def each(
        self,
        exports: Sequence[Export],
        work: Callable[[MailchimpSession, str], None],
        patience: float,
        without: Collection[str] = (),
    ) -> Unreached:
        """Call `work` with a session and the key of each audience that these exports use, once for each.

        Audiences (ids) in `without` are left out. A session waits `patience` seconds for a connection. Several accounts are
        called at the same time, each in a thread.
        """
        by_account: dict[str, list[Export]] = {}
        for export in sorted(exports, key=lambda one: one.sort_key):
            if export.audience_id not in without:
                by_account.setdefault(self._account(export), []).append(export)
        no_account = by_account.pop("", [])

        def call(account_id: str) -> tuple[set[str], Unavailable | None]:
            return self._call_account(account_id, by_account[account_id], work, patience)

        with RequestThreads(_ACCOUNTS_AT_ONCE) as threads:
            results = list(threads.map(call, by_account))
        done = {audience for reached, _ in results for audience in reached}
        unreached: dict[str, str] = {}
        for export in chain(no_account, *by_account.values()):
            if export.audience_id not in done:
                unreached.setdefault(export.audience_id, export.display_name)
        unavailable = next((error for _, error in results if error is not None), None)
        return Unreached(unreached, unavailable)

    def _account(self, export: Export) -> str:
        """The account of the connection of an export; empty without one."""
        try:
            return self.account_of(export.connection_id) if export.connection_id else ""
        except (ConfigError, Refused):
            return ""

    def _call_account(
        self,
        account_id: str,
        exports: Sequence[Export],
        work: Callable[[MailchimpSession, str], None],
        patience: float,
    ) -> tuple[set[str], Unavailable | None]:
        """Call `work` for each audience of an account. Returns the audiences (ids), and the error that ended the calls."""
        done: set[str] = set()
        refused: set[str] = set()
        for export in exports:
            audience, connection_id = export.audience_id, export.connection_id or ""
            if audience in done or connection_id in refused:
                continue
            try:
                with self.sessions.session(connection_id, account_id, patience) as session:
                    work(session, audience_key(account_id, audience))
            except Disconnected:
                refused.add(connection_id)
            except (ConfigError, Refused):
                continue
            except Unavailable as error:
                return done, error
            else:
                done.add(audience)
        return done, None
