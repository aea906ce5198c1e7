"""What Customer Insights wrote, as the heart sees it: freeze segments, load their rows.

The contract is `SegmentSource` in shared/model/ports.py. Freezing writes nothing: a snapshot is
blob names with ETags, and reading one later either gives exactly those bytes or says Changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from shared.errors import ConfigError, Unavailable
from shared.model.source import SegmentSnapshot, Snapshot, UnreadableRow
from shared.segments.container import LandingContainer
from shared.segments.header import described_by_header
from shared.segments.reader import load_segment
from shared.segments.survey import Found, Surveyor

__all__ = ["BlobSegments", "freeze"]


class BlobSegments:
    """The segments in the landing container below `root`; keeps `SegmentSource`."""

    def __init__(self, container: LandingContainer, root: str = "") -> None:
        self._container = container
        self._surveyor = Surveyor(container, root)

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        """Freeze the newest state of the named segments, in this order.

        ConfigError (`segmentMissing`) names those that do not exist, ConfigError
        (`locationRefused`) a partition outside of our container. Unavailable
        (`refreshIncomplete`) when files that `model.json` lists are not there yet.
        """
        found = self._surveyor.survey()
        unknown = [name for name in segments if name not in found or found[name].is_profile]
        if unknown:
            msg = f"Customer Insights has not exported: {', '.join(unknown)}."
            raise ConfigError(msg, code="segmentMissing", values={"segments": ", ".join(unknown)})
        return Snapshot(tuple(freeze(self._container, found[name]) for name in segments))

    def load(
        self,
        connection: duckdb.DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
    ) -> list[UnreadableRow]:
        """Append a segment's rows to `table` (see load_segment)."""
        return load_segment(self._container, connection, segment, columns, table, scratch)


def freeze(container: LandingContainer, found: Found) -> SegmentSnapshot:
    """The segment as it is now, or why it cannot be read now."""
    if found.fault is not None:
        raise found.fault
    if found.missing:
        msg = (
            f"{found.missing} of {found.listed} files of the segment {found.name} "
            "have not been written yet."
        )
        raise Unavailable(msg, code="refreshIncomplete")
    attributes, partitions = found.attributes, found.partitions
    primary_key = found.primary_key
    if not attributes and partitions:
        attributes, partitions = described_by_header(container, partitions)
        if any(attribute.name == "CustomerId" for attribute in attributes):
            primary_key = "CustomerId"
    return SegmentSnapshot(
        name=found.name,
        display_name=found.display_name,
        attributes=attributes,
        partitions=partitions,
        primary_key=primary_key,
        refreshed_at=found.refreshed_at,
    )
