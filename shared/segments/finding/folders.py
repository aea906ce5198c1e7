"""Reads blob names: export times, the order of partitions, and segments without `model.json`.

Customer Insights writes `<destination>/<Entity>/<yyyy>/<MM>/<dd>/<HHMM>/<Entity>_<n>.csv`. Every export creates a new
folder, and older ones stay. The prefix of the file may differ from the name of the folder. Without `model.json`, a
folder of data files is a segment, and so is a single file at the root; `<name>_<unix seconds>.csv` is one export of
the segment `<name>`. Folders and files that begin with `_` or `.` are internal to the programs that write them
(`_temporary`, `_delta_log`, `.hoodie`) and contain no data. A table with a log (Delta, Iceberg, Hudi) has files
with removed rows, so its files must not be read without the log.
https://learn.microsoft.com/dynamics365/customer-insights/data/export-azure-blob-storage
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.model.source import composed
from shared.segments.container import BlobEntry

_DATA = re.compile(r"(?P<stem>.+?)(?:\.(?:csv|tsv|txt)(?:\.gz)?|\.parquet)", re.IGNORECASE)
_EXPORT = re.compile(r"(?P<folder>.*?)/?(?P<time>\d{4}/\d{2}/\d{2}/\d{4})")
_STAMPED = re.compile(r"(?P<name>.+)_(?P<seconds>1\d{9})")
# A folder of one value of a partitioned table, as Hive and Spark name it.
_VALUE = re.compile(r"[^=/]+=[^/]*")
_LOGS = (
    (re.compile(r"(?P<table>|.*/)_delta_log/.*"), "Delta"),
    (re.compile(r"(?P<table>|.*/)\.hoodie/.*"), "Hudi"),
    (re.compile(r"(?P<table>|.*/)metadata/[^/]*\.metadata\.json(?:\.gz)?"), "Iceberg"),
)
_NUMBERED = re.compile(r"(?P<name>.*?)_?(?P<number>\d+)")


@dataclass(frozen=True)
class PlainSegment:
    """A segment of which only the files are known, in numeric order.

    `other` is another folder with files of a segment of the same name.
    """

    name: str
    files: tuple[BlobEntry, ...]
    other: str = ""


def order(name: str) -> tuple[tuple[str, int], ...]:
    """A key that sorts `_2` before `_10`."""
    return tuple(
        (text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,18})", name)
    )


def newest_export(names: Iterable[str]) -> set[str]:
    """Return the files of the newest export.

    Files belong to several exports only if two export folders have a file of the same name: one export may be
    written to two folders when the minute changes.
    """
    by_time: dict[str, set[str]] = {}
    for name in names:
        by_time.setdefault(_export_time(name), set()).add(name)
    if len(by_time) > 1:
        bases = [name.rpartition("/")[2] for found in by_time.values() for name in found]
        if len(set(bases)) < len(bases):
            return by_time[max(by_time)]
    return set().union(*by_time.values()) if by_time else set()


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder that it is in, begins with `_` or `.`."""
    return any(part[:1] in {"_", "."} for part in path.split("/"))


def logged_tables(names: Iterable[str]) -> dict[str, str]:
    """Folders (with the slash at their end) that hold a table with a log, and its format."""
    found: dict[str, str] = {}
    for name in names:
        for pattern, form in _LOGS:
            log = pattern.fullmatch(name)
            if log is not None:
                found[log["table"]] = form
    return found


def table_of(name: str, tables: Mapping[str, str]) -> str | None:
    """The table with a log to which a file belongs, or None."""
    return next((folder for folder in tables if name.startswith(folder)), None)


def plain_segments(
    entries: Iterable[BlobEntry], root: str, listed: Iterable[str]
) -> list[PlainSegment]:
    """Return the segments among data files that no `model.json` lists, each with its newest complete export.

    `listed` are the files that a `model.json` lists, which may be in another folder. All exports of the same folder
    belong to the entity that lists them. Of two folders with the same segment name, the one that was written last is
    returned, and `other` is the other one.
    """
    described = {parts[1] for name in listed if (parts := _export_of(name.removeprefix(root)))}
    exports: dict[tuple[str, str], dict[str, list[BlobEntry]]] = {}
    for entry in entries:
        path = entry.name.removeprefix(root)
        parts = None if is_hidden(path) else _export_of(path)
        if parts is not None and parts[1] not in described:
            name, export_folder, time = parts
            exports.setdefault((name, export_folder), {}).setdefault(time, []).append(entry)
    found: dict[str, PlainSegment] = {}
    for (name, _), by_time in exports.items():
        complete = [time for time in sorted(by_time) if _is_complete(by_time[time])]
        files = by_time[complete[-1] if complete else max(by_time)]
        segment = PlainSegment(name, tuple(sorted(files, key=lambda each: order(each.name))))
        old = found.get(name)
        if old is not None:
            newer = _written_at(old) < _written_at(segment)
            segment, old = (segment, old) if newer else (old, segment)
            segment = replace(segment, other=old.files[0].name.rpartition("/")[0] or old.name)
        found[name] = segment
    return list(found.values())


def _export_of(path: str) -> tuple[str, str, str] | None:
    """The segment, the destination folder and the sortable time of the export that a file belongs to."""
    folder, _, base = path.rpartition("/")
    data = _DATA.fullmatch(base)
    if data is None:
        return None
    parts = folder.split("/")
    first_value = next((i for i, part in enumerate(parts) if _VALUE.fullmatch(part)), len(parts))
    folder = "/".join(parts[:first_value])
    stamped = _STAMPED.fullmatch(data["stem"])
    if stamped is not None:
        return composed(stamped["name"]), f"{folder}/{stamped['name']}", stamped["seconds"]
    if not folder:
        return composed(data["stem"]), base, ""
    exported = _EXPORT.fullmatch(folder)
    export_folder, time = (exported["folder"], exported["time"]) if exported else (folder, "")
    name = composed(export_folder.rpartition("/")[2])
    return (name, export_folder, time) if name else None


def _is_complete(files: list[BlobEntry]) -> bool:
    """Whether no number is missing among `<name>_1.csv`, `<name>_2.csv` and so on."""
    numbers: dict[str, set[int]] = {}
    for entry in files:
        data = _DATA.fullmatch(entry.name.rpartition("/")[2])
        numbered = _NUMBERED.fullmatch(data["stem"]) if data else None
        if numbered is None:
            return True
        numbers.setdefault(numbered["name"], set()).add(int(numbered["number"]))
    return all(max(seen) - min(min(seen), 1) + 1 == len(seen) for seen in numbers.values())


def _export_time(name: str) -> str:
    exported = _EXPORT.fullmatch(name.rpartition("/")[0])
    return exported["time"] if exported else ""


def _written_at(segment: PlainSegment) -> datetime:
    return max((file.modified_at for file in segment.files), default=datetime.fromtimestamp(0, UTC))
