"""Reads a CDM manifest (`*.manifest.cdm.json`) into the same values as `model.json`.

The manifest lists entities and their files. The columns are in a document for each entity, which `entityPath`
names. All documents are untrusted: everything is checked, and only documents in the container are read. An entity
with unknown columns has a fault, because its values could be written to the wrong field.
https://learn.microsoft.com/common-data-model/cdm-manifest
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from shared.errors import InputError
from shared.model.source import PROFILE_ID, Attribute, find_name
from shared.segments.finding.entities import (
    MAX_PARTITIONS,
    Entity,
    ListedPartition,
    Model,
    collect_entities,
    csv_format,
    has_people,
    load_document,
    refuse_missing_locations,
)
from shared.segments.finding.folders import is_hidden
from shared.segments.finding.json_text import read_time, text_of
from shared.segments.finding.model_json import attribute_of
from shared.segments.finding.partition_patterns import matches_hidden, matching_paths

MANIFEST = ".manifest.cdm.json"
_DEEPEST = 10
# The entity that all others extend has no attributes.
_BASES = frozenset({"", "CdmEntity"})

Document = dict[str, object]


def read_manifest(
    data: bytes,
    where: str,
    document: Callable[[str], bytes | None],
    names: Sequence[str],
) -> Model:
    """The model that a manifest describes. InputError names `where` when it is not a manifest.

    `document` gives the content of a blob, None when it does not exist; `names` are all blobs.
    """
    root = load_document(data, where)
    # A manifest may list only other manifests, which are found by their names.
    only_others = root.get("entities") is None and isinstance(root.get("subManifests"), list)
    return collect_entities(
        [] if only_others else root.get("entities"),
        where,
        _Reader(where, document, names).entity,
        name=text_of(root.get("manifestName")) or text_of(root.get("folioName")),
        modified_at=read_time(root.get("lastFileModifiedTime")),
    )


class _Reader:
    """Reads the entities of one manifest; each document is read once."""

    def __init__(
        self, where: str, document: Callable[[str], bytes | None], names: Sequence[str]
    ) -> None:
        self._where = where
        self._folder = posixpath.dirname(where)
        self._document = document
        self._names = names
        self._documents: dict[str, Document] = {}
        self._partitions = 0

    def entity(self, item: object, number: int) -> Entity | None:
        """One local entity, or None for a reference into another manifest."""
        name = text_of(item.get("entityName")) if isinstance(item, dict) else ""
        if not isinstance(item, dict) or not name:
            raise InputError("entityUnnamed", where=self._where, number=number)
        if text_of(item.get("type")).casefold() in {"referencedentity", "referenceentity"}:
            return None
        display = text_of(item.get("displayName")) or name
        profile = name == "Customer"
        try:
            attributes, display, key = self._described(item, name, display)
            partitions = tuple(self._partitions_of(item, name))
        except InputError as error:
            return Entity(name, display, is_profile=profile, fault=error)
        return Entity(
            name=name,
            display_name=display,
            attributes=attributes,
            partitions=partitions,
            primary_key=key,
            is_profile=profile,
            has_people=has_people(attributes, key),
        )

    def _described(
        self, item: Mapping[str, object], name: str, display: str
    ) -> tuple[tuple[Attribute, ...], str, str | None]:
        """Attributes, display name and key, as the entity's own document has them."""
        path = text_of(item.get("entityPath")) or text_of(item.get("entityDeclaration"))
        blob, _, wanted = path.rpartition("/")
        if not blob:
            raise self._undefined(name, path or self._where)
        definitions = self._definitions(self._blob_name(blob), name)
        found = _named(definitions, "entityName", wanted) or _named(definitions, "entityName", name)
        if found is None:
            raise self._undefined(name, path)
        items = list(self._items(found, definitions, name, path, 0))
        attributes = tuple(
            attribute_of(
                {**each, "dataType": _data_type(each)}, name, position, self._blob_name(blob)
            )
            for position, each in enumerate(items, start=1)
        )
        if not attributes:
            raise self._undefined(name, path)
        keys = [text_of(each.get("name")) for each in items if _is_key(each)]
        profile_id = find_name(PROFILE_ID, [each.name for each in attributes])
        key = profile_id or next(iter(keys), None)
        return attributes, text_of(found.get("displayName")) or display, key

    def _items(
        self,
        owner: Mapping[str, object],
        definitions: Sequence[Document],
        entity: str,
        path: str,
        depth: int,
    ) -> Iterator[Document]:
        """The attributes of an entity or group in their order. InputError when they are unknown."""
        base = _reference(owner.get("extendsEntity"), "entityReference").rpartition("/")[2]
        if depth > _DEEPEST:
            raise self._undefined(entity, path)
        if base not in _BASES:
            extended = _named(definitions, "entityName", base)
            if extended is None:
                raise self._undefined(entity, path)
            yield from self._items(extended, definitions, entity, path, depth + 1)
        listed = owner.get("hasAttributes") or owner.get("members")
        for each in listed if isinstance(listed, list) else ():
            if not isinstance(each, dict):
                raise self._undefined(entity, path)
            group = each.get("attributeGroupReference")
            if group is not None:
                if isinstance(group, str):
                    group = _named(definitions, "attributeGroupName", group.rpartition("/")[2])
                if not isinstance(group, dict):
                    raise self._undefined(entity, path)
                yield from self._items(group, definitions, entity, path, depth + 1)
            elif each.get("entity") is not None:
                # An attribute that is an entity becomes columns only when it is resolved.
                raise self._undefined(entity, path)
            else:
                yield each

    def _definitions(self, blob: str, entity: str) -> list[Document]:
        if blob not in self._documents:
            data = self._document(blob)
            if data is None:
                raise self._undefined(entity, blob)
            self._documents[blob] = load_document(data, blob)
        listed = self._documents[blob].get("definitions")
        return (
            [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        )

    def _partitions_of(self, item: Mapping[str, object], name: str) -> list[ListedPartition]:
        for kind in ("dataPartitions", "dataPartitionPatterns"):
            if not isinstance(item.get(kind), list | None):
                raise InputError("entityMalformed", where=self._where, entity=name)
        if any(_is_incremental(each) for each in _all_partitions(item)):
            raise InputError("tableFormatUnsupported", folder=name, format="CDM incremental")
        listed = list(self._listed(item, name))
        found, unmatched = self._found_by_patterns(item, name)
        # Without any file, the segment would seem to be empty, so the patterns count as files that are missing.
        return [*listed, *found] or unmatched

    def _listed(self, item: Mapping[str, object], name: str) -> Iterator[ListedPartition]:
        """The partitions that are listed with a location. InputError if only some have one."""
        partitions = _dicts(item.get("dataPartitions"))
        locations = [text_of(each.get("location")) for each in partitions]
        refuse_missing_locations([location != "" for location in locations], name, self._where)
        for number, (each, location) in enumerate(zip(partitions, locations, strict=True), start=1):
            if location:
                moment = read_time(each.get("lastFileModifiedTime"))
                relative = self._relative(location)
                blob = self._known_blob(relative)
                yield self._partition(each, relative, moment, name, number, blob)

    def _found_by_patterns(
        self, item: Mapping[str, object], name: str
    ) -> tuple[list[ListedPartition], list[ListedPartition]]:
        """A partition for each blob that matches a pattern, and one for each pattern that no blob matches."""
        found: list[ListedPartition] = []
        unmatched: list[ListedPartition] = []
        for number, each in enumerate(_dicts(item.get("dataPartitionPatterns")), start=1):
            blobs = self._matching(each, name)
            for blob in blobs:
                location = posixpath.relpath(blob, self._folder or ".")
                found.append(self._partition(each, location, None, name, number, blob))
            if not blobs:
                blob = self._below(each) + _pattern_of(each)
                unmatched.append(self._partition(each, blob, None, name, number, blob))
        return found, unmatched

    def _matching(self, pattern: Document, entity: str) -> list[str]:
        """The blobs that match a pattern. InputError when the pattern cannot be read."""
        below = self._below(pattern)
        paths = [name.removeprefix(below) for name in self._names if name.startswith(below)]
        glob = text_of(pattern.get("globPattern"))
        expression = text_of(pattern.get("regularExpression"))
        if not matches_hidden(glob, expression):
            paths = [path for path in paths if not is_hidden(path)]
        try:
            found = matching_paths(paths, glob, expression)
        except ValueError:
            raise InputError(
                "patternUnusable", where=self._where, entity=entity, pattern=_pattern_of(pattern)
            ) from None
        return [below + path for path in found]

    def _below(self, pattern: Document) -> str:
        """The folder in which a pattern matches, with the slash at its end; empty for the whole container."""
        root = self._blob_name(text_of(pattern.get("rootLocation"))).strip("/")
        return f"{root}/" if root else ""

    def _known_blob(self, location: str) -> str:
        """The blob beside the manifest, or in another folder of the container; empty for other locations."""
        blob = "" if "://" in location else self._blob_name(location)
        is_elsewhere = ".." in location.split("/") and not blob.startswith("../")
        return blob if is_elsewhere or blob in self._known else ""

    def _partition(
        self,
        item: Mapping[str, object],
        location: str,
        moment: datetime | None,
        entity: str,
        number: int,
        blob: str,
    ) -> ListedPartition:
        self._partitions += 1
        if self._partitions > MAX_PARTITIONS:
            raise InputError("modelTooLong", where=self._where)
        form = csv_format(_csv_settings(item), entity, number, self._where)
        return ListedPartition(text_of(item.get("name")), location, moment, form, blob)

    def _blob_name(self, path: str) -> str:
        """The name of the blob at a path of the manifest: beside it, or below the root of its corpus."""
        plain = self._relative(path)
        return posixpath.normpath(posixpath.join(self._folder, plain)) if plain else self._folder

    def _relative(self, path: str) -> str:
        """A path relative to the manifest; an address stays as it is."""
        if "://" in path:
            return path
        plain = path.partition(":")[2] if ":/" in path else path
        if not plain.startswith("/"):
            return plain
        # The manifest does not contain the root of the corpus: it is the folder from which the path exists.
        folder = self._folder
        while folder:
            if self._exists(f"{folder}{plain}"):
                return posixpath.relpath(f"{folder}{plain}", self._folder)
            folder = posixpath.dirname(folder)
        rooted = plain.lstrip("/")
        if self._exists(rooted):
            return posixpath.relpath(rooted, self._folder or ".")
        return rooted

    def _exists(self, blob: str) -> bool:
        return blob in self._known or f"{blob}/" in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        """All blobs and folders."""
        folders = {
            name[: index + 1]
            for name in self._names
            for index, mark in enumerate(name)
            if mark == "/"
        }
        return frozenset({*self._names, *folders})

    def _undefined(self, entity: str, document: str) -> InputError:
        return InputError("definitionUnusable", where=self._where, entity=entity, document=document)


def _named(definitions: Sequence[Document], key: str, name: str) -> Document | None:
    return next((each for each in definitions if each.get(key) == name), None)


def _dicts(value: object) -> list[Document]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _all_partitions(item: Mapping[str, object]) -> Iterator[Document]:
    """All partitions with a location, and all patterns."""
    for kind in ("Partitions", "PartitionPatterns"):
        changes = [
            {**each, "isIncremental": True} for each in _dicts(item.get(f"incremental{kind}"))
        ]
        for each in (*changes, *_dicts(item.get(f"data{kind}"))):
            if kind == "PartitionPatterns" or text_of(each.get("location")):
                yield each


def _is_incremental(item: Document) -> bool:
    """Whether a partition holds changes (rows that were added, changed and removed) instead of rows."""
    return item.get("isIncremental") is True or any(
        _reference(trait, "traitReference").casefold() == "is.partition.incremental"
        for trait in _list(item.get("exhibitsTraits"))
    )


def _pattern_of(item: Document) -> str:
    return text_of(item.get("globPattern")) or text_of(item.get("regularExpression"))


def _reference(value: object, key: str) -> str:
    """The name in a reference, which is text or an object that holds it."""
    return text_of(value.get(key)) if isinstance(value, dict) else text_of(value)


def _data_type(item: Mapping[str, object]) -> str:
    """`dataFormat` (`DateTime`) or `dataType` as `model.json` writes it (`dateTime`)."""
    kind = text_of(item.get("dataFormat")) or _reference(item.get("dataType"), "dataTypeReference")
    return kind[:1].lower() + kind[1:]


def _is_key(item: Mapping[str, object]) -> bool:
    return _reference(item.get("purpose"), "purposeReference") == "identifiedBy"


def _csv_settings(item: Mapping[str, object]) -> Document | None:
    """The arguments of the trait `is.partition.format.CSV`, by name."""
    for trait in _dicts(item.get("exhibitsTraits")):
        if text_of(trait.get("traitReference")).casefold() == "is.partition.format.csv":
            return {
                text_of(each.get("name")): each.get("value")
                for each in _dicts(trait.get("arguments"))
            }
    return None
