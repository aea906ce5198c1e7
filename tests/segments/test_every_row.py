"""Every source row is accounted for, for every form of files and of their description.

The files are also read by Python's csv module, which is given what the app must find out: which files
have a header, and in which order their columns are.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.model.source import name_of_column
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import LandingContainer
from tests.segments.segment_files import MemoryContainer, database

ODD_NAMES = [
    "Full Name", "full name", "FULL NAME", 'The "best"', "a,b", "a;b;c;d;e", "Größe", "이름", "Name\nof two",
    "null", "column1", " padded ", "=1+1", "EMail2", "Customer ID", "customerid", "x|y|z", "Tab\there",
]  # fmt: skip
texts = st.text(
    st.one_of(
        st.sampled_from(list("\"',;|\t \n\\éü한\U0001f600abcXYZ0")),
        st.characters(
            min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Co"]
        ),
    ),
    max_size=10,
)


@dataclass(frozen=True)
class Export:
    """Files of one segment: their content and their description."""

    names: tuple[str, ...]
    files: tuple[tuple[tuple[str, ...], bool, bytes], ...]
    description: str
    flag: bool | None
    delimiter: str

    def container(self) -> LandingContainer:
        files = {f"in/Gold/Gold_{n}.csv": data for n, (_, _, data) in enumerate(self.files, 1)}
        locations = [f"Gold/Gold_{n}.csv" for n in range(1, len(self.files) + 1)]
        settings = {"delimiter": self.delimiter, "columnHeaders": self.flag}
        if self.flag is None:
            del settings["columnHeaders"]
        if self.description in {"model", "nameless model"}:
            names = self.names if self.description == "model" else ()
            entity = {
                "name": "Gold",
                "attributes": [{"name": name, "dataType": "string"} for name in names],
                "partitions": [{"location": place} for place in locations],
                "fileFormatSettings": settings,
            }
            files["in/model.json"] = json.dumps({"entities": [entity]}).encode()
        elif self.description == "manifest":
            listed = [{"name": key, "value": str(value)} for key, value in settings.items()]
            trait = {"traitReference": "is.partition.format.CSV", "arguments": listed}
            entity = {
                "type": "LocalEntity",
                "entityName": "Gold",
                "entityPath": "Gold.cdm.json/Gold",
                "dataPartitions": [
                    {"location": place, "exhibitsTraits": [trait]} for place in locations
                ],
            }
            definition = {
                "entityName": "Gold",
                "hasAttributes": [{"name": name, "dataFormat": "String"} for name in self.names],
            }
            files["in/default.manifest.cdm.json"] = json.dumps({"entities": [entity]}).encode()
            files["in/Gold.cdm.json"] = json.dumps({"definitions": [definition]}).encode()
        return cast("LandingContainer", MemoryContainer(files))

    def plain_reading(self) -> list[dict[str, str]]:
        """Every row by name, read by Python's csv module with all that the app must find out."""
        rows = []
        for order, header, data in self.files:
            reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=self.delimiter)
            cells = [row for row in reader if row]
            rows += [dict(zip(order, row, strict=True)) for row in cells[1 if header else 0 :]]
        return rows


@st.composite
def exports(draw: st.DrawFn) -> Export:
    odd = draw(st.lists(st.sampled_from(ODD_NAMES), max_size=4, unique=True))
    names = tuple(draw(st.permutations(["CustomerId", "EMail", *odd])))
    delimiter = draw(st.sampled_from(",;\t|"))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    description = draw(st.sampled_from(["model", "manifest", "nameless model", "nothing"]))
    number = 0
    files = []
    headers = draw(st.lists(st.booleans(), min_size=1, max_size=3))
    # Where nothing but a header names the columns, files without one have its order.
    turned = description in {"model", "manifest"} or all(headers)
    for header in headers:
        order = tuple(draw(st.permutations(names))) if header and turned else names
        rows = []
        for place in range(draw(st.integers(0, 4))):
            number += 1
            # As Customer Insights writes it, or another system; the first row always shows that
            # it is a person.
            known = (
                draw(st.sampled_from(["id", "address", "both"]))
                if place == 0
                else draw(st.sampled_from(["id", "address", "both", "neither"]))
            )
            cells = {name: draw(texts) for name in odd}
            cells["CustomerId"] = f"{number:032x}" if known in {"id", "both"} else f"c-{number}"
            cells["EMail"] = (
                f"p{number}@example.com"
                if known in {"address", "both"}
                else draw(st.sampled_from(["", "nothing", f"p{number}(at)example.com"]))
            )
            rows.append([cells[name] for name in order])
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
        writer.writerows([order, *rows] if header else rows)
        files.append((order, header, text.getvalue().encode()))
    flag = draw(st.sampled_from([True, False, None]))
    return Export(names, tuple(files), description, flag, delimiter)


_NO_ROWS = ("CustomerId", "EMail", "a;b;c;d;e")
_HEADER = b"CustomerId,EMail,a;b;c;d;e\n"


@given(exports())
@example(Export(_NO_ROWS, ((_NO_ROWS, True, _HEADER),), "nameless model", flag=True, delimiter=","))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_of_every_file_is_read_once_and_by_name(tmp_path: Path, export: Export) -> None:
    expected = export.plain_reading()
    named = export.description in {"model", "manifest"}
    segments = BlobSegments(export.container(), null_markers=())
    if not named and not any(header for _, header, data in export.files if data):
        if not any(data for _, _, data in export.files):
            return
        with pytest.raises(InputError) as caught:
            segments.snapshot(["Gold"])
        assert caught.value.code == "columnsUnknown"
        return
    (gold,) = segments.snapshot(["Gold"]).segments
    known = [name_of_column(name) for name in export.names]
    columns = known if named else [name.strip() for name in known]
    cells = "".join(f", c{place} VARCHAR" for place in range(len(columns)))
    connection = database()
    connection.execute(f"CREATE OR REPLACE TABLE every_row (file VARCHAR, line BIGINT{cells})")
    loaded = segments.load(connection, gold, columns, "every_row", tmp_path)
    found = connection.execute("SELECT * FROM every_row ORDER BY file, line").fetchall()
    assert loaded.unreadable == ()
    assert [row[2:] for row in found] == [
        tuple(row[name] or None for name in export.names) for row in expected
    ]
    places = [row[:2] for row in found]
    assert len(set(places)) == len(places)
