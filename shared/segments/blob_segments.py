"""The segments of a run: pin their files, and load their rows.

A snapshot consists of blob names and ETags; nothing is copied. A file that is loaded later has exactly the
pinned content, or Changed is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from shared.errors import ConfigError, InputError, Unavailable
from shared.model.source import (
    PROFILE_ID,
    Attribute,
    LoadedSegment,
    Partition,
    SegmentSnapshot,
    Snapshot,
    composed,
    find_name,
)
from shared.segments.container import LandingContainer
from shared.segments.finding.manifest import MANIFEST
from shared.segments.finding.survey import Survey, SurveyedEntity, Surveyor
from shared.segments.reading.header import described_by_header
from shared.segments.reading.reader import SegmentReader
from shared.segments.weighted_cache import WeightedCache
from shared.settings import NULL_MARKERS

_MOST_NAMED = 5
# Files that `model.json` lists are expected for so long after it or one of them was written.
_EXPECTED = timedelta(hours=1)
# The limit for all remembered headers, in bytes.
_REMEMBERED = 16 * 1024 * 1024

_Described = tuple[tuple[Attribute, ...], tuple[Partition, ...]]


class BlobSegments:
    """Implements SegmentSource for the landing container below `root` (a prefix of blob names; empty: all)."""

    def __init__(
        self,
        container: LandingContainer,
        root: str = "",
        null_markers: Sequence[str] = NULL_MARKERS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader = SegmentReader(container, null_markers)
        self._surveyor = Surveyor(container, root)
        self._pinner = Pinner(container, now)

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        """Pin the newest complete state of the named segments, in this order.

        ConfigError (`segmentMissing`) names those that do not exist; if an unusable `model.json` may list
        them, it has the reason. ConfigError (`locationRefused`) names a partition outside of our container.
        Unavailable (`refreshIncomplete`) when files that `model.json` lists do not exist yet, InputError (`filesMissing`)
        when neither `model.json` nor one of its files was written in the last hour.
        """
        survey = self._surveyor.survey()
        found = {name: survey.found.get(composed(name)) for name in segments}
        unknown = [name for name, each in found.items() if each is None or each.is_profile]
        if unknown:
            raise _segments_error(unknown, survey)
        pinned = ((name, self._pinner.pin(each)) for name, each in found.items() if each)
        return Snapshot(tuple(replace(segment, name=name) for name, segment in pinned))

    def load(
        self,
        connection: duckdb.DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        """Append the rows of a segment to `table`, those of one file in their order."""
        return self._reader.load(connection, segment, columns, table, scratch, consent=consent)


class Pinner:
    """Pins the files of segments by name and ETag. Headers of files that did not change are read once."""

    def __init__(self, container: LandingContainer, now: Callable[[], datetime]) -> None:
        self._container = container
        self._now = now
        self._headers: WeightedCache[_Described] = WeightedCache(_REMEMBERED)

    def pin(self, found: SurveyedEntity) -> SegmentSnapshot:
        """The segment as it is now, or why it cannot be read now."""
        if found.fault is not None:
            raise found.fault
        if found.missing:
            raise self._files_error(found)
        attributes, partitions = found.attributes, found.partitions
        primary_key = found.primary_key
        if not attributes and partitions:
            attributes, partitions = self._described(partitions)
            primary_key = find_name(PROFILE_ID, [attribute.name for attribute in attributes])
        return SegmentSnapshot(
            name=found.name,
            display_name=found.display_name,
            attributes=attributes,
            partitions=partitions,
            primary_key=primary_key,
            refreshed_at=found.refreshed_at if found.source else None,
            described_at=found.described_at,
        )

    def _files_error(self, found: SurveyedEntity) -> Unavailable | InputError:
        """The error for files that will be written, or that do not exist.

        A manifest or an older `model.json` may stay the same while its files are replaced.
        """
        count = len(found.missing)
        values: dict[str, Any] = {
            "segment": found.name,
            "missing": count,
            "listed": found.listed,
            "files": ", ".join(found.missing[:_MOST_NAMED]) + ("…" if count > _MOST_NAMED else ""),
        }
        times = (found.described_at, *(partition.modified_at for partition in found.partitions))
        written = max((time for time in times if time is not None), default=None)
        is_old = written is not None and self._now() - written > _EXPECTED
        if is_old and not found.source.endswith(MANIFEST):
            return InputError("filesMissing", **values, where=found.source)
        return Unavailable("refreshIncomplete", **values)

    def _described(self, partitions: tuple[Partition, ...]) -> _Described:
        described = self._headers.get(partitions)
        if described is None:
            described = described_by_header(self._container, partitions)
            weight = 1_000 * len(partitions) + 250 * len(described[0])
            self._headers.put(partitions, described, weight)
        return described


def _segments_error(unknown: Sequence[str], survey: Survey) -> ConfigError:
    names = ", ".join(unknown)
    if not survey.faults:
        return ConfigError("segmentMissing", segments=names)
    # An entity without a name hides one segment only; an unusable file may hide many.
    cause = min(survey.faults, key=lambda fault: fault.code == "entityUnnamed")
    values: dict[str, Any] = {
        **cause.values,
        "segments": names,
        "cause": cause.message,
        "causeCode": cause.code,
    }
    count = len(survey.faults)
    if count > 1:
        return ConfigError("segmentMissingBesideSeveral", **values, count=count)
    return ConfigError("segmentMissingBeside", **values)
