"""What a run reads: segments frozen as blob names with their ETags, so that nothing moves under it.

Customer Insights joins the membership of a segment with the unified profile, so one segment file
holds everything about its members (customer-insights: "the output table automatically contains
all attributes of customer profiles that match").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "DAY_FIRST",
    "MONTH_FIRST",
    "Attribute",
    "CsvFormat",
    "Partition",
    "SegmentSnapshot",
    "Snapshot",
    "UnreadableRow",
]

DAY_FIRST = "dayFirst"
MONTH_FIRST = "monthFirst"


@dataclass(frozen=True)
class Attribute:
    """A column: its name, CDM data type, and semantic type or annotation where one is given.

    `date_order` says whether dates such as 05/06/1980 have the day or the month first; empty where
    nothing says it.
    """

    name: str
    data_type: str = "string"
    semantic_type: str | None = None
    date_order: str = ""


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV partition is written. `header` None = unknown: compare row 1 with the names."""

    header: bool | None = None
    delimiter: str = ","
    quoted: bool = True
    encoding: str = "UTF-8"


@dataclass(frozen=True)
class Partition:
    """One file of a segment: blob name inside the segments container, pinned to its ETag."""

    blob: str
    etag: str
    size: int
    csv: CsvFormat = CsvFormat()


@dataclass(frozen=True)
class SegmentSnapshot:
    """One segment as it was when the run began; partitions in numeric order.

    `primary_key` names the column that identifies a profile (`CustomerId`, else the entity's
    annotated key), or is None. With no `model.json` the attributes come from the header.
    """

    name: str
    display_name: str
    attributes: tuple[Attribute, ...]
    partitions: tuple[Partition, ...]
    primary_key: str | None = None
    refreshed_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """All segments of one run, in the order of the export."""

    segments: tuple[SegmentSnapshot, ...]

    @property
    def etags(self) -> dict[str, str]:
        """Blob name -> ETag of everything this run reads: equal means nothing new."""
        return {p.blob: p.etag for s in self.segments for p in s.partitions}


@dataclass(frozen=True)
class UnreadableRow:
    """A row that the file format does not allow: where it stands and why it cannot be read."""

    segment: str
    file: str
    line: int
    code: str
