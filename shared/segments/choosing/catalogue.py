"""What can be exported: segments with their size and age, attributes with suggestions.

Every exported entity about people is a segment here: it has a `CustomerId`, another key, or an address. The
table of all profiles (`Customer`) is not a segment: Microsoft's connector exports segments only. The rows of a
segment are counted once and stored by the names and ETags of its files. Each call counts a limited number of new
files; the next calls count the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from shared.errors import (
    Changed,
    ConfigError,
    ConnectorError,
    InputError,
    NotFound,
    Unavailable,
)
from shared.model.finding import Reason
from shared.model.source import Attribute, Partition, SegmentSnapshot, composed
from shared.request_time import RequestThreads
from shared.segments.blob_segments import Pinner
from shared.segments.choosing.stored_row_counts import StoredRowCounts
from shared.segments.container import LandingContainer
from shared.segments.finding.survey import Survey, SurveyedEntity, Surveyor
from shared.segments.reading.count_rows import count_rows
from shared.segments.reading.header import sample_values
from shared.segments.suggestions import Role, suggest
from shared.segments.weighted_cache import WeightedCache

# In bytes. A file takes time however small it is, so it counts as at least so many bytes.
_COUNTED_PER_CALL = 256 * 1024 * 1024
_LEAST_SIZE = 512 * 1024
# Small files are counted at the same time, because most of it is waiting for the storage account.
_SMALL = 64 * 1024
_COUNTERS = 8
_SAMPLED = 3
# Rows with which the form checks a mapping.
_CHECKED_ROWS = 5_000
# Seconds after which a caller may read again what was replaced while it was read.
_PAUSE_AFTER_REPLACED = 1.0
# The limit for all remembered counts, in bytes.
_REMEMBERED = 8 * 1024 * 1024


@dataclass(frozen=True)
class SegmentInfo:
    """A segment. `member_count` is None until its rows are completely written and counted.

    `reason` is why it is not complete.
    """

    name: str
    display_name: str
    member_count: int | None
    refreshed_at: datetime | None
    complete: bool = True
    reason: Reason | None = None


@dataclass(frozen=True)
class ListedSegments:
    """All segments, sorted by name, and the files that could not be used."""

    segments: tuple[SegmentInfo, ...]
    faults: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class AttributeInfo:
    """An attribute of the profiles, its suggested use, and how the model writes its dates and numbers."""

    name: str
    data_type: str
    semantic_type: str | None
    suggested_for: Role | None
    date_order: str = ""
    decimal_mark: str = ""


@dataclass(frozen=True)
class SegmentSample:
    """Values from the beginning of a segment, by attribute. Personal data: for display only."""

    segment: str
    values: Mapping[str, Sequence[str]]


class Catalogue:
    """The segments and attributes that are in the landing container now."""

    def __init__(
        self,
        container: LandingContainer,
        root: str,
        counts: StoredRowCounts,
        counted_per_call: int = _COUNTED_PER_CALL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._container = container
        self._surveyor = Surveyor(container, root)
        self._pinner = Pinner(container, now)
        self._counts = counts
        self._known: WeightedCache[int] = WeightedCache(_REMEMBERED)
        self._counted_per_call = counted_per_call

    def listing(self) -> ListedSegments:
        """Every segment by name, and what could not be read. Unavailable, ConfigError (storage)."""
        return self._listing(self._survey())

    def overview(self) -> tuple[ListedSegments, list[AttributeInfo]]:
        """The segments and the attributes of all of them, from one listing of the container."""
        survey = self._survey()
        return self._listing(survey), self._attributes(survey, None)

    def plain(self) -> list[str]:
        """The names of segments that no `model.json` lists. Unavailable, ConfigError (storage).

        Reads the listing of the container only, no file.
        """
        survey = self._survey()
        return [each.name for each in survey.found.values() if not each.source]

    def sample(self, segments: Sequence[str]) -> SegmentSample | None:
        """Values of the first of these segments that has any; of any segment if they have none.

        Reads the beginning of one file. Unavailable, ConfigError (storage).
        """
        found = {n: each for n, each in self._survey().found.items() if _is_segment(each)}
        wanted = [found[name] for name in map(composed, segments) if name in found]
        wanted += [each for each in found.values() if each not in wanted]
        for each in wanted[:_SAMPLED]:
            try:
                segment = self._pinner.pin(each)
                values = sample_values(self._container, segment, _CHECKED_ROWS)
            except (InputError, Changed, ConfigError, Unavailable):
                continue
            if any(values.values()):
                return SegmentSample(each.display_name, values)
        return None

    def _listing(self, survey: Survey) -> ListedSegments:
        counting = _Counting(self._counts, self._counted_per_call)
        segments = [each for each in survey.found.values() if _is_segment(each)]
        described = tuple(self._describe(each, counting) for each in segments)
        counting.store()
        return ListedSegments(described, tuple(map(Reason.of, survey.faults)))

    def attributes(self, segment: str | None = None) -> list[AttributeInfo]:
        """The attributes of a segment, or of all, in the order of their columns.

        NotFound for a segment that does not exist; InputError when its header cannot be read. Unavailable, ConfigError (storage).
        """
        return self._attributes(self._survey(), segment)

    def _survey(self) -> Survey:
        with _unavailable_if_replaced():
            return self._surveyor.survey()

    def _attributes(self, survey: Survey, segment: str | None) -> list[AttributeInfo]:
        found = {name: each for name, each in survey.found.items() if _is_segment(each)}
        chosen = found.get(composed(segment)) if segment is not None else None
        if segment is not None and chosen is None:
            raise NotFound("segmentNotFound", segment=segment)
        wanted = [chosen] if chosen is not None else list(found.values())
        pinned = list(self._pinned(wanted, strict=segment is not None))
        merged: dict[str, Attribute] = {}
        # Segments share the attributes of the profile, which read_model keeps once.
        for attributes in {id(each.attributes): each.attributes for each in pinned}.values():
            for attribute in attributes:
                old = merged.get(attribute.name)
                if old is None or (old.semantic_type is None and attribute.semantic_type):
                    merged[attribute.name] = attribute
        roles = self._roles(list(merged.values()), pinned)
        return [
            AttributeInfo(
                each.name,
                each.data_type,
                each.semantic_type,
                roles.get(each.name),
                each.date_order,
                each.decimal_mark,
            )
            for each in merged.values()
        ]

    def _describe(self, found: SurveyedEntity, counting: _Counting) -> SegmentInfo:
        count: int | None = None
        reason: Reason | None = None
        try:
            count = self._count(self._pinner.pin(found), counting)
        except Changed:
            pass  # it is being replaced; the next call reads it
        except ConnectorError as error:
            reason = Reason.of(error)
        return SegmentInfo(
            found.name, found.display_name, count, found.refreshed_at, reason is None, reason
        )

    def _count(self, segment: SegmentSnapshot, counting: _Counting) -> int | None:
        files = [each for each in segment.partitions if each.size]
        if not files:
            return 0
        key = _key(files, segment.attributes)
        total = self._known.get(key)
        if total is None:
            total = counting.stored.get(key)
            if total is None:
                total = self._sum(files, segment.attributes, counting)
            if total is None:
                return None
            self._known.put(key, total, 200)
        return total

    def _sum(
        self,
        files: Sequence[Partition],
        attributes: Sequence[Attribute],
        counting: _Counting,
    ) -> int | None:
        """Count the rows of files, or as many as this call may count; None when some are not counted yet."""
        keys = [_key([each], attributes) for each in files]
        new = [
            (key, each)
            for key, each in zip(keys, files, strict=True)
            if key not in counting.stored and counting.may_read(each.size)
        ]

        def count(one: tuple[str, Partition]) -> None:
            counting.add(one[0], count_rows(self._container, one[1], attributes))

        for one in new:
            if one[1].size > _SMALL:
                count(one)
        with RequestThreads(_COUNTERS) as counters:
            list(counters.map(count, [one for one in new if one[1].size <= _SMALL]))
        counts = [counting.stored.get(key) for key in keys]
        if None in counts:
            return None
        total = sum(filter(None, counts))
        if len(keys) > 1:
            counting.replace(keys, _key(files, attributes), total)
        return total

    def _pinned(
        self, wanted: Iterable[SurveyedEntity], *, strict: bool
    ) -> Iterator[SegmentSnapshot]:
        """The segments with their attributes; of several, those that cannot be read are omitted."""
        for each in wanted:
            if each.attributes:
                yield SegmentSnapshot(
                    each.name, each.display_name, each.attributes, each.partitions
                )
                continue
            try:
                with _unavailable_if_replaced():
                    pinned = self._pinner.pin(each)
                yield pinned
            except (InputError, ConfigError, Unavailable):
                if strict:
                    raise

    def _roles(
        self, attributes: Sequence[Attribute], pinned: Sequence[SegmentSnapshot]
    ) -> Mapping[str, Role]:
        roles = suggest(attributes)
        if "email" in roles.values():
            return roles
        for segment in [each for each in pinned if each.partitions][:_SAMPLED]:
            try:
                samples = sample_values(self._container, segment)
            except (InputError, Changed):
                continue
            if "email" in (sampled := suggest(attributes, samples)).values():
                return sampled
        return roles


@contextmanager
def _unavailable_if_replaced() -> Iterator[None]:
    """Raise Unavailable for a file that was replaced or deleted while it was read: reading again is all that it takes."""
    try:
        yield
    except Changed as changed:
        file = changed.values["file"]
        raise Unavailable(changed.code, retry_after=_PAUSE_AFTER_REPLACED, file=file) from changed


class _Counting:
    """The row counts of one call, and the bytes that it may still read to count more."""

    def __init__(self, counts: StoredRowCounts, size: int) -> None:
        self._counts = counts
        self._left = size
        self._has_read = False
        self._has_new = False

    @cached_property
    def stored(self) -> dict[str, int]:
        """The stored counts, read when the first one is needed, and the new ones."""
        return self._counts.read()

    def may_read(self, size: int) -> bool:
        """Whether a file of this size may be counted. The first file always may."""
        size = max(size, _LEAST_SIZE)
        if self._has_read and size > self._left:
            return False
        self._left -= size
        self._has_read = True
        return True

    def add(self, key: str, count: int) -> None:
        """Add a new count."""
        self.stored[key] = count
        self._has_new = True

    def replace(self, keys: Iterable[str], key: str, total: int) -> None:
        """Replace the counts of files by their sum: of very many, some would not be stored."""
        for each in keys:
            self.stored.pop(each, None)
        self.add(key, total)

    def store(self) -> None:
        """Store the counts if there are new ones. Without them, the next process counts again."""
        if self._has_new:
            with suppress(ConnectorError):
                self._counts.write(self.stored)


def _is_segment(found: SurveyedEntity) -> bool:
    return found.has_people and not found.is_profile


def _key(files: Sequence[Partition], attributes: Sequence[Attribute]) -> str:
    """The key of a row count: it changes with the content of the files and the way they are read."""
    parts = [part for each in files for part in (each.blob, each.etag, str(each.csv))]
    parts += [attribute.name for attribute in attributes]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
