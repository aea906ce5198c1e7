"""Load the ledger of a run, and find the people who may be sent.

Tags that were deleted in Mailchimp are removed from the ledger here, after the ledger has shown who was sent a tag that
exists again.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.memory import waiting_for_network
from shared.model.export import OnAddressChange
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import AUDIENCE_MOVED, LEDGER_MISSING
from shared.people.suppression import suppress_erased
from shared.planning.audience.changed_addresses import STORED_CONTACTS
from shared.planning.audience.found_audience import FoundAudience, status_for_new
from shared.planning.context import PlanContext
from shared.planning.reading.inputs import Inputs
from shared.planning.reading.ledger import VALUES, forget_tags, load_ledger, tags_in_ledger
from shared.planning.reading.rejected_rows import (
    no_usable_rows,
    repeated_header_findings,
    unreadable_findings,
)
from shared.planning.request import PlanRequest
from shared.planning.selecting.consent import find_do_not_send
from shared.planning.selecting.one_person import find_person
from shared.planning.selecting.retry import load_failed
from shared.planning.selecting.subscribed_again import forget_refusals


@dataclass(frozen=True)
class Eligibility:
    """What decides, beside the table `do_not_send`, who may be sent.

    `audience` names the tags that the run takes over. `status` is the status of new contacts. `deleted_tags` are tags of
    the ledger that the audience does not have any more, `tags_before` the names of the others by id. `only_failed`: a
    retry, which sends only the people of `failed`. `nothing_to_send` is why no row can be sent, or None.
    """

    audience: FoundAudience
    status: str
    deleted_tags: tuple[int, ...]
    tags_before: dict[int, str]
    only_failed: bool
    nothing_to_send: Reason | None


def find_eligible(context: PlanContext, inputs: Inputs) -> Eligibility:
    """Fill `ledger` and `do_not_send` and, for a retry, `failed`. Erased people are removed from all tables."""
    db, request, dependencies = context.db, context.request, context.dependencies
    _load_ledger(context, inputs)
    if request.person is not None:
        find_person(db, request.person, dependencies.erasures)
    suppress_erased(db, dependencies.erasures.marker_for_all())
    audience = _take_over_replaced(context, inputs.audience)
    existing, in_ledger = audience.tags.existing, tags_in_ledger(db)
    deleted = tuple(tag for tag in in_ledger if tag not in existing)
    forget_tags(db, deleted)
    names = {tag: existing[tag] for tag in in_ledger if tag in existing}
    status = status_for_new(request.export, audience.audience)
    retried = request.run.retry_of
    only_failed = retried is not None and load_failed(
        db, dependencies.files, retried, context.scratch
    )
    reason = no_usable_rows(db, request.export, inputs.rows.people)
    if request.person is None:
        context.findings += (*unreadable_findings(db), *repeated_header_findings(db))
    find_do_not_send(db, status, add_archived=request.adds_archived)
    inputs.source.exclusions.apply(db)
    return Eligibility(audience, status, deleted, names, only_failed, reason)


def _load_ledger(context: PlanContext, inputs: Inputs) -> None:
    """Load the ledger that was downloaded; without it, everyone is compared with an empty one."""
    db, request, pointer = context.db, context.request, inputs.source.pointer
    if pointer is not None and not request.is_of_audience(pointer):
        context.findings.append(Finding(Severity.INFO, AUDIENCE_MOVED))
    elif pointer is not None and inputs.ledger is None:
        context.findings.append(Finding(Severity.WARNING, LEDGER_MISSING))
    load_ledger(db, inputs.ledger_file, without=_unused_columns(request))
    if inputs.ledger_file is not None:
        forget_refusals(db, inputs.ledger_file, context.scratch / STORED_CONTACTS)


def _take_over_replaced(context: PlanContext, found: FoundAudience) -> FoundAudience:
    """Take over tags that exist again. The ledger must still have the deleted ones."""
    if not found.tags.former_ids:
        return found
    with waiting_for_network(context.db):
        audience = context.audience.take_over_replaced(context.db, found)
    context.findings += [
        Finding(Severity.WARNING, "tagReplaced", values={"tag": name})
        for name in sorted(audience.taken_over_names)
    ]
    return audience


def _unused_columns(request: PlanRequest) -> set[str]:
    """The columns of the ledger that this plan does not need in a table."""
    unused = set(VALUES)
    if request.run.retry_of is None:
        unused.add("run_id")
    if request.export.on_address_change is not OnAddressChange.ARCHIVE:
        unused.add("created_by")
    return unused
