"""`make demo` prints a result that adds up and that a newcomer understands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devhost import demo
from devhost.api_client import ApiClient
from devhost.processes import ROOT, ProcessError

SMALL = """
import sys
from dataclasses import replace
from pathlib import Path
from devhost import demo
from sandbox import samples
samples.DEMO = replace(
    samples.DEMO, people=1500, flaws=replace(samples.DEMO.flaws, missing=0.01, malformed=0.01, short=0.01)
)
demo.FOLDER, demo.FAILED = Path(sys.argv[1]) / "demo", Path(sys.argv[1]) / "failed"
sys.exit(demo.main())
"""


def numbers(text: str, pattern: str) -> list[int]:
    """The first numbers of the lines that match."""
    return [int(found.replace(",", "")) for found in re.findall(pattern, text, re.MULTILINE)]


def test_the_demo_explains_every_rejected_row_and_every_person(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SMALL, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    first, second = ran.stdout.partition("First run:")[2].split("Second run:")
    assert "The audience already has\n700 contacts" in first
    assert "  Completed with warnings in" in first
    for run in (first, second):
        rows, people = run.split("people in the other rows")
        [rejected] = numbers(rows, r"rows read, ([\d,]+) of them rejected")
        by_reason = numbers(rows, r"^ {4,}([\d,]+)  The ")
        assert rejected == sum(by_reason) > 0
        assert len(by_reason) >= 3
        [total] = numbers(rows, r"^  ([\d,]+) $")
        assert total == sum(numbers(people, r"^ {4,}([\d,]+)  [a-z]"))
    assert "left as they are, because they are not subscribed" in first
    assert (tmp_path / "demo/outcomes.csv").read_text("utf-8").count(",created,") > 500


def test_a_run_that_failed_before_it_had_outcomes_ends_the_demo_with_its_reason() -> None:
    run = {
        "id": "run-1",
        "status": "failed",
        "reason": {"message": "The segment Gold does not exist.", "code": "segmentMissing"},
        "seconds": 1.0,
        "counts": {"sourceRows": 0, "rejected": 0},
        "calls": {"write": 0, "read": 3, "throttled": 0},
    }
    nowhere = ApiClient("http://127.0.0.1:1/")
    with pytest.raises(ProcessError, match=r"failed: The segment Gold .* \(segmentMissing\)"):
        demo._report(nowhere, run)
