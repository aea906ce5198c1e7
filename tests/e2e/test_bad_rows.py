"""Rows that make every call with them fail are found, and all other rows are sent."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from sandbox import samples
from tests.e2e.running_app import SUBSCRIBE, ExportScenario
from tests.held_calls import held_calls
from tests.waiting import until

ANSWERS = ["InternalServerError", "BadRequest", "MethodNotAllowed", "RequestTooLarge"]
PEOPLE = 300


def with_bad_rows(scenario: ExportScenario, addresses: Collection[str], **options: Any) -> None:
    world = scenario.running_app.sandbox.world
    world.options = replace(world.options, poison_addresses=frozenset(addresses), **options)


def addresses_of(sample: samples.Sample) -> list[str]:
    return sorted(expected.address for expected in samples.truth(sample))


@pytest.mark.parametrize("answer", ANSWERS)
def test_bad_rows_side_by_side_are_rejected_and_all_others_are_sent(
    scenario: ExportScenario, answer: str
) -> None:
    sample = scenario.define_sample(PEOPLE)
    bad = addresses_of(sample)[200:212]
    with_bad_rows(scenario, bad, poison_answer=answer)

    with scenario.calls() as calls:
        run = scenario.run()

    assert run["status"] == "completedWithWarnings"
    assert {row["email"] for row in scenario.outcomes(run, "rejected")} == set(bad)
    assert run["counts"]["created"] == PEOPLE - len(bad)
    assert scenario.audience.members().keys() == set(addresses_of(sample)) - set(bad)
    assert run["counts"]["notSent"] == 0
    assert calls[SUBSCRIBE] < 110
    assert run["calls"]["write"] >= calls[SUBSCRIBE]


def test_rows_whose_calls_fail_although_they_are_applied_are_reported_as_created(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(60)
    bad = addresses_of(sample)[20:23]
    with_bad_rows(scenario, bad, poison_answer="applied")

    run = scenario.run()

    assert run["counts"]["created"] == 60
    assert scenario.audience.members().keys() == set(addresses_of(sample))
    assert run["status"] == "successful"


def test_a_row_that_never_gets_an_answer_is_not_sent_in_every_run(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(30)
    bad = addresses_of(sample)[:1]
    with_bad_rows(scenario, bad)

    writes = []
    for _ in range(8):
        with scenario.calls() as calls:
            run = scenario.run()
        writes.append(calls[SUBSCRIBE])
        assert {row["email"] for row in scenario.outcomes(run, "rejected")} == set(bad)

    assert writes[5] > 0
    assert writes[-2:] == [0, 0]


def test_a_run_with_many_bad_rows_does_not_keep_another_run_waiting(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    first, second = new_scenario(), new_scenario()
    sample = first.sample(1_000)
    first.refresh(sample)
    first.define(sample)
    one = second.sample(1)
    second.refresh(one)
    second.define(one)
    with_bad_rows(first, addresses_of(sample)[::3])
    # The first run needs hundreds of calls; it gets twenty a second.
    with held_calls(first.running_app.sandbox, path=rf"^/lists/{first.audience.id}$") as held:
        started = first.start()
        held.until_waiting()
        run = second.start()

        def second_is_over() -> bool:
            held.release(2)
            return bool(second.api.get(f"/api/runs/{run['id']}")["finishedAt"])

        until(second_is_over, seconds=300, every=0.1)
        assert first.api.get(f"/api/runs/{started['id']}")["status"] == "sending"
        first.api.post(f"/api/runs/{started['id']}/cancel")
    assert second.wait(run)["counts"]["created"] == 1
    canceled = first.wait(started)
    assert canceled["counts"]["created"] == len(first.audience.members())
