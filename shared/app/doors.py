"""The doors to the outside: Customer Insights, Entra and Mailchimp."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from shared.app.stores import RowCount, Stores
from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.pace import AccountPace, Pace
from shared.capacity.slots import SlotHolder, Slots
from shared.connections.connections import Connections
from shared.connections.entra import (
    CUSTOMER_INSIGHTS,
    AppRegistration,
    Entra,
    PendingSignIn,
)
from shared.connections.export_users import ExportUsers
from shared.errors import ConfigError, Conflict, NotFound
from shared.exports.definitions import Definitions
from shared.mailchimp.connect import MailchimpApiKeys, MailchimpSignIn
from shared.mailchimp.gateway import MailchimpGateway
from shared.messaging.events import log_connection_lost
from shared.model.connection import Connection
from shared.model.ports import Records
from shared.segments.catalogue import Catalogue
from shared.segments.container import LandingContainer
from shared.segments.described import DescribedCatalogue
from shared.segments.remembered import Remembered
from shared.segments.rest import CustomerInsightsApi
from shared.segments.source import BlobSegments
from shared.storage.clients import (
    container_client,
    credential_for,
    token_for,
)

__all__ = ["Doors"]


@dataclass(frozen=True)
class _Counts:
    """Remembers row counts in a table."""

    records: Records[RowCount]

    def get(self, key: str) -> int | None:
        stored = self.records.read(key)
        return stored.value.rows if stored else None

    def put(self, key: str, count: int) -> None:
        with suppress(Conflict):
            self.records.create(key, RowCount(count))


@dataclass
class Doors(Stores):
    """Whoever is called, and how many calls at once."""

    # --- Customer Insights -----------------------------------------------------------------

    @cached_property
    def landing(self) -> LandingContainer:
        """The container in which Customer Insights leaves segments."""
        where = self.settings.segments
        return LandingContainer(container_client(where.storage, where.container))

    @cached_property
    def source(self) -> BlobSegments:
        """Segments, frozen and read."""
        return BlobSegments(self.landing, self.settings.segments.root)

    @cached_property
    def catalogue(self) -> Catalogue | DescribedCatalogue:
        """What can be exported; with names and sizes from the REST API where it is configured."""
        counts = _Counts(self.table("rowcounts", RowCount))
        exported = Catalogue(self.landing, self.settings.segments.root, counts)
        api = self.customer_insights
        return DescribedCatalogue(exported, Remembered(api, self.chance.clock)) if api else exported

    @cached_property
    def customer_insights(self) -> CustomerInsightsApi | None:
        """The REST API of Customer Insights, where it is configured."""
        where = self.settings.customer_insights
        if not where.instance_id:
            return None
        return CustomerInsightsApi(
            where.api_url,
            where.instance_id,
            where.subscription_key,
            self.export_users.token,
            self.chance.sleep,
            refused=self.export_users.refused,
        )

    @cached_property
    def entra(self) -> Entra | None:
        """Entra's sign-in page for export users, where the app is registered with Entra."""
        where = self.settings.entra
        if not (where.client_id and where.client_secret):
            return None
        # Without the API there is nothing to ask for but who it is.
        scopes = (CUSTOMER_INSIGHTS,) if self.settings.customer_insights.instance_id else ()
        registration = AppRegistration(
            where.tenant_id, where.client_id, where.client_secret, where.authority, scopes
        )
        pending = self.table("signins", PendingSignIn)
        return Entra(registration, pending, self.chance.now)

    @cached_property
    def export_users(self) -> ExportUsers:
        """As whom the REST API is asked."""
        return ExportUsers(
            self.connections, self.secrets, self.entra, self._app_token, self.chance.now
        )

    def _app_token(self) -> str:
        """The token of the app itself: its managed identity in Azure, else its registration."""
        if self.settings.in_azure:
            return token_for(credential_for(self.settings.storage), CUSTOMER_INSIGHTS)
        if self.entra is None:
            message = "Nobody is there to read Customer Insights as: add the export user."
            raise ConfigError(message, code="exportUserMissing")
        return self.entra.app_token().token

    # --- Mailchimp -------------------------------------------------------------------------

    @cached_property
    def mailchimp(self) -> MailchimpGateway:
        """Sessions to the account behind a connection."""
        return MailchimpGateway(
            self._connection,
            self.secrets.get,
            clock=self.chance.clock,
            sleep=self.chance.sleep,
            random=self.chance.chance,
            api_url=self.settings.mailchimp.api_url,
        )

    @cached_property
    def api_key_door(self) -> MailchimpApiKeys:
        """Checks API keys."""
        return MailchimpApiKeys(self.mailchimp.open_with)

    @cached_property
    def sign_in_door(self) -> MailchimpSignIn | None:
        """Mailchimp's sign-in page, where the app is registered with Mailchimp."""
        where = self.settings.mailchimp
        if not (where.client_id and where.client_secret):
            return None
        return MailchimpSignIn(
            where.login_url, where.client_id, where.client_secret, self.mailchimp.open_with
        )

    @cached_property
    def slots(self) -> Slots:
        """The connections that an account allows."""
        return Slots(
            self.leases,
            self.table("slots", SlotHolder),
            self.settings.mailchimp.connections,
            self.chance.token,
        )

    @cached_property
    def pace(self) -> AccountPace:
        """How many of them lanes may use."""
        return AccountPace(
            self.table("paces", Pace), self.settings.mailchimp.connections, self.chance.now
        )

    @cached_property
    def guests(self) -> OnDemandSessions:
        """Calls beside the lanes."""
        return OnDemandSessions(
            self.mailchimp, self.slots, self.pace, self.chance.clock, self.chance.sleep
        )

    def account_of(self, connection_id: str) -> str:
        """The Mailchimp account behind a connection. NotFound when there is no connection."""
        connection = self._connection(connection_id)
        if connection is None:
            msg = "The connection is gone."
            raise NotFound(msg, code="connectionNotFound")
        # Without a grant nothing is called; the connection stands for its account until then.
        return connection.grant.account_id if connection.grant else connection.id

    def lose_connection(self, connection_id: str) -> None:
        """Mailchimp does not accept the grant any more: someone must connect again."""
        log_connection_lost(connection_id)
        definitions = Definitions(
            self.exports, lambda _: False, self.chance.now, self.chance.new_id
        )
        with suppress(NotFound):  # removed while a run used it: nobody is left to be asked
            Connections(
                self.connections, self.secrets, definitions, self.chance.now, self.chance.new_id
            ).lose(connection_id)

    def _connection(self, connection_id: str) -> Connection | None:
        stored = self.connections.read(connection_id)
        return stored.value if stored else None
