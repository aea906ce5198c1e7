"""Finishing runs, and the results of previews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.finishing.erased_contacts import ErasedContacts
from shared.finishing.finish import Finisher
from shared.finishing.finish_steps import FinishSteps
from shared.finishing.ledger_pointers import LedgerPointers
from shared.finishing.mailchimp_check import MailchimpCheck
from shared.previews.differences import Differences
from shared.sending.chunk_payload import ChunkPayloads

if TYPE_CHECKING:
    from shared.app import App


def finisher(app: App) -> Finisher:
    """Finishes runs."""
    steps = FinishSteps(
        transitions=app.transitions,
        chunks=app.chunks,
        pointers=LedgerPointers(app.ledgers, app.files),
        erasures=app.erasures,
        files=app.files,
        check=app.mailchimp_check,
        erased_contacts=ErasedContacts(app.erasures, app.sessions),
        pace=app.pace,
        outcome_file=app.outcome_file,
        now=app.runtime.now,
        token=app.runtime.token,
    )
    return Finisher(
        runs=app.runs,
        transitions=app.transitions,
        chunks=app.chunks,
        leases=app.leases,
        slots=app.slots,
        pace=app.pace,
        plan_of=app.plans.get,
        abandon=app.abandon,
        now=app.runtime.now,
        steps=steps,
    )


def mailchimp_check(app: App) -> MailchimpCheck:
    """Checks runs against Mailchimp before they are closed."""
    return MailchimpCheck(
        app.sessions,
        app.files,
        lambda plan: ChunkPayloads(plan, app.chunks, app.files, app.runtime.now),
        app.mailchimp_accounts.connection_lost,
        app.stored_contacts,
    )


def differences(app: App) -> Differences:
    """Reads the differences of previews, person by person."""
    return Differences(app.plans, app.chunks, app.files, app.runtime.now)
