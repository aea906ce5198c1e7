"""The page about the time left is simulated from seeds."""

from __future__ import annotations

import statistics

import pytest

from bench import time_left
from bench.time_left import GOAL, simulated_run


def test_the_time_left_is_right_in_the_median_while_mailchimp_disturbs_runs() -> None:
    runs = [simulated_run(200_000, seed) for seed in range(6)]
    assert sum(run.throttled for run in runs) > 3
    assert sum(run.unavailable for run in runs) > 1

    errors = [abs(error) for run in runs for error in run.errors()]

    assert statistics.median(errors) <= GOAL


def test_a_seed_decides_a_run() -> None:
    assert simulated_run(50_000, 3).done == simulated_run(50_000, 3).done
    assert simulated_run(50_000, 3).done != simulated_run(50_000, 4).done


def test_the_page_has_a_table_for_each_number_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert time_left.main(["--people", "150000", "200000", "--runs", "2"]) == 0
    text = capsys.readouterr().out
    assert "## 150,000 people" in text
    assert "## 200,000 people" in text
    assert "| minute 1 |" in text
