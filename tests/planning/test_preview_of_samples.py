"""A preview of real and hostile files has the outcomes of the run, except Mailchimp's own refusals.

With GUARD_SEEDS above 3, all forms of files are tried.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import cast

import pytest

from sandbox.cdm import Format
from sandbox.samples import Flaws, Sample, Segment, write
from shared.model.export import NewContacts
from shared.model.names import outcomes_table
from shared.model.run import Mode, Run
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import LandingContainer
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment
from tests.planning.test_audience_size import SEEDS
from tests.segments.segment_files import URL, MemoryContainer
from tests.segments.test_sample_segments import FORMATS

LOYALTY = Path(__file__).parents[3] / "shared" / "samples" / "Customer-Loyalty.txt"
Outcomes = Counter[tuple[object, ...]]


def compared(deployment: SimulatedDeployment) -> tuple[Outcomes, Outcomes]:
    """The outcomes of a preview and of the run after it, by outcome, code and field."""
    preview = deployment.app.starter.start(EXPORT, mode=Mode.PREVIEW)
    writes = deployment.sandbox.calls.count("POST")
    seen = deployment.run_to_end(preview.id)
    assert deployment.sandbox.calls.count("POST") == writes
    return outcomes(deployment, seen), outcomes(deployment, deployment.run())


def outcomes(deployment: SimulatedDeployment, run: Run) -> Outcomes:
    table = deployment.store.blobs[outcomes_table(run.id)]
    return Counter(deployment._table(table, "outcome, code, field"))


@pytest.mark.parametrize("how", FORMATS if len(SEEDS) > 3 else FORMATS[::3])
def test_a_preview_of_damaged_files_has_the_outcomes_of_the_run(
    new_deployment: NewDeployment, tmp_path: Path, how: Format
) -> None:
    flaws = Flaws(missing=0.05, malformed=0.1, short=0.05, long=0.05, broken=0.05, untidy=0.1)
    sample = Sample(80, (Segment("Gold", 0.6), Segment("Silver", 0.5)), flaws=flaws)
    write(sample, tmp_path, datetime(2024, 5, 6, tzinfo=UTC), how=how, base=URL)
    files = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    deployment = new_deployment()
    deployment.source = BlobSegments(  # type: ignore[assignment]
        cast("LandingContainer", MemoryContainer(files)), null_markers=()
    )
    deployment.start_process()
    deployment.define(sample)

    preview, run = compared(deployment)

    assert preview == run
    assert {outcome for outcome, _, _ in run} == {"created", "rejected"}


@pytest.mark.skipif(not LOYALTY.is_file(), reason="../shared/samples/Customer-Loyalty.txt missing")
def test_a_preview_of_microsofts_sample_differs_only_by_refusals_of_mailchimp(
    new_deployment: NewDeployment,
) -> None:
    with LOYALTY.open(encoding="utf-8-sig", newline="") as file:
        segment = [
            {**row, "CustomerId": row["LoyaltyId"]} for row in islice(csv.DictReader(file), 300)
        ]
    rows = RowDeployment(new_deployment(), tuple(segment[0]))
    rows.define(new_contacts=NewContacts())
    rows.source.segments = {"People": segment}
    refused = [segment[n]["EMail"].lower() for n in (3, 50, 200)]
    rows.deployment.sandbox.set(refused_addresses=refused)

    preview, run = compared(rows.deployment)

    assert preview - run == {("created", None, None): 3}
    assert [(outcome, code) for outcome, code, _ in (run - preview).elements()] == [
        ("rejected", "addressRefused")
    ] * 3
