"""Finds all segments in the landing container with their files, from one listing.

Several export destinations may write to one container, each with its own `model.json` or manifest.
Data files that no `model.json` lists are segments of their own (folders.py). A fault of one segment is stored
with it and does not affect the others; a fault of a whole `model.json` is a fault of the survey, because the
names of its segments are unknown. An entity that two of them list with different files is a fault: only a
person can decide which of the two to use (SEGMENTS_ROOT). A manifest beside a `model.json` is used only for what
the `model.json` does not list; if it is newer and lists other files, this is a fault, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from shared.errors import ConfigError, ConnectorError, InputError
from shared.model.source import Attribute, CsvFormat, Partition, composed, plain_name
from shared.segments.container import BlobEntry, LandingContainer
from shared.segments.finding.entities import MAX_BYTES, Entity, Model, too_large
from shared.segments.finding.folders import (
    PlainSegment,
    is_hidden,
    logged_tables,
    newest_export,
    order,
    plain_segments,
    table_of,
)
from shared.segments.finding.locations import blob_names, shown
from shared.segments.finding.manifest import MANIFEST, read_manifest
from shared.segments.finding.model_json import read_model
from shared.segments.weighted_cache import WeightedCache

_MODEL = "model.json"
# Documents and files of one refresh are written within this time.
_SAME_REFRESH = timedelta(hours=1)
# The limit for all remembered models, in bytes.
_REMEMBERED = 64 * 1024 * 1024


@dataclass(frozen=True)
class SurveyedEntity:
    """An entity and its current files. `name` has composed letters. `missing` are listed files that do not exist (yet).

    When `attributes` is empty, they are read from the header of the files. `fault` is why the entity cannot be
    read at all. `source` is the `model.json` or manifest that lists it, empty for files that no model lists, and
    `described_at` is when it was written.
    """

    name: str
    display_name: str
    attributes: tuple[Attribute, ...]
    partitions: tuple[Partition, ...]
    listed: int
    refreshed_at: datetime
    primary_key: str | None = None
    is_profile: bool = False
    has_people: bool = True
    fault: ConnectorError | None = None
    missing: tuple[str, ...] = ()
    source: str = ""
    described_at: datetime | None = None


@dataclass(frozen=True)
class Survey:
    """The segments that were found, in the order of their names, and what could not be read."""

    found: Mapping[str, SurveyedEntity]
    faults: tuple[ConnectorError, ...]


class Surveyor:
    """Looks through the container below `root` (a prefix; empty = everywhere)."""

    def __init__(self, container: LandingContainer, root: str) -> None:
        self._container = container
        self._root = f"{root.strip('/')}/" if root.strip("/") else ""
        self._models: WeightedCache[Model] = WeightedCache(_REMEMBERED)

    def survey(self) -> Survey:
        """Survey the container as it is now."""
        return _ContainerSurvey(self._container, self._root, self._model).survey()

    def _model(self, entry: BlobEntry, here: _Blobs) -> Model:
        manifest, entries = entry.name.endswith(MANIFEST), here.entries
        # A manifest depends on its documents and its files, too, which may be in any folder.
        key = (entry.name, entry.etag, here.fingerprint if manifest else 0)
        model = self._models.get(key)
        if model is None:
            if entry.size > MAX_BYTES:
                raise too_large(entry.name)
            data = self._container.read(entry, MAX_BYTES)
            if manifest:
                model = read_manifest(
                    data, entry.name, lambda name: self._document(name, entries), list(entries)
                )
            else:
                model = read_model(data, entry.name)
            self._models.put(key, model, model.weight)
        return model

    def _document(self, name: str, entries: Mapping[str, BlobEntry]) -> bytes | None:
        entry = entries.get(name)
        if entry is None:
            return None
        if entry.size > MAX_BYTES:
            raise too_large(name)
        return self._container.read(entry, MAX_BYTES)


@dataclass(frozen=True)
class _Blobs:
    """The blobs of a container by name."""

    entries: Mapping[str, BlobEntry]

    @cached_property
    def fingerprint(self) -> int:
        """Another number when any blob has changed."""
        return hash(tuple((each.name, each.etag) for each in self.entries.values()))


def is_model(blob: str) -> bool:
    """Whether a blob describes a whole export: a `model.json` or a manifest."""
    base = blob.rpartition("/")[2]
    return base == _MODEL or base.endswith(MANIFEST)


class _ContainerSurvey:
    """One survey of the container."""

    def __init__(
        self,
        container: LandingContainer,
        root: str,
        model: Callable[[BlobEntry, _Blobs], Model],
    ) -> None:
        self._container = container
        self._root = root
        self._model = model
        self._entries = _without_folders(container.entries(root))
        self._tables = logged_tables(self._entries)
        self._similar: dict[str, str] | None = None

    def survey(self) -> Survey:
        blobs = _Blobs(self._entries)
        candidates: dict[str, list[SurveyedEntity]] = {}
        faults: list[ConnectorError] = []
        folders: list[str] = []
        for entry in self._entries.values():
            if not is_model(entry.name) or is_hidden(entry.name.removeprefix(self._root)):
                continue
            folder = entry.name.rpartition("/")[0]
            folders.append(f"{folder}/" if folder else "")
            try:
                model = self._model(entry, blobs)
            except InputError as error:
                faults.append(error)
                continue
            faults.extend(model.faults)
            for entity in model.entities:
                found = self._entity(entity, model, entry)
                candidates.setdefault(found.name, []).append(found)
        chosen = {name: _choose(each) for name, each in candidates.items()}
        below = tuple(folders)
        loose = [
            each
            for each in self._entries.values()
            if not each.name.startswith(below) and table_of(each.name, self._tables) is None
        ]
        listed = (name for found in candidates.values() for each in found for name in _files(each))
        for segment in plain_segments(loose, self._root, listed):
            if segment.name not in chosen:
                chosen[segment.name] = _plain(segment)
        for folder, form in self._tables.items():
            if not folder.startswith(below):
                self._logged(folder, form, chosen, faults)
        return Survey(dict(sorted(chosen.items())), tuple(faults))

    def _entity(self, entity: Entity, model: Model, source: BlobEntry) -> SurveyedEntity:
        fault: ConnectorError | None = entity.fault
        formats: dict[str, CsvFormat] = {}
        times: dict[str, datetime] = {}
        for number, part in enumerate(entity.partitions, start=1):
            where = f"{entity.name}, {part.name or number}"
            try:
                name = part.blob or self._blob(part.location, source.name, where)
            except ConfigError as error:
                fault = fault or error
                continue
            formats[name] = part.csv
            if part.refreshed_at is not None:
                times[name] = part.refreshed_at
        names = sorted(newest_export(formats), key=order)
        here = [self._entries[name] for name in names if name in self._entries]
        missing = tuple(name for name in names if name not in self._entries)
        table = next((t for name in names if (t := table_of(name, self._tables)) is not None), None)
        if table is not None:
            fault = fault or _unsupported(table, self._tables[table])
        refreshed = [min(times.get(each.name, each.modified_at), each.modified_at) for each in here]
        return SurveyedEntity(
            name=composed(entity.name),
            display_name=entity.display_name,
            attributes=entity.attributes,
            partitions=tuple(_partition(each, formats[each.name]) for each in here),
            listed=len(names),
            refreshed_at=max(refreshed, default=None)
            or min(model.modified_at or source.modified_at, source.modified_at),
            primary_key=entity.primary_key,
            is_profile=entity.is_profile,
            has_people=entity.has_people,
            fault=fault,
            missing=missing,
            source=source.name,
            described_at=source.modified_at,
        )

    def _blob(self, location: str, source: str, where: str) -> str:
        """The blob that a location means; if it does not exist, the expected one."""
        names = blob_names(location, self._container.url, source, where)
        for name in names:
            if not name.startswith(self._root):
                raise ConfigError(
                    "locationOutsideRoot",
                    place=where,
                    location=shown(location),
                    expected=f"{self._container.url}/{self._root}",
                )
            if name in self._entries:
                return name
        if self._similar is None:
            self._similar = {plain_name(name): name for name in self._entries}
        similar = self._similar.get(plain_name(names[-1]))
        if similar is not None:
            if composed(similar) == composed(names[-1]):
                return similar
            raise ConfigError("locationOtherCase", place=where, location=names[-1], found=similar)
        return names[0]

    def _logged(
        self,
        folder: str,
        form: str,
        chosen: dict[str, SurveyedEntity],
        faults: list[ConnectorError],
    ) -> None:
        """Report that a table with a log cannot be read: as a segment if it has a name."""
        error = _unsupported(folder, form)
        name = composed(folder.removeprefix(self._root).rstrip("/").rpartition("/")[2])
        if not name:
            faults.append(error)
            return
        newest = max(
            each.modified_at for each in self._entries.values() if each.name.startswith(folder)
        )
        if name not in chosen:
            chosen[name] = SurveyedEntity(name, name, (), (), 0, newest, fault=error)


def _without_folders(entries: Iterator[BlobEntry]) -> dict[str, BlobEntry]:
    """Blobs by name; an empty one with others below it represents a folder."""
    found: dict[str, BlobEntry] = {}
    empty: BlobEntry | None = None
    for entry in entries:
        if empty is not None and entry.name.startswith(f"{empty.name}/"):
            found.pop(empty.name, None)
        found[entry.name] = entry
        empty = entry if entry.size == 0 else None
    return found


def _choose(candidates: list[SurveyedEntity]) -> SurveyedEntity:
    """Choose between entities of one name: the one with files, or a fault when two have different files."""
    filled = [each for each in candidates if each.listed or each.fault] or candidates
    # Prefer a model.json to a manifest that describes the same files.
    filled.sort(key=lambda each: (each.source.endswith(MANIFEST), each.fault is not None))
    first = filled[0]
    files = {_files(each) for each in filled if each.fault is None}
    # A manifest is ignored beside a model.json, unless the model.json seems to be a leftover. No usable manifest takes
    # precedence over another.
    is_manifest = first.source.endswith(MANIFEST) and first.fault is None
    others = [
        each
        for each in filled[1:]
        if is_manifest
        or _folder(each) != _folder(first)
        or _written_at(each) - _written_at(first) > _SAME_REFRESH
    ]
    if first.is_profile or len(filled) == 1 or (first.fault is None and len(files) == 1):
        return max(filled, key=lambda each: each.refreshed_at) if first.is_profile else first
    if not others:
        return first
    fault = ConfigError(
        "segmentDescribedTwice",
        segment=first.name,
        first=first.source,
        second=others[0].source,
    )
    return replace(first, fault=fault)


def _files(found: SurveyedEntity) -> tuple[str, ...]:
    return tuple(sorted((*(each.blob for each in found.partitions), *found.missing)))


def _folder(found: SurveyedEntity) -> str:
    return found.source.rpartition("/")[0]


def _written_at(found: SurveyedEntity) -> datetime:
    """When the document or one of its files was written last."""
    written = [each.modified_at for each in found.partitions]
    return max(time for time in (*written, found.described_at) if time is not None)


def _plain(segment: PlainSegment) -> SurveyedEntity:
    files = segment.files
    fault: ConnectorError | None = None
    if segment.other:
        first = files[0].name.rpartition("/")[0] or files[0].name
        fault = ConfigError(
            "segmentDescribedTwice", segment=segment.name, first=first, second=segment.other
        )
    return SurveyedEntity(
        name=segment.name,
        display_name=segment.name,
        attributes=(),
        partitions=tuple(_partition(file, CsvFormat(header=True)) for file in files),
        listed=len(files),
        refreshed_at=max(file.modified_at for file in files).astimezone(UTC),
        fault=fault,
    )


def _unsupported(folder: str, form: str) -> ConfigError:
    place = folder.rstrip("/") or "/"
    return ConfigError("tableFormatUnsupported", folder=place, format=form)


def _partition(entry: BlobEntry, form: CsvFormat) -> Partition:
    return Partition(entry.name, entry.etag, entry.size, form, entry.modified_at)
