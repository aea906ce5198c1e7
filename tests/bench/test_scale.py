"""The simulation follows the rules of the app and the platform, and matches the scale page."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench import scale
from bench.simulation.account import Account, Mailchimp
from bench.simulation.clock import Clock, Gate, Process, Steps
from bench.simulation.platform import Call, Function, Hosting
from bench.simulation.scenario import Scenario, bill, month, simulate
from shared.capacity.renewed_lease import LEASE_SECONDS
from shared.sending import worker

HOSTING = Hosting.of_project()
COST = (scale.ROOT / "docs/cost.md").read_text(encoding="utf-8")
PAGE = scale.PAGE.read_text(encoding="utf-8")


class Bench:
    """A function whose calls take about so many seconds, or fail."""

    def __init__(self, hosting: Hosting, seconds: float, fails: Callable[[Call], bool]) -> None:
        self.clock = Clock()
        self.at_once = self.most_at_once = 0
        self.ended: list[tuple[object, float]] = []
        self.given_up: list[object] = []
        self._seconds = seconds
        self._scatter = random.Random(5)
        self._fails = fails
        self.function = Function(
            self.clock, hosting, self._work, self.given_up.append, random.Random(3)
        )

    def _work(self, call: Call) -> Steps:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        yield self._seconds * self._scatter.uniform(0.5, 1.5)
        self.at_once -= 1
        call.failed = self._fails(call)
        if not call.failed:
            self.ended.append((call.message.body, self.clock.now))


def test_a_gate_admits_work_in_order_of_arrival() -> None:
    clock, order = Clock(), list[tuple[int, float]]()
    gate = Gate(clock)

    def work(number: int) -> Steps:
        yield gate
        yield 2.0
        order.append((number, clock.now))
        gate.leave()

    for number in range(3):
        Process(clock, work(number), lambda: None).go_on()
    clock.run(lambda: len(order) == 3)
    assert order == [(0, 2.0), (1, 4.0), (2, 6.0)]


def test_an_instance_handles_at_most_a_batch_and_the_threshold() -> None:
    bench = Bench(replace(HOSTING, most_instances=1), 60.0, lambda _: False)
    for number in range(200):
        bench.function.send(number)
    bench.clock.run(lambda: len(bench.ended) == 200)
    assert bench.most_at_once == HOSTING.batch + HOSTING.threshold == 26


def test_a_function_scales_with_its_queue_up_to_its_limit() -> None:
    bench = Bench(replace(HOSTING, most_instances=4), 60.0, lambda _: False)
    for number in range(300):
        bench.function.send(number)
    bench.clock.run(lambda: len(bench.ended) == 300)
    assert bench.function.most_instances == 4
    few = Bench(HOSTING, 60.0, lambda _: False)
    for number in range(HOSTING.batch):
        few.function.send(number)
    few.clock.run(lambda: len(few.ended) == HOSTING.batch)
    assert few.function.most_instances == 1


def test_a_failing_message_is_retried_and_finally_given_up() -> None:
    bench = Bench(HOSTING, 1.0, lambda _: True)
    bench.function.send("no")
    bench.clock.run(lambda: bool(bench.given_up))
    assert bench.given_up == ["no"]
    assert bench.function.executions == HOSTING.most_tries
    assert bench.clock.now > (HOSTING.most_tries - 1) * HOSTING.visibility


def test_a_delayed_message_is_invisible_until_it_is_due() -> None:
    bench = Bench(HOSTING, 0.0, lambda _: False)
    bench.function.send("later", delay=100.0)
    bench.clock.run(lambda: bool(bench.ended))
    [(_, when)] = bench.ended
    assert 100.0 <= when <= 100.0 + HOSTING.polling
    assert bench.function.ages == [when - 100.0]


def test_the_work_of_a_killed_instance_continues_after_ten_minutes() -> None:
    bench = Bench(replace(HOSTING, lifetime=300.0), 200.0, lambda _: False)
    bench.function.send("once more")
    bench.clock.run(lambda: bool(bench.ended))
    assert bench.function.executions > 1  # this seed lets the first instance die
    assert bench.clock.now > HOSTING.lost_seconds


def test_the_slot_of_a_killed_lane_is_free_when_its_lease_expires() -> None:
    clock = Clock()
    account = Account("a", clock, Mailchimp(connections=1), random.Random(1))
    slot = account.take()
    assert slot is not None
    account.abandon(slot)
    assert account.take() is None
    assert clock.now < slot.ends <= LEASE_SECONDS
    clock.after(slot.ends, lambda: None)
    clock.run(lambda: clock.now >= slot.ends)
    assert account.take() is not None


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    case = Scenario(200_000, 3, 0.5)
    assert simulate(case) == simulate(case) != simulate(replace(case, seed=2))


def test_the_duration_of_sending_is_close_to_the_limit_of_the_connections() -> None:
    day = simulate(Scenario(1_000_000, 1, 1.0))
    bound = 2_000 * 5.0 / 10
    assert bound < day.seconds < bound * 1.15
    assert (day.chunks, day.doubled, day.failed) == (2_000, 0, 0)


@pytest.mark.parametrize("throttled", [0.0, 0.05])
def test_every_chunk_is_sent_within_the_connection_limit_whatever_process_is_killed(
    throttled: float,
) -> None:
    case = Scenario(
        3_000_000, 3, 1.0, replace(HOSTING, lifetime=400.0), Mailchimp(throttled=throttled)
    )
    day = simulate(case)
    assert day.doubled > 0  # lanes were killed in the middle of a chunk
    assert day.chunks == 6_000
    assert day.failed == 0
    assert day.connections <= 10


def test_the_longest_calls_of_a_killed_lane_may_outlive_its_lease() -> None:
    """docs/scale.md and docs/reliability.md describe this limit."""
    slow = Mailchimp(write_seconds=60.0)
    day = simulate(Scenario(2_000_000, 2, 1.0, replace(HOSTING, lifetime=400.0), slow))
    assert day.connections > 10
    assert simulate(Scenario(2_000_000, 2, 1.0, mailchimp=slow)).connections == 10


def test_many_runs_of_one_account_do_not_multiply_their_messages() -> None:
    day = simulate(Scenario(30_000_000, 1, 0.2))
    assert day.runs == 30
    assert day.executions < 50_000


def test_the_numbers_match_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Scenario(1_000_000, 1, 1.0)
    usual = simulate(case).executions
    monkeypatch.setattr(worker, "SLICE_SECONDS", worker.SLICE_SECONDS / 10)
    assert simulate(case).executions > 3 * usual


@pytest.mark.parametrize(("place", "people"), [(0, 10_000), (1, 100_000), (2, 1_000_000)])
def test_the_cost_of_a_simulated_month_matches_the_cost_page(place: int, people: int) -> None:
    sums = next(line for line in COST.splitlines() if line.startswith("| **Sum**"))
    published = float([cell for cell in sums.split("**") if cell.strip(" |")][1 + place])
    case = Scenario(people, 1)
    assert bill(month(case, simulate(case))) == pytest.approx(published, abs=0.10)


@pytest.mark.parametrize("people", [10_000, 1_000_000])
@pytest.mark.parametrize("accounts", [1, 10])
def test_the_scale_page_matches_the_simulation(people: int, accounts: int) -> None:
    """After a change of the app's numbers: `python -m bench.scale --write`."""
    row = scale.daily(Scenario(people, accounts))
    assert f"| {' | '.join(row)} |" in PAGE.splitlines()


def test_the_storage_of_the_scale_page_matches_the_cost_page() -> None:
    assert scale.storage() in PAGE
    assert "| 1,000,000 | 9.00 | 1.00 | 0.21 |" in scale.storage()
    assert "| Landing storage, GB | 0.09 | 0.9 | 9 |" in COST
    assert "| State storage, GB | 0.01 | 0.1 | 1 |" in COST


def test_one_case_is_simulated_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--people", "5000", "--accounts", "2", "--instances", "1"]) == 0
    assert "| 5,000 | 2 | 2 |" in capsys.readouterr().out


def test_tables_are_inserted_between_their_markers() -> None:
    page = "a\n<!-- daily -->\nold\n<!-- end of daily -->\nz\n"
    assert scale.put(page, {"daily": "new"}) == (
        "a\n<!-- daily -->\n\nnew\n\n<!-- end of daily -->\nz\n"
    )
    with pytest.raises(ValueError, match="no markers"):
        scale.put(page, {"first": "new"})
