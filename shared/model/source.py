"""The source of a run: segments as blob names pinned to their ETags.

Customer Insights joins the membership of a segment with the unified profile, so the files of one
segment contain all attributes of its members.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

DAY_FIRST = "dayFirst"
MONTH_FIRST = "monthFirst"
POINT = "point"
COMMA = "comma"

PROFILE_ID = "CustomerId"
"""The attribute that identifies a profile of Customer Insights."""

WHOLE_NUMBER_TYPES = frozenset({"int64", "int32", "int16"})
"""The CDM data types of whole numbers."""


@dataclass(frozen=True)
class Attribute:
    """A column: its name, CDM data type, and semantic type or annotation if it has one.

    `date_order` is DAY_FIRST or MONTH_FIRST for dates such as 05/06/1980, `decimal_mark` is POINT or COMMA
    for numbers such as 1.234; empty when unknown.
    """

    name: str
    data_type: str = "string"
    semantic_type: str | None = None
    date_order: str = ""
    decimal_mark: str = ""


# Line breaks and control characters with the blanks around them, and characters that change the direction of text.
_LINE_BREAKS = re.compile(r"\s*[\x00-\x1f\x7f-\x9f\u2028\u2029]+\s*")
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]")


def name_of_column(written: str) -> str:
    """The name of an attribute whose column is named `written`, without characters that an export does not accept in it.

    In spreadsheets, the names of columns often have several lines.
    """
    if written.isprintable():
        return written
    return _DIRECTION_MARKS.sub("", _LINE_BREAKS.sub(" ", written))


def composed(name: str) -> str:
    """A name with composed letters (Unicode form NFC).

    Apple's systems write a letter with an accent, or a Korean syllable, as several characters.
    """
    return unicodedata.normalize("NFC", name)


def plain_name(name: str) -> str:
    """A name for comparison."""
    return composed(name).strip().casefold()


def find_name(
    wanted: str, names: Sequence[str], plain: Callable[[str], str] = plain_name
) -> str | None:
    """Return `wanted` if it is one of the names, else the only name that is similar to it.

    Names are similar if `plain` returns the same for both. Usually, they differ in case, blanks at the ends and Unicode
    form only. None if there is no such name, or several.
    """
    if wanted in names:
        return wanted
    similar = [name for name in names if plain(name) == plain(wanted)]
    return similar[0] if len(similar) == 1 else None


@dataclass(frozen=True)
class CsvFormat:
    """The format of a CSV partition. With `header` None, row 1 is compared with the names.

    `names_are_header` is whether the names of the attributes are the header of a file and not those of a model.
    """

    header: bool | None = None
    delimiter: str = ","
    quoted: bool = True
    encoding: str = "UTF-8"
    names_are_header: bool = False


@dataclass(frozen=True)
class Partition:
    """One file of a segment: a blob of the segments container, pinned to its ETag."""

    blob: str
    etag: str
    size: int
    csv: CsvFormat = CsvFormat()
    modified_at: datetime | None = None


@dataclass(frozen=True)
class SegmentSnapshot:
    """A segment as it was when the run began, with partitions in numeric order.

    `primary_key` is the column that identifies a profile (`CustomerId`, else the annotated key of the
    entity), or None. Without `model.json` the attributes come from the header and `refreshed_at` is None,
    because no event announces a refresh. `described_at` is when `model.json` was written.
    """

    name: str
    display_name: str
    attributes: tuple[Attribute, ...]
    partitions: tuple[Partition, ...]
    primary_key: str | None = None
    refreshed_at: datetime | None = None
    described_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """The segments of one run, in the order of the export."""

    segments: tuple[SegmentSnapshot, ...]

    @property
    def etags(self) -> dict[str, str]:
        """The ETag of every blob that the run reads, by name. Equal ETags mean no new data."""
        return {p.blob: p.etag for s in self.segments for p in s.partitions}

    @property
    def modified_at(self) -> datetime | None:
        """When the newest of these blobs and of their `model.json` was written; None when that is unknown."""
        times = [p.modified_at for s in self.segments for p in s.partitions]
        times += [s.described_at for s in self.segments]
        return max((time for time in times if time is not None), default=None)


@dataclass(frozen=True)
class LoadedSegment:
    """What came of loading a segment: the rows that cannot be read, and markers of "no value".

    `null_markers` counts by attribute the cells that were read as empty because they hold a marker
    such as `NULL`. `numeric_columns` are those that a file has as numbers and not as text, so that their
    decimal mark is a point.
    """

    unreadable: tuple[UnreadableRow, ...] = ()
    null_markers: Mapping[str, int] = field(default_factory=dict)
    numeric_columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class UnreadableRow:
    """A row that cannot be read: its position and the code of the reason."""

    segment: str
    file: str
    line: int
    code: str
