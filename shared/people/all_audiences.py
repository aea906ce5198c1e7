"""Makes calls to the audiences of all exports, for a person who may be in any of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, Disconnected, NotFound, Refused, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.model.export import Export
from shared.model.names import audience_key


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

        Audiences (ids) in `without` are left out. A session waits `patience` seconds for a connection. A person waits
        for the result.
        """
        done: set[str] = set(without)
        unavailable: Unavailable | None = None
        # Each of these accounts, and of these connections, is called only once.
        unavailable_accounts: set[str] = set()
        refused_connections: set[str | None] = set()
        unreached: dict[str, str] = {}
        for export in sorted(exports, key=lambda one: one.sort_key):
            audience, account_id = export.audience_id, ""
            if audience in done:
                continue
            unreached.setdefault(audience, export.display_name)
            try:
                if not export.connection_id:
                    raise NotFound("noConnection")
                account_id = self.account_of(export.connection_id)
                if account_id in unavailable_accounts:
                    continue
                if export.connection_id in refused_connections:
                    continue
                with self.sessions.session(
                    export.connection_id, account_id, patience, person_waits=True
                ) as session:
                    work(session, audience_key(account_id, audience))
            except Disconnected:
                refused_connections.add(export.connection_id)
                continue
            except (ConfigError, Refused):
                continue
            except Unavailable as error:
                unavailable = error
                unavailable_accounts.add(account_id)
                continue
            done.add(audience)
            del unreached[audience]
        return Unreached(unreached, unavailable)
