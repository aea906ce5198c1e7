"""`model.json` of a Common Data Model folder, read into plain values.

The file is written by someone else: everything in it is data to be checked, nothing in it is
followed. What the format allows but Customer Insights has no use for (extensions, relationships,
reference entities) is passed over; what cannot be understood is an InputError that names the
file and the place, never the content.
https://learn.microsoft.com/common-data-model/model-json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

import orjson

from shared.errors import InputError
from shared.model.source import Attribute, CsvFormat

__all__ = ["MAX_BYTES", "Entity", "ListedPartition", "Model", "read_model"]

MAX_BYTES = 16 * 1024 * 1024
_MAX_ENTITIES = 10_000
_MAX_ATTRIBUTES = 20_000
# Of the whole model: every look at the container goes through all of them.
_MAX_PARTITIONS = 100_000
_MAX_NAME = 1_000

# Values of `entityType` and of annotations that mark the unified profile itself.
_PROFILE_TYPES = frozenset({"profile", "customerprofile", "unifiedprofile"})
_TYPE_NOTES = ("entitytype", "c360:entitytype", "ci:entitytype", "c360:type", "ci:type")
_KEY_NOTES = ("c360:primarykey", "ci:primarykey", "primarykey")
_SEMANTIC_NOTES = ("semantictype", "c360:semantictype", "ci:semantictype")
_DISPLAY_NOTES = ("displayname", "friendlyname", "c360:displayname", "ci:displayname")


@dataclass(frozen=True)
class ListedPartition:
    """A partition as the model lists it; `location` is unchecked text (see locations.py)."""

    name: str
    location: str
    refreshed_at: datetime | None
    csv: CsvFormat


@dataclass(frozen=True)
class Entity:
    """A table of the model; attributes stand in the order of the columns."""

    name: str
    display_name: str
    attributes: tuple[Attribute, ...]
    partitions: tuple[ListedPartition, ...]
    primary_key: str | None = None
    is_profile: bool = False


@dataclass(frozen=True)
class Model:
    """One `model.json`; entity names are unique (of two with one name the later one counts)."""

    name: str
    modified_at: datetime | None
    entities: tuple[Entity, ...]


def read_model(data: bytes, where: str) -> Model:
    """The model in `data`. InputError names `where` when it is no usable `model.json`."""
    if len(data) > MAX_BYTES:
        _refuse("is larger than 16 MB", where)
    try:
        root = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        # Not chained: the decoder's error carries the document.
        _refuse("is not valid JSON", where)
    if not isinstance(root, dict):
        _refuse("is not a JSON object", where)
    listed = root.get("entities", root.get("tables"))
    if not isinstance(listed, list):
        _refuse("has neither entities nor tables", where)
    if len(listed) > _MAX_ENTITIES:
        _refuse("lists too many entities", where)
    entities: dict[str, Entity] = {}
    partitions = 0
    for number, item in enumerate(listed, start=1):
        entity = _entity(item, f"{where}, entity {number}")
        if entity is not None:
            partitions += len(entity.partitions)
            if partitions > _MAX_PARTITIONS:
                _refuse("lists too many partitions", where)
            entities.pop(entity.name, None)
            entities[entity.name] = entity
    return Model(
        name=_text(root.get("name")),
        modified_at=read_time(root.get("modifiedTime")),
        entities=tuple(entities.values()),
    )


def _entity(item: object, where: str) -> Entity | None:
    """One local entity, or None for a reference into another model."""
    if not isinstance(item, dict):
        _refuse("is not an object", where)
    kind = item.get("$type")
    if kind == "ReferenceEntity" or (kind is None and "modelId" in item):
        return None
    name = _name(item.get("name"), where)
    attributes = tuple(
        _attribute(each, f"{where}, attribute {number}")
        for number, each in enumerate(_list(item.get("attributes"), _MAX_ATTRIBUTES, where), 1)
    )
    notes = _notes(item)
    entity_csv = item.get("fileFormatSettings")
    partitions = tuple(
        part
        for number, each in enumerate(_list(item.get("partitions"), _MAX_PARTITIONS, where), 1)
        if (part := _partition(each, entity_csv, f"{where}, partition {number}")) is not None
    )
    return Entity(
        name=name,
        display_name=_first(item, ("friendlyName", "displayName"), notes, _DISPLAY_NOTES) or name,
        attributes=attributes,
        partitions=partitions,
        primary_key=_primary_key(attributes, item, notes),
        is_profile=_is_profile(item, notes),
    )


def _attribute(item: object, where: str) -> Attribute:
    if not isinstance(item, dict):
        _refuse("is not an object", where)
    notes = _notes(item)
    semantic = _first(item, ("semanticType",), notes, _SEMANTIC_NOTES) or _trait(item)
    return Attribute(
        name=_name(item.get("name"), where),
        data_type=_text(item.get("dataType")) or "string",
        semantic_type=semantic or None,
    )


def _partition(item: object, entity_csv: object, where: str) -> ListedPartition | None:
    """One partition, or None when it has no location: then the model holds the schema only."""
    if not isinstance(item, dict):
        _refuse("is not an object", where)
    location = item.get("location")
    if location is None or location == "":
        return None
    if not isinstance(location, str):
        _refuse("has a location that is not text", where)
    csv = csv_format(item.get("fileFormatSettings", entity_csv), where)
    header = _flag(item.get("hasHeader"))
    return ListedPartition(
        name=_text(item.get("name")),
        location=location,
        refreshed_at=read_time(item.get("refreshTime")),
        csv=csv if header is None else replace(csv, header=header),
    )


def csv_format(settings: object, where: str) -> CsvFormat:
    """`fileFormatSettings` as a CsvFormat.

    The format's default for `columnHeaders` is false. A writer that leaves it out may not have
    thought about it, so it stays unknown here and the reader looks at the first row.
    """
    if not isinstance(settings, dict):
        return CsvFormat()
    delimiter = settings.get("delimiter", ",")
    if isinstance(delimiter, str) and delimiter in {"\\t", "TAB", "tab"}:
        delimiter = "\t"
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        _refuse("has a delimiter that is not one character", where)
    style = _text(settings.get("quoteStyle")).casefold().removeprefix("quotestyle.")
    return CsvFormat(
        header=_flag(settings.get("columnHeaders")),
        delimiter=delimiter,
        quoted=style != "none",
        encoding=_text(settings.get("encoding")) or "UTF-8",
    )


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time in UTC, or None when there is none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _primary_key(
    attributes: tuple[Attribute, ...], item: Mapping[str, object], notes: Mapping[str, str]
) -> str | None:
    """`CustomerId` where there is one, else the annotated key if it is an attribute."""
    names = {each.name for each in attributes}
    if "CustomerId" in names:
        return "CustomerId"
    keys = [note for key in _KEY_NOTES if (note := notes.get(key))]
    listed = item.get("keys")
    if isinstance(listed, list):
        keys.extend(each for each in listed if isinstance(each, str))
    return next((key for key in keys if key in names), None)


def _is_profile(item: Mapping[str, object], notes: Mapping[str, str]) -> bool:
    """Whether this is the table of all unified profiles: said so, or named `Customer`.

    Customer Insights always names that table `Customer`, and no segment may have its name.
    """
    said = _first(item, ("entityType",), notes, _TYPE_NOTES)
    if said:
        return said.casefold() in _PROFILE_TYPES
    return item.get("name") == "Customer"


def _trait(item: Mapping[str, object]) -> str:
    """The semantic type among an attribute's traits: `means.identity.service.email` and such."""
    traits = item.get("traits", item.get("appliedTraits"))
    for each in traits if isinstance(traits, list) else ():
        name = each.get("traitReference") if isinstance(each, dict) else each
        if isinstance(name, str) and name.casefold().startswith("means."):
            return name.strip()[6:]
    return ""


