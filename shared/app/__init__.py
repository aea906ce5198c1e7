"""The composition root: every part of the app, made from the settings and connected to the others.

`App` lists the parts. In the modules beside it, one function makes each part: it takes the app, and passes on
the settings and the other parts that the new one needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, TypeVar

from shared.app import (
    accounts,
    consent,
    finishing,
    lifecycle,
    messages,
    people,
    planning,
    records,
    scheduling,
    segments,
    sending,
    sign_in,
    storage,
    triggers,
    web_app,
)
from shared.model.ports import Records
from shared.runtime import Runtime
from shared.settings import Settings, load
from shared.storage.records import TableRecords
from shared.temporary import delete_abandoned_folders

T = TypeVar("T")


class App:
    """All parts of one app. A part is made when it is first used."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings
        self.runtime = runtime

    # --- Storage -----------------------------------------------------------------------------

    clients = cached_property(storage.clients)
    files = cached_property(storage.files)
    leases = cached_property(storage.leases)
    secrets = cached_property(storage.secrets)
    landing_clients = cached_property(storage.landing_clients)
    outcome_files = cached_property(storage.outcome_files)
    outcomes_url = cached_property(storage.outcomes_url)

    def table(
        self,
        name: str,
        value_type: type[T],
        columns: Callable[[T], Mapping[str, str]] = lambda _: {},
    ) -> Records[T]:
        """The records of one kind, in the table `name`. Only this package names tables."""
        return TableRecords(self.clients, name, value_type, columns)

    connections = cached_property(records.connections)
    exports = cached_property(records.exports)
    runs = cached_property(records.runs)
    newest_runs = cached_property(records.newest_runs)
    chunks = cached_property(records.chunks)
    sequence_states = cached_property(records.sequence_states)
    ledgers = cached_property(records.ledgers)
    not_subscribed = cached_property(records.not_subscribed)
    tag_owners = cached_property(records.tag_owners)
    schedules = cached_property(records.schedules)
    used_nonces = cached_property(records.used_nonces)
    consent_sweeps = cached_property(records.consent_sweeps)
    published_consent = cached_property(records.published_consent)

    # --- Queue messages ----------------------------------------------------------------------

    queue = cached_property(messages.queue)
    poison_queues = cached_property(messages.poison_queues)
    sequences = cached_property(messages.sequences)
    telemetry = cached_property(messages.telemetry)

    # --- Customer Insights and Mailchimp -----------------------------------------------------

    landing = cached_property(segments.landing)
    source = cached_property(segments.source)
    catalogue = cached_property(segments.catalogue)
    customer_insights = cached_property(segments.customer_insights)

    mailchimp_accounts = cached_property(accounts.mailchimp_accounts)
    mailchimp = cached_property(accounts.mailchimp)
    slots = cached_property(accounts.slots)
    pace = cached_property(accounts.pace)
    sessions = cached_property(accounts.sessions)

    api_keys = cached_property(sign_in.api_keys)
    mailchimp_sign_in = cached_property(sign_in.mailchimp_sign_in)
    entra = cached_property(sign_in.entra)
    export_users = cached_property(sign_in.export_users)
    sign_ins = cached_property(sign_in.sign_ins)

    # --- Runs --------------------------------------------------------------------------------

    scheduled_starts = cached_property(scheduling.scheduled_starts)
    open_refreshes = cached_property(scheduling.open_refreshes)
    refreshes = cached_property(scheduling.refreshes)

    starter = cached_property(lifecycle.starter)
    transitions = cached_property(lifecycle.transitions)
    plans = cached_property(lifecycle.plans)
    abandon = cached_property(lifecycle.abandon)
    progress = cached_property(lifecycle.progress)
    history = cached_property(lifecycle.history)
    commands = cached_property(lifecycle.commands)
    undo = cached_property(lifecycle.undo)
    one_person = cached_property(lifecycle.one_person)
    outcomes = cached_property(lifecycle.outcomes)
    outcome_file = cached_property(lifecycle.outcome_file)
    watchdog = cached_property(lifecycle.watchdog)
    leftovers = cached_property(lifecycle.leftovers)

    planner = cached_property(planning.planner)
    unused_contacts = cached_property(planning.unused_contacts)

    run_checks = cached_property(sending.run_checks)
    lanes = cached_property(sending.lanes)

    finisher = cached_property(finishing.finisher)
    mailchimp_check = cached_property(finishing.mailchimp_check)
    differences = cached_property(finishing.differences)

    # --- People, and their statuses for Customer Insights ------------------------------------

    search = cached_property(people.search)
    eraser = cached_property(people.eraser)
    erasures = cached_property(people.erasures)
    stored_contacts = cached_property(people.stored_contacts)
    exclusion_lists = cached_property(people.exclusion_lists)
    retention = cached_property(people.retention)

    consent_updates = cached_property(consent.consent_updates)
    consent_table = cached_property(consent.consent_table)
    consent_webhooks = cached_property(consent.consent_webhooks)

    # --- HTTP --------------------------------------------------------------------------------

    web = cached_property(web_app.web)
    authenticator = cached_property(web_app.authenticator)
    definitions = cached_property(web_app.definitions)
    connection_commands = cached_property(web_app.connection_commands)

    # --- What only the triggers call ---------------------------------------------------------

    tick = triggers.tick
    traced_message = triggers.traced_message
    poison_message = triggers.poison_message


def build(settings: Settings, runtime: Runtime | None = None, **overrides: Any) -> App:
    """Build an app with these settings. `overrides` replaces parts by the name of their property.

    `table` may be replaced as well, by a callable with the same parameters. Raises TypeError
    with the name of a part that does not exist.
    """
    built = App(settings, runtime or Runtime())
    for name, part in overrides.items():
        if not isinstance(vars(App).get(name), cached_property) and name != "table":
            message = f"The app has no part named {name!r}."
            raise TypeError(message)
        setattr(built, name, part)
    return built


@cache
def app() -> App:
    """The app of this process. ConfigError lists every setting that is wrong."""
    delete_abandoned_folders()
    return build(load())
