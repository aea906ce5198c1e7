"""`python -m sandbox.people ROOT`: write sample segments of any size, as Customer Insights does.

python -m sandbox.people data --demo
python -m sandbox.people data --people 1000000 --segment AllPeople --partitions 8 --truth truth.jsonl
python -m sandbox.people data --demo --refreshes 1 --changed 0.01 --arriving 50 --leaving 50
python -m sandbox.people data --demo --upload
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from devhost.processes import emulator_connection
from sandbox import samples, wrap
from sandbox.cdm import Format
from sandbox.samples import DEMO, Flaws, Sample, Segment
from sandbox.upload import upload

_FIRST = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.people",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help="folder to write into")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--demo", action="store_true", help="three segments, 50,000 people")
    source.add_argument("--csv", type=Path, help="take the rows of this CSV file instead")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--segment", action="append", help="NAME or NAME:SHARE, may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    for flaw in dataclasses.fields(Flaws):
        parser.add_argument(f"--{flaw.name}", type=float, default=0.0, help="share of people")
    parser.add_argument("--refreshes", type=int, default=0, help="how many refreshes later")
    parser.add_argument("--changed", type=float, default=0.01, help="share, per refresh")
    parser.add_argument("--moving", type=float, default=0.0, help="share, per refresh")
    parser.add_argument("--arriving", type=int, default=50, help="people, per refresh")
    parser.add_argument("--leaving", type=int, default=50, help="people, per refresh")
    parser.add_argument("--email", default="EMail", help="address column, with --csv")
    parser.add_argument("--change", default="RewardPoints", help="column to change, with --csv")
    parser.add_argument("--partitions", type=int, default=3)
    parser.add_argument("--kind", choices=("csv", "gzip", "parquet"), default="csv")
    parser.add_argument("--no-header", action="store_true")
    parser.add_argument("--bom", action="store_true")
    parser.add_argument("--crlf", action="store_true")
    parser.add_argument("--quoting", choices=("always", "needed"), default="always")
    parser.add_argument(
        "--when", type=datetime.fromisoformat, help="time of the refresh, with zone"
    )
    parser.add_argument(
        "--truth", type=Path, help="write the expected contacts, one JSON object per line"
    )
    parser.add_argument(
        "--upload",
        nargs="?",
        const="",
        metavar="CONNECTION",
        help="upload, by default with AZURE_STORAGE_CONNECTION_STRING or to Azurite on its usual port",
    )
    parser.add_argument("--container", default="segments")
    parser.add_argument("--folder", default="CustomerInsights_sandbox/SegmentExport")
    parser.add_argument("--model", choices=("first", "last", "never"), default="last")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Write the sample, print its size, and upload it with --upload; returns 0."""
    given = parsed(arguments)
    how = Format(
        kind=given.kind,
        header=not given.no_header,
        bom=given.bom,
        newline="\r\n" if given.crlf else "\n",
        quoting=given.quoting,
    )
    when = given.when or _FIRST + timedelta(days=given.refreshes)
    given.root.mkdir(parents=True, exist_ok=True)
    if given.csv:
        _write_csv(given, how, when)
    else:
        sample = _sample(given)
        samples.write(sample, given.root, when, how=how, partitions=given.partitions)
        if given.truth:
            _write_truth(sample, given.truth)
        sys.stdout.write(
            f"{len(sample.numbers)} people, some in no segment; {len(sample.segments)} segments\n"
        )
    if given.upload is not None:
        connection = given.upload or os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        connection = connection or emulator_connection()
        names = upload(given.root, connection, given.container, given.folder, model=given.model)
        sys.stdout.write(f"{len(names)} blobs uploaded to {given.container}/{given.folder}\n")
    return 0


def _sample(given: argparse.Namespace) -> Sample:
    sample = DEMO
    if not given.demo:
        segments = []
        for text in given.segment or ["Customers"]:
            name, _, share = text.partition(":")
            segments.append(Segment(name, float(share or 1)))
        flaws = Flaws(**{f.name: getattr(given, f.name) for f in dataclasses.fields(Flaws)})
        sample = Sample(given.people, tuple(segments), flaws, given.seed)
    for _ in range(given.refreshes):
        sample = sample.later(
            changed=given.changed,
            arriving=given.arriving,
            leaving=given.leaving,
            moving=given.moving,
        )
    return sample


def _write_csv(given: argparse.Namespace, how: Format, when: datetime) -> None:
    table = wrap.read(given.csv)
    for refresh in range(given.refreshes):
        table = wrap.later(
            table,
            email=given.email,
            change=given.change,
            changed=given.changed,
            arriving=given.arriving,
            leaving=given.leaving,
            seed=refresh + 1,
        )
    names = given.segment or [given.csv.stem.replace(" ", "_")]
    wrap.write(dict.fromkeys(names, table), given.root, when, how=how, partitions=given.partitions)
    sys.stdout.write(f"{len(table.rows)} rows\n")


def _write_truth(sample: Sample, path: Path) -> None:
    with path.open("wb") as lines:
        for expected in samples.truth(sample):
            lines.write(
                orjson.dumps(
                    {
                        "address": expected.address,
                        "segments": sorted(expected.segments),
                        "profiles": [profile._asdict() for profile in expected.profiles],
                    },
                    option=orjson.OPT_APPEND_NEWLINE,
                )
            )


if __name__ == "__main__":
    sys.exit(main())
