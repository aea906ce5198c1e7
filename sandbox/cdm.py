"""Writes CDM folders as Customer Insights does: a new timestamped folder per refresh, and one model.json that is replaced.

`<root>/<Entity>/yyyy/MM/dd/HHMM/<Entity>_<n>.csv` and `<root>/model.json`.
https://learn.microsoft.com/common-data-model/model-json
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TextIO

import duckdb

SANDBOX_BASE = "https://sandbox.blob.core.windows.net/segments"
"""The base of the locations in model.json until the folder is uploaded."""


@dataclass(frozen=True, slots=True)
class Format:
    """How partitions are written; a reader may meet every combination."""

    kind: Literal["csv", "gzip", "parquet"] = "csv"
    header: bool = True
    declare_header: bool = True
    """Whether model.json has columnHeaders (without it, the value is false)."""
    bom: bool = False
    newline: Literal["\n", "\r\n"] = "\n"
    delimiter: str = ","
    quoting: Literal["always", "needed"] = "always"

    @property
    def suffix(self) -> str:
        """The end of a partition's name."""
        return {"csv": ".csv", "gzip": ".csv.gz", "parquet": ".parquet"}[self.kind]


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity as written: attributes (name, data type), partitions as paths below the root."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    partitions: tuple[str, ...]
    written: datetime
    format: Format


class PartitionWriter:
    """One partition file; `row` takes values, `line` a raw line that a CSV writer would not write."""

    def __init__(self, path: Path, columns: Sequence[str], how: Format) -> None:
        """Open the file and write the header if there is one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._how, self._columns = path, how, list(columns)
        self._csv = path.with_name(path.name + ".csv") if how.kind == "parquet" else path
        self._text: TextIO = self._open()
        writer = csv.writer(
            self._text,
            delimiter=how.delimiter,
            quoting=csv.QUOTE_ALL if how.quoting == "always" else csv.QUOTE_MINIMAL,
            lineterminator=how.newline,
        )
        self.row: Callable[[Sequence[str]], Any] = writer.writerow
        if how.header or how.kind == "parquet":
            self.row(columns)

    def _open(self) -> TextIO:
        encoding = "utf-8-sig" if self._how.bom and self._how.kind != "parquet" else "utf-8"
        if self._how.kind == "gzip":
            return gzip.open(self._csv, "wt", 1, encoding=encoding, newline="")
        return self._csv.open("w", encoding=encoding, newline="", buffering=1 << 20)

    def line(self, text: str) -> None:
        """Write this line as it is."""
        self._text.write(text + self._how.newline)

    def close(self) -> None:
        """Finish the file; Parquet is made from the rows here."""
        self._text.close()
        if self._how.kind != "parquet":
            return
        names = dict.fromkeys(self._columns, "VARCHAR")
        with duckdb.connect() as database:
            source = database.read_csv(
                str(self._csv),
                header=True,
                columns=names,  # type: ignore[arg-type, unused-ignore]
                delimiter=self._how.delimiter,
            )
            source.write_parquet(str(self._path), compression="zstd")
        self._csv.unlink()


@contextlib.contextmanager
def entity_writers(
    root: Path,
    name: str,
    columns: tuple[tuple[str, str], ...],
    when: datetime,
    how: Format,
    partitions: int,
) -> Iterator[tuple[Entity, list[PartitionWriter]]]:
    """The partitions of one entity, open for writing, and their description for model.json."""
    folder = f"{name}/{when:%Y/%m/%d/%H%M}"
    paths = tuple(f"{folder}/{name}_{n}{how.suffix}" for n in range(1, partitions + 1))
    entity = Entity(name, columns, paths, when, how)
    with contextlib.ExitStack() as stack:
        writers = []
        for path in paths:
            writer = PartitionWriter(root / path, [column for column, _ in columns], how)
            stack.callback(writer.close)
            writers.append(writer)
        yield entity, writers


def model(entities: Sequence[Entity], when: datetime, base: str = SANDBOX_BASE) -> dict[str, Any]:
    """The model.json of these entities, with locations below `base`."""
    return {
        "application": "Customer Insights",
        "name": "SegmentExport",
        "description": "Made-up segments",
        "version": "1.0",
        "modifiedTime": when.isoformat(),
        "entities": [
            {
                "$type": "LocalEntity",
                "name": entity.name,
                "description": "",
                "annotations": [{"name": "c360:PrimaryKey", "value": entity.attributes[0][0]}],
                "attributes": [{"name": n, "dataType": t} for n, t in entity.attributes],
                "partitions": [_partition(entity, path, base) for path in entity.partitions],
            }
            for entity in entities
        ],
    }


def _partition(entity: Entity, path: str, base: str) -> dict[str, Any]:
    how = entity.format
    found: dict[str, Any] = {
        "name": Path(path).name.split(".")[0],
        "refreshTime": entity.written.isoformat(),
        "location": f"{base}/{path}",
    }
    if how.kind != "parquet":
        settings: dict[str, Any] = {"$type": "CsvFormatSettings"}
        if how.declare_header:
            settings["columnHeaders"] = how.header
        settings["delimiter"] = how.delimiter
        settings["quoteStyle"] = "QuoteStyle.Csv"
        style = "QuoteAlways" if how.quoting == "always" else "QuoteAfterDelimiter"
        settings["csvStyle"] = f"CsvStyle.{style}"
        found["fileFormatSettings"] = settings
    return found


def write_model(
    root: Path, entities: Sequence[Entity], when: datetime, base: str = SANDBOX_BASE
) -> Path:
    """Replace `<root>/model.json` in one step."""
    path = root / "model.json"
    fresh = root / "model.json.new"
    fresh.write_text(json.dumps(model(entities, when, base), indent=2), encoding="utf-8")
    os.replace(fresh, path)
    return path
