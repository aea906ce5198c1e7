"""Find what a run changes: check it against the guards, create missing fields and tags, compare people with the ledger.

When the run ends or waits instead, it still carries out withdrawals of consent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.memory import waiting_for_network
from shared.model.export import Leavers
from shared.model.figures import AudienceSize
from shared.model.finding import Finding, Severity
from shared.model.names import former_holders_blob, outcomes_table, own_tag_holders_blob
from shared.model.ports import download_if_exists, exists
from shared.people.suppression import suppress_erased_in_former_holders
from shared.planning.audience.former_holders import write_former_holders
from shared.planning.audience.found_audience import FoundAudience
from shared.planning.checking.audience_size import check_budget, predict_size
from shared.planning.checking.automations import automation_findings
from shared.planning.checking.guards import apply_guards, guard_tags
from shared.planning.comparing.compare import Rules, compare
from shared.planning.comparing.former_addresses import plan_former_addresses
from shared.planning.comparing.withdrawals import (
    any_withdrawals,
    keep_only_withdrawals,
    plan_unsubscribes,
    send_no_one,
)
from shared.planning.context import PlanContext
from shared.planning.fingerprint import field_rules, mapping_fingerprint
from shared.planning.reading.inputs import Inputs
from shared.planning.selecting.eligibility import Eligibility
from shared.planning.selecting.one_person import keep_only_person
from shared.planning.selecting.retry import not_retried
from shared.runs.planning_ended import PlanningEnded

# Findings about what a run creates.
_ABOUT_CREATION = frozenset({"mergeFieldToCreate", "tagRecreated"})


@dataclass(frozen=True)
class ComparisonResult:
    """What the comparison leads to: the audience with its new fields and tags, and its predicted size after the run.

    `ended` is why the run only carries out withdrawals of consent; None for all other runs.
    """

    audience: FoundAudience
    size: AudienceSize | None
    ended: PlanningEnded | None = None


def check_and_compare(
    context: PlanContext, inputs: Inputs, eligible: Eligibility
) -> ComparisonResult:
    """Check the guards, create missing fields and tags in Mailchimp, and fill `changes`.

    PlanningEnded when the run ends or waits and there is no withdrawal of consent to carry out.
    """
    db, request = context.db, context.request
    try:
        audience = _check_and_create(context, inputs, eligible)
        size = _compare(context, inputs, eligible, audience)
    except PlanningEnded as end:
        if request.person is not None or not any_withdrawals(db, request.export):
            raise
        _compare_withdrawals(context, inputs, eligible, end)
        return ComparisonResult(eligible.audience, end.audience_size, end)
    return ComparisonResult(audience, size)


def _check_and_create(context: PlanContext, inputs: Inputs, eligible: Eligibility) -> FoundAudience:
    """Apply the guards, then create missing fields and tags."""
    request, found, db = context.request, eligible.audience, context.db
    context.findings += guard_tags(request, found.tags, inputs.rows)
    # Rows that failed before, or one person, are no sign of a mistake.
    if not eligible.only_failed and request.person is None:
        context.findings += _apply_guards(context, inputs, found)
    if request.is_preview:
        return found
    if inputs.ledger is None and inputs.source.pointer is not None:
        _record_holders_of_own_tags(context, found)
    if found.is_ready:
        return found
    if eligible.nothing_to_send is not None and all(tag.id < 0 for tag in found.tags.tags):
        # The run fails because no row is usable. None of its tags exists yet, so it leaves neither tags nor fields behind.
        context.findings[:] = [one for one in context.findings if one.code not in _ABOUT_CREATION]
        return found
    inputs.source.settle(db)
    for tag_id in found.tags.taken_over_ids:
        _record_former_holders(context, tag_id, former_holders_blob(request.run.id, tag_id))
    with waiting_for_network(db):
        return context.audience.create_missing(found)


def _record_holders_of_own_tags(context: PlanContext, found: FoundAudience) -> None:
    """Store who has the tags of the export, for an undo: it has sent to another audience since, or its ledger was deleted."""
    for tag in found.tags.tags:
        if tag.member_count and tag.id not in found.tags.taken_over_ids:
            blob = own_tag_holders_blob(context.request.run.id, tag.id)
            # An attempt that is delayed must not record people whom the run has sent.
            if not exists(context.dependencies.files, blob):
                _record_former_holders(context, tag.id, blob)


def _record_former_holders(context: PlanContext, tag_id: int, blob: str) -> None:
    """Store who has a tag, for an undo. A tag of others is recorded before the export owns it: a later attempt at planning takes over nothing."""
    db, dependencies = context.db, context.dependencies
    with waiting_for_network(db):
        context.audience.read_former_holders(db, tag_id)
    suppress_erased_in_former_holders(db, dependencies.erasures.marker_for_all())
    file = context.scratch / "former-holders.parquet"
    write_former_holders(db, file)
    with waiting_for_network(db):
        dependencies.files.upload(file, blob)


def _apply_guards(context: PlanContext, inputs: Inputs, found: FoundAudience) -> list[Finding]:
    db, pointer = context.db, inputs.source.pointer

    def overlap() -> tuple[int, int]:
        if not found.contacts.get("subscribed"):
            return 0, 0
        with waiting_for_network(db):
            return context.audience.compare_samples(db)

    return apply_guards(
        db,
        context.request,
        inputs.rows,
        found.tags.tags,
        overlap,
        inputs.excluded_members,
        _outcomes_before(context, inputs),
        comparable=pointer is not None and pointer.is_whole,
    )


def _outcomes_before(context: PlanContext, inputs: Inputs) -> Path | None:
    """Download the outcomes of the last complete run, if an empty value of the consent attribute allows email."""
    contacts, pointer = context.request.export.new_contacts, inputs.source.pointer
    has_objections = (
        contacts.consent_attribute is not None and contacts.consent_meaning.empty_allows
    )
    if pointer is None or not has_objections:
        return None
    local = context.scratch / "outcomes-before.parquet"
    blob = outcomes_table(pointer.run_with_objections)
    with waiting_for_network(context.db):
        return local if download_if_exists(context.dependencies.files, blob, local) else None


def _compare(
    context: PlanContext, inputs: Inputs, eligible: Eligibility, audience: FoundAudience
) -> AudienceSize | None:
    """Compare people with the ledger, and plan what happens to contacts beyond their tags.

    Returns the predicted size of the audience.
    """
    db, request = context.db, context.request
    export = request.export
    _compare_with_ledger(
        context,
        inputs,
        audience,
        only_failed=eligible.only_failed,
        removes_tags=eligible.nothing_to_send is None and export.leavers is Leavers.REMOVE_TAG,
    )
    if eligible.only_failed:
        context.findings += not_retried(db)
    plan_unsubscribes(db, export)
    plan_former_addresses(db, export)
    context.findings += inputs.source.exclusions.remove_tags(db)
    if request.person is not None:
        keep_only_person(db, request.person)
    with waiting_for_network(db):
        size, uncertain = predict_size(
            db, context.audience, audience.contacts, is_preview=request.is_preview
        )
        automations = automation_findings(db, request, context.audience.automations)
    over_budget = check_budget(size, inputs.rows, is_preview=request.is_preview)
    context.findings += [*uncertain, *over_budget, *automations]
    return size


def _compare_withdrawals(
    context: PlanContext, inputs: Inputs, eligible: Eligibility, ended: PlanningEnded
) -> None:
    """Plan only what withdrawals of consent change, for a run that waits or sends nothing."""
    db = context.db
    send_no_one(db)
    _compare_with_ledger(context, inputs, eligible.audience, only_failed=True, removes_tags=False)
    keep_only_withdrawals(db)
    plan_unsubscribes(db, context.request.export)
    context.findings += [*ended.findings, Finding(Severity.INFO, "withdrawalsOnly")]


def _compare_with_ledger(
    context: PlanContext,
    inputs: Inputs,
    audience: FoundAudience,
    *,
    only_failed: bool,
    removes_tags: bool,
) -> None:
    request, mapping = context.request, context.request.export.mapping
    # A field that was deleted and created again has no values, and may have its former id.
    creates_field = any(found.code == "mergeFieldToCreate" for found in audience.findings)
    compare(
        context.db,
        Rules(
            tag_ids=[tag.id for tag in audience.tags.tags],
            mapping=mapping_fingerprint(mapping, audience.merge_fields, inputs.attributes),
            field_rules=field_rules(mapping, audience.merge_fields),
            everything=request.sends_unchanged or creates_field,
            ask_again=request.sends_unchanged or request.run.retry_of is not None,
            remove_tags=removes_tags,
            retry=only_failed,
        ),
    )
