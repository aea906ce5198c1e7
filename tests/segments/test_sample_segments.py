"""The sample generator, the reader and the row counter agree."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.cdm import Format
from sandbox.samples import Flaws, Sample, Segment, totals, write
from tests import reused_databases
from tests.segments.landing import Landing

SAMPLE = Sample(
    people=600,
    segments=(Segment("Gold", 0.6), Segment("Silver", 0.5)),
    flaws=Flaws(missing=0.05, malformed=0.05, short=0.05, long=0.05, broken=0.05, untidy=0.1),
)
CODES = {"short": "rowTooFewColumns", "long": "rowTooManyColumns", "broken": "rowBadQuoting"}

FORMATS = [
    Format(),
    Format(quoting="needed", newline="\r\n", bom=True),
    Format(kind="gzip", delimiter=";"),
    Format(header=False),
    Format(header=False, declare_header=False, delimiter="\t", quoting="needed"),
    Format(declare_header=False, newline="\r\n"),
    Format(kind="parquet"),
]


@pytest.mark.parametrize("how", FORMATS, ids=range(len(FORMATS)))
def test_every_sample_row_is_read_or_refused_for_its_own_fault(
    landing: Landing, tmp_path: Path, how: Format
) -> None:
    root = tmp_path / "root"
    write(SAMPLE, root, datetime(2024, 5, 6, 7, 8, tzinfo=UTC), how=how, base=landing.url)
    for path in root.rglob("*.*"):
        landing.put(path.relative_to(root).as_posix(), path.read_bytes())
    segments = landing.segments()
    expected = totals(SAMPLE)
    text = how.kind != "parquet"
    for segment in segments.snapshot(["Gold", "Silver"]).segments:
        flaws = {code: expected.rejected[segment.name, flaw] for flaw, code in CODES.items()}
        assert all(flaws.values())
        columns = ["EMail", "CustomerId"]
        with reused_databases.connect() as connection:
            connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
            unreadable = list(segments.load(connection, segment, columns, "t", tmp_path).unreadable)
            loaded, people, missing, lines = connection.execute(
                "SELECT count(*), count(DISTINCT c1), count(*) FILTER (c0 IS NULL), "
                "count(DISTINCT (file, line)) FROM t"
            ).fetchone()
        assert Counter(str(row.code) for row in unreadable) == (flaws if text else {})
        assert loaded == people == lines == expected.rows[segment.name] - sum(flaws.values())
        assert missing == expected.rejected[segment.name, "missing"]
