"""Outcomes as lines, and shortened for the record of a chunk."""

from shared.model.outcome import Code, Outcome
from shared.sending.outcome_lines import (
    outcome_ranges,
    read_outcome_ranges,
)
from shared.sending.result import Result

CREATED = Result(Outcome.CREATED, status="subscribed")
REJECTED = Result(Outcome.REJECTED, Code.FIELD_REFUSED, "AGE", answer='Say "a number",\nplease.')


def test_equal_outcomes_of_consecutive_lines_take_one_line_of_a_record() -> None:
    results = dict.fromkeys(range(500, 1_000), CREATED)

    assert outcome_ranges(results) == "500,500,created,,,subscribed,0,\n"


def test_shortened_outcomes_are_complete_in_any_order_and_with_gaps() -> None:
    results = {9: CREATED, 7: REJECTED, 3: CREATED, 4: CREATED, 8: REJECTED, 12: CREATED}

    assert read_outcome_ranges(outcome_ranges(results)) == results
    assert outcome_ranges({}) == ""
    assert read_outcome_ranges("") == {}
