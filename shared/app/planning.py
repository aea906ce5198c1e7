"""Planning runs, and finding unused contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.planning.archiving.contact_use import UnusedContacts
from shared.planning.dependencies import PlanDependencies
from shared.planning.plan_builder import PlanBuilder
from shared.planning.planner import Planner
from shared.planning.undoing.undo_inputs import UndoInputs
from shared.previews.outcomes import PreviewOutcomes

if TYPE_CHECKING:
    from shared.app import App


def planner(app: App) -> Planner:
    """Plans runs."""
    dependencies = PlanDependencies(
        exports=app.exports,
        owners=app.tag_owners,
        not_subscribed=app.not_subscribed,
        contacts=app.stored_contacts,
        erasures=app.erasures,
        segments=app.source,
        files=app.files,
        sessions=app.sessions,
        max_profiles=app.settings.max_profiles,
        now=app.runtime.now,
        token=app.runtime.token,
    )
    builder = PlanBuilder(
        dependencies=dependencies,
        plans=app.plans,
        ledgers=app.ledgers,
        account_of=app.mailchimp_accounts.account_of,
        pace=app.pace,
        transitions=app.transitions,
        exclusions=app.exclusion_lists,
        undo_inputs=UndoInputs(app.exports, app.runs, app.plans, app.ledgers, app.exclusion_lists),
        sleep=app.runtime.sleep,
    )
    return Planner(
        runs=app.runs,
        transitions=app.transitions,
        exports=app.exports,
        chunks=app.chunks,
        queue=app.queue,
        sequences=app.sequences,
        leases=app.leases,
        builder=builder,
        plans=app.plans,
        pace=app.pace,
        connection_lost=app.mailchimp_accounts.connection_lost,
        connections=app.settings.mailchimp.connections,
        preview_outcomes=PreviewOutcomes(
            app.chunks, app.files, app.erasures, app.sessions, app.runtime.now
        ).write,
        run_lane=app.lanes.run,
    )


def unused_contacts(app: App) -> UnusedContacts:
    """Finds unused contacts, and archives them."""
    return UnusedContacts(
        exports=app.exports,
        ledgers=app.ledgers,
        not_subscribed=app.not_subscribed,
        files=app.files,
        sessions=app.sessions,
        account_of=app.mailchimp_accounts.account_of,
        starter=app.starter,
        now=app.runtime.now,
    )
