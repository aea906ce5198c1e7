"""Cases that planning and finishing must solve: repeated undo, another audience, a new field."""

from sandbox import wrap
from tests.e2e.running_app import ExportScenario, actual_audience, expected_audience
from tests.e2e.test_overlapping_exports import (
    PEOPLE,
    NewPlace,
    codes,
    edit,
    in_the_middle,
    side_by_side,
)
from tests.e2e.test_undo import start_undo
from tests.held_calls import held_calls
from tests.waiting import until


def test_a_canceled_undo_can_be_undone_again_for_the_rest(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(PEOPLE)
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(changed=1.0))
    run = scenario.run()
    changed = actual_audience(scenario.audience)
    with held_calls(scenario.running_app.sandbox, skip=1) as held:
        started = scenario.api.post(f"/api/runs/{run['id']}/undo")
        until(lambda: actual_audience(scenario.audience) != changed)
        held.until_waiting()
        scenario.api.post(f"/api/runs/{started['id']}/cancel")
    half = scenario.wait(started)
    assert half["status"] == "canceled"
    assert 0 < half["counts"]["updated"] < PEOPLE

    rest = start_undo(scenario, run)

    assert rest["status"] == "successful"
    assert rest["counts"]["updated"] == run["counts"]["updated"] - half["counts"]["updated"]
    assert actual_audience(scenario.audience) == before


def test_canceling_while_planning_ends_the_run(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(20)
    scenario.audience.add("friend@example.com", tags=[sample.segments[0].name])
    scenario.refresh(sample)
    scenario.define(sample)
    with held_calls(scenario.running_app.sandbox, "GET", r"/merge-fields") as held:
        started = scenario.start()
        held.until_waiting()
        assert scenario.api.get(f"/api/runs/{started['id']}")["status"] == "planning"
        scenario.api.post(f"/api/runs/{started['id']}/cancel")
    run = scenario.wait(started)

    assert run["status"] == "canceled"
    assert run["reason"]["code"] == "canceledBeforeSending"


def test_a_tag_that_an_export_no_longer_uses_can_be_used_by_others(
    new_scenario: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_scenario)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    one.run()
    edit(one, audienceId=new_scenario().audience.id)
    other.define([{"name": second, "tag": first}])

    waits = other.run()

    assert waits["reason"]["code"] == "tagExists"
    after = other.wait(other.api.post(f"/api/runs/{waits['id']}/confirm"))
    assert "tagTakenOver" in codes(after)


def test_an_undo_keeps_a_tag_that_belongs_to_another_export_now(
    new_scenario: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_scenario)
    first, second = (segment.name for segment in sample.segments)
    one.define([first, second])
    run = one.run()
    edit(one, segments=[{"name": first}])
    other.define([second])
    waits = other.run()
    other.wait(other.api.post(f"/api/runs/{waits['id']}/confirm"))

    start_undo(one, run)

    expected = expected_audience(sample)
    tags = {a: member.tags for a, member in one.audience.members().items()}
    assert tags == {a: person.tags & {second} for a, person in expected.items() if person.tags}


def test_people_without_consent_are_not_added_to_another_audience(
    new_scenario: NewPlace,
) -> None:
    scenario, elsewhere = new_scenario(), new_scenario()
    name = scenario.named("A")
    columns = ("CustomerId", "EMail", "Agrees")
    yes, no = f"yes{scenario.number}@example.org", f"no{scenario.number}@example.org"
    scenario.audience.add(no)
    scenario.refresh_table({name: wrap.Table(columns, (("1", yes, "yes"), ("2", no, "no")))})
    scenario.define(
        [name],
        mapping={"email": "EMail"},
        newContacts={"status": "subscribed", "consentAttribute": "Agrees"},
    )
    scenario.run()
    assert set(scenario.audience.members()) == {yes, no}
    edit(scenario, audienceId=elsewhere.audience.id)

    run = scenario.run()

    assert set(elsewhere.audience.members()) == {yes}
    assert run["counts"]["kept"] == 1
    assert "audienceMoved" in codes(run)
    assert set(scenario.audience.members()) == {yes, no}
    assert scenario.run()["calls"]["write"] == 0


def test_a_person_refused_by_one_audience_is_sent_to_another(new_scenario: NewPlace) -> None:
    scenario, elsewhere = new_scenario(), new_scenario()
    name = scenario.named("A")
    ada = f"ada{scenario.number}@example.org"
    scenario.audience.add(ada)
    scenario.audience.forget(ada)
    scenario.refresh_table({name: wrap.Table(("CustomerId", "EMail"), (("1", ada),))})
    scenario.define([name], mapping={"email": "EMail"})
    assert scenario.run()["counts"]["rejected"] == 1
    edit(scenario, audienceId=elsewhere.audience.id)

    scenario.run()

    assert set(elsewhere.audience.members()) == {ada}


def test_an_audience_without_the_fields_for_names_gets_them(scenario: ExportScenario) -> None:
    sample = scenario.sample(20)
    scenario.refresh(sample)
    scenario.audience.state.merge_fields.clear()
    scenario.define(sample)

    preview, run = scenario.run("preview"), scenario.run()

    assert preview["status"] == "successful"
    assert run["counts"]["created"] == 20
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_a_merge_field_that_gets_its_former_id_again_is_filled(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(20)
    scenario.run()
    fields = scenario.audience.state.merge_fields.items()
    (field,) = (number for number, field in fields if field.tag == "CITY")
    scenario.delete_in_mailchimp(f"/merge-fields/{field}")
    scenario.audience.state.next_merge_id = field

    scenario.run()

    assert field in scenario.audience.state.merge_fields
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert scenario.run()["calls"]["write"] == 0


def test_a_merge_field_deleted_during_a_run_is_created_again_and_filled(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(600)

    def happens() -> None:
        fields = scenario.audience.state.merge_fields.items()
        (field,) = (number for number, field in fields if field.tag == "CITY")
        scenario.delete_in_mailchimp(f"/merge-fields/{field}")

    in_the_middle(scenario, sample, happens)

    scenario.run()
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert scenario.run()["calls"]["write"] == 0
