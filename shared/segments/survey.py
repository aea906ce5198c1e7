"""Everything the landing container offers: segments with their files, from one listing.

Several export destinations may write to one container, each with its own `model.json`. Where two
of them list the same entity, the one refreshed last counts: by the newest `refreshTime` of its
partitions, else by when its files were written. Where no `model.json` lists a name, data files
stand for themselves (folders.py). What is wrong with one segment is kept with it and does not
touch the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import ConfigError, ConnectorError, InputError
from shared.model.source import Attribute, CsvFormat, Partition
from shared.segments.cdm import MAX_BYTES, Entity, Model, read_model
from shared.segments.container import BlobEntry, LandingContainer
from shared.segments.folders import newest_export, order, plain_segments
from shared.segments.locations import blob_name

__all__ = ["Found", "Surveyor"]

_MODEL = "model.json"
_REMEMBERED = 64


@dataclass(frozen=True)
class Found:
    """One entity and the files that hold it now; `missing` of the `listed` ones are not there.

    With no `attributes` the header tells them. `fault` is why it cannot be read at all.
    """

    name: str
    display_name: str
    attributes: tuple[Attribute, ...]
    partitions: tuple[Partition, ...]
    listed: int
    refreshed_at: datetime
    primary_key: str | None = None
    is_profile: bool = False
    fault: ConnectorError | None = None

    @property
    def missing(self) -> int:
        """How many of the listed files are not there (yet)."""
        return self.listed - len(self.partitions)


class Surveyor:
    """Looks through the container below `root` (a prefix; empty = everywhere)."""

    def __init__(self, container: LandingContainer, root: str = "") -> None:
        self._container = container
        self._root = f"{root.strip('/')}/" if root.strip("/") else ""
        self._models: dict[tuple[str, str], Model] = {}

    def survey(self) -> dict[str, Found]:
        """Entity name -> what is there now, in the order of the names."""
        entries = {entry.name: entry for entry in self._container.entries(self._root)}
        found: dict[str, Found] = {}
        broken: list[InputError] = []
        folders = []
        for entry in entries.values():
            folder, _, base = entry.name.rpartition("/")
            if base != _MODEL:
                continue
            folders.append(f"{folder}/" if folder else "")
            try:
                model = self._model(entry)
            except InputError as error:
                broken.append(error)
                continue
            for entity in model.entities:
                _keep_newest(found, self._entity(entity, model, entry, entries))
        if broken and not found:
            raise broken[0]
        loose = (each for each in entries.values() if not each.name.startswith(tuple(folders)))
        for segment in plain_segments(loose, self._root):
            if segment.name not in found:
                found[segment.name] = _plain(segment.name, segment.files)
        return dict(sorted(found.items()))

    def _model(self, entry: BlobEntry) -> Model:
        key = (entry.name, entry.etag)
        if key not in self._models:
            model = read_model(self._container.read(entry, MAX_BYTES), entry.name)
            if len(self._models) >= _REMEMBERED:
                self._models.clear()
            self._models[key] = model
        return self._models[key]

    def _entity(
        self, entity: Entity, model: Model, source: BlobEntry, entries: dict[str, BlobEntry]
    ) -> Found:
        fault: ConnectorError | None = None
        formats: dict[str, CsvFormat] = {}
        times: dict[str, datetime] = {}
        for number, part in enumerate(entity.partitions, start=1):
            where = f"entity {entity.name}, partition {part.name or number}"
            try:
                name = blob_name(part.location, self._container.url, source.name, where)
                self._check_root(name, where)
            except ConfigError as error:
                fault = fault or error
                continue
            formats[name] = part.csv
            if part.refreshed_at is not None:
                times[name] = part.refreshed_at
        names = sorted(newest_export(formats), key=order)
        here = [entries[name] for name in names if name in entries]
        return Found(
            name=entity.name,
            display_name=entity.display_name,
            attributes=entity.attributes,
            partitions=tuple(_partition(each, formats[each.name]) for each in here),
            listed=len(names),
            refreshed_at=max(
                (times[name] for name in names if name in times),
                default=max((each.modified_at for each in here), default=None)
                or model.modified_at
                or source.modified_at,
            ),
            primary_key=entity.primary_key,
            is_profile=entity.is_profile,
            fault=fault,
        )

    def _check_root(self, name: str, where: str) -> None:
        if not name.startswith(self._root):
            msg = f"The location of {where} is outside of SEGMENTS_ROOT."
            raise ConfigError(msg, code="locationRefused")


def _keep_newest(found: dict[str, Found], new: Found) -> None:
    old = found.get(new.name)
    if old is None or old.refreshed_at <= new.refreshed_at:
        found[new.name] = new


def _plain(name: str, files: tuple[BlobEntry, ...]) -> Found:
    return Found(
        name=name,
        display_name=name,
        attributes=(),
        partitions=tuple(_partition(file, CsvFormat(header=True)) for file in files),
        listed=len(files),
        refreshed_at=max(file.modified_at for file in files).astimezone(UTC),
    )


def _partition(entry: BlobEntry, form: CsvFormat) -> Partition:
    return Partition(blob=entry.name, etag=entry.etag, size=entry.size, csv=form)
