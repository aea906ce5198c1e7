"""The composed and the decomposed form of a name are one tag, also for what earlier versions stored."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import replace

import pytest

from shared.model.export import NewContacts, SegmentChoice
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

COMPOSED = "카페"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
PEOPLE = [person(number) for number in range(3)]


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts(), segments=(SegmentChoice("People", DECOMPOSED),))
    return rows


def tags(rows: RowDeployment) -> set[str]:
    return {segment.name for segment in rows.deployment.audience.state.segments.values()}


def test_an_export_keeps_its_decomposed_tag_when_its_name_is_composed(rows: RowDeployment) -> None:
    rows.run(*PEOPLE)
    rows.change(segments=(SegmentChoice("People", COMPOSED),))

    run = rows.run(*PEOPLE, person(3))

    assert (run.status, codes(run)) == (RunStatus.SUCCESSFUL, {})
    assert tags(rows) == {DECOMPOSED}
    assert len(list(rows.deployment.app.tag_owners.all())) == 1


def test_a_tag_that_mailchimp_returns_in_another_form_is_not_renamed(rows: RowDeployment) -> None:
    rows.run(*PEOPLE)
    (segment,) = rows.deployment.audience.state.segments.values()
    names = rows.deployment.audience.state.names
    names[COMPOSED] = names.pop(DECOMPOSED)
    segment.name = COMPOSED

    run = rows.run(*PEOPLE, person(3))

    assert (run.status, codes(run)) == (RunStatus.SUCCESSFUL, {})
    assert tags(rows) == {COMPOSED}


def test_an_export_cannot_have_a_tag_that_looks_like_that_of_another_one(
    rows: RowDeployment,
) -> None:
    rows.run(*PEOPLE)
    app = rows.deployment.app
    other = replace(app.exports.read(EXPORT).value, id="e2")
    app.exports.create("e2", replace(other, segments=(SegmentChoice("People", COMPOSED),)))

    run = rows.deployment.run_to_end(app.starter.start("e2").id)

    assert run.reason.code == "tagOwnedByOtherExport"
    assert tags(rows) == {DECOMPOSED}


def test_two_tags_that_an_earlier_version_created_stay_with_their_exports(
    rows: RowDeployment,
) -> None:
    rows.run(*PEOPLE)
    app = rows.deployment.app
    state = rows.deployment.audience.state
    other = replace(app.exports.read(EXPORT).value, id="e2")
    (owner,) = app.tag_owners.all()
    app.exports.create("e2", replace(other, segments=(SegmentChoice("People", COMPOSED),)))
    tag_id = state.tag(COMPOSED, rows.deployment.sandbox.world.segment_id, 0)
    key = tag_owner_key(owner.key, COMPOSED)
    app.tag_owners.create(key, replace(owner.value, export_id="e2", tag_id=tag_id))

    runs = [rows.deployment.run_to_end(app.starter.start(e).id) for e in (EXPORT, "e2")]

    assert [(run.status, codes(run)) for run in runs] == [(RunStatus.SUCCESSFUL, {})] * 2
    assert {owner.value.tag_id for owner in app.tag_owners.all()} == set(state.segments)


def tag_owner_key(other: str, name: str) -> str:
    """The key of the record of a tag, in the audience of another one."""
    digest = hashlib.sha256(name.casefold().encode()).hexdigest()[:32]
    return f"{other.rpartition('/')[0]}/{digest}"