def _notes(item: Mapping[str, object]) -> dict[str, str]:
    """Annotations by lower-case name; those that are not text are passed over."""
    listed = item.get("annotations")
    return {
        str(each["name"]).casefold(): each["value"].strip()
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and "name" in each and isinstance(each.get("value"), str)
    }


def _first(
    item: Mapping[str, object],
    keys: tuple[str, ...],
    notes: Mapping[str, str],
    note_keys: tuple[str, ...],
) -> str:
    """The first text that is given: as a property, else as an annotation, else empty."""
    found: Iterator[str] = (_text(item.get(key)) for key in keys)
    noted: Iterator[str] = (notes.get(key, "") for key in note_keys)
    return next((each for each in (*found, *noted) if each), "")


def _list(value: object, limit: int, where: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > limit:
        _refuse("has a list that is none or too long", where)
    return value


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_NAME:
        _refuse("has no usable name", where)
    return value


def _text(value: object) -> str:
    return value.strip()[:_MAX_NAME] if isinstance(value, str) else ""


def _flag(value: object) -> bool | None:
    """A boolean, also as the text that Microsoft's SDK writes; None when it is neither."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return value if isinstance(value, bool) else None


def _refuse(what: str, where: str) -> NoReturn:
    msg = f"model.json {what} ({where})."
    raise InputError(msg, code="modelUnusable", where=where) from None
