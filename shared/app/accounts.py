"""Sessions with Mailchimp accounts, within the number of connections that an account allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.pace import AccountPace, Pace
from shared.capacity.slots import SlotHolder, Slots
from shared.connections.mailchimp_accounts import MailchimpAccounts
from shared.mailchimp.gateway import MailchimpGateway
from shared.shared_reads import SharedReads

if TYPE_CHECKING:
    from shared.app import App


def mailchimp(app: App) -> MailchimpGateway:
    """Opens sessions with the accounts of connections."""
    return MailchimpGateway(
        SharedReads(app.mailchimp_accounts.connection),
        SharedReads(app.secrets.get),
        clock=app.runtime.monotonic,
        sleep=app.runtime.sleep,
        random=app.runtime.random,
        api_url=app.settings.mailchimp.api_url,
    )


def mailchimp_accounts(app: App) -> MailchimpAccounts:
    """The accounts of the connections."""
    return MailchimpAccounts(app.connections)


def slots(app: App) -> Slots:
    """The simultaneous connections that an account allows."""
    return Slots(
        app.leases,
        app.table("slots", SlotHolder),
        app.settings.mailchimp.connections,
        app.runtime.token,
    )


def pace(app: App) -> AccountPace:
    """How many connections to an account may send at the moment."""
    return AccountPace(
        app.table("paces", Pace), app.settings.mailchimp.connections, app.runtime.now
    )


def sessions(app: App) -> OnDemandSessions:
    """Short sessions next to the lanes, within the limit of connections."""
    return OnDemandSessions(
        app.mailchimp,
        app.slots,
        app.pace,
        app.mailchimp_accounts.account_of,
        app.runtime.monotonic,
        app.runtime.sleep,
    )
