"""Reads the `model.json` of a Common Data Model folder.

The file is untrusted: everything in it is checked, and no reference is followed. Parts of the format that Customer
Insights does not use (extensions, relationships, reference entities) are ignored. An entity that cannot be read
has a fault and does not affect the others; only a document without a list of entities is an InputError.
https://learn.microsoft.com/common-data-model/model-json
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.errors import InputError
from shared.model.source import (
    PROFILE_ID,
    WHOLE_NUMBER_TYPES,
    Attribute,
    CsvFormat,
    composed,
    find_name,
    name_of_column,
)
from shared.segments.finding.culture import Culture, culture_of, format_order
from shared.segments.finding.json_text import load_json
from shared.segments.suggestions import suggest

MAX_BYTES = 16 * 1024 * 1024
_MAX_ENTITIES = 10_000
_MAX_ATTRIBUTES = 20_000
# The limit for the whole model: every survey of the container iterates over all of them.
MAX_PARTITIONS = 100_000
_MAX_NAME = 1_000

# Values of `entityType` and of annotations that mark the unified profile itself.
_PROFILE_TYPES = frozenset({"profile", "customerprofile", "unifiedprofile"})
_TYPE_NOTES = ("entitytype", "c360:entitytype", "ci:entitytype", "c360:type", "ci:type")
_KEY_NOTES = ("c360:primarykey", "ci:primarykey", "primarykey")
_SEMANTIC_NOTES = ("semantictype", "c360:semantictype", "ci:semantictype")
_DATE_NOTES = ("ci:customdateformat", "ci:customtimestampformat")
_NUMBERS = frozenset({"double", "decimal"}) | WHOLE_NUMBER_TYPES
# Some writers use the names of .NET: `Int64`, `DateTime`.
_TYPES = {
    each.casefold(): each
    for each in (*_NUMBERS, "string", "boolean", "date", "dateTime", "dateTimeOffset", "guid")
}
_NO_CULTURE = Culture()
_DISPLAY_NOTES = ("displayname", "friendlyname", "c360:displayname", "ci:displayname")


@dataclass(frozen=True, slots=True)
class ListedPartition:
    """A partition as the model lists it; `location` is unchecked text (see locations.py).

    `blob` is set where the name of an existing blob was found instead of a location.
    """

    name: str
    location: str
    refreshed_at: datetime | None
    csv: CsvFormat
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """A table of the model, with attributes in the order of the columns.

    `fault` is why it cannot be read. `has_people` is whether it is about people: it has a key or an address.
    """

    name: str
    display_name: str
    attributes: tuple[Attribute, ...] = ()
    partitions: tuple[ListedPartition, ...] = ()
    primary_key: str | None = None
    is_profile: bool = False
    has_people: bool = True
    fault: InputError | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One `model.json` or manifest, with one entity of each name.

    `faults` are those of entities without a name. `weight` is its estimated size in memory, in bytes.
    """

    name: str
    modified_at: datetime | None
    entities: tuple[Entity, ...]
    faults: tuple[InputError, ...]
    weight: int


def read_model(data: bytes, where: str) -> Model:
    """Read a `model.json`. InputError names `where` when it is not usable as a whole."""
    root = load_document(data, where)
    culture = culture_of(root.get("culture"))
    return collect_entities(
        root.get("tables") if root.get("entities") is None else root["entities"],
        where,
        lambda item, number: _entity(item, number, where, culture),
        name=text_of(root.get("name")),
        modified_at=read_time(root.get("modifiedTime")),
    )


def collect_entities(
    listed: object,
    where: str,
    read: Callable[[object, int], Entity | None],
    *,
    name: str,
    modified_at: datetime | None,
) -> Model:
    """Read the entities that a document lists, each with its number from 1.

    InputError names `where` when `listed` is not a list or too long. Another InputError of `read` becomes a
    fault of the model.
    """
    if not isinstance(listed, list):
        raise InputError("modelShape", where=where)
    if len(listed) > _MAX_ENTITIES:
        raise InputError("modelTooLong", where=where)
    entities: dict[str, Entity] = {}
    faults: list[InputError] = []
    # Segments share the attributes of the profile: each list of them is kept once.
    shared: dict[tuple[Attribute, ...], tuple[Attribute, ...]] = {}
    partitions = 0
    for number, item in enumerate(listed, start=1):
        try:
            entity = read(item, number)
        except InputError as error:
            faults.append(error)
            continue
        if entity is None:
            continue
        entity = replace(entity, attributes=shared.setdefault(entity.attributes, entity.attributes))
        partitions += len(entity.partitions)
        if partitions > MAX_PARTITIONS:
            raise InputError("modelTooLong", where=where)
        name_of_segment = composed(entity.name)
        entities[name_of_segment] = _merged(entities.pop(name_of_segment, None), entity, where)
    found = tuple(entities.values())
    return Model(name, modified_at, found, tuple(faults), _weight_of(found))


def _merged(first: Entity | None, second: Entity, where: str) -> Entity:
    """The entity to use if a document lists a name twice: the one with files, or a fault if their files differ."""
    if first is None or not (first.partitions or first.fault):
        return second
    if not (second.partitions or second.fault):
        return first
    files, others = ({(p.location, p.blob) for p in each.partitions} for each in (first, second))
    if files == others and not first.fault:
        return second
    return replace(first, fault=InputError("entityListedTwice", where=where, entity=first.name))


def load_document(data: bytes, where: str) -> dict[str, object]:
    """A JSON object. InputError names `where` when it is not an object, or too large."""
    if len(data) > MAX_BYTES:
        raise too_large(where)
    try:
        root = load_json(data)
    except ValueError:
        raise InputError("modelNotJson", where=where) from None
    if not isinstance(root, dict):
        raise InputError("modelShape", where=where)
    return root


def too_large(where: str) -> InputError:
    """The error for a document that exceeds the size limit."""
    return InputError("modelTooLarge", where=where, most=MAX_BYTES // (1024 * 1024))


def _weight_of(entities: Iterable[Entity]) -> int:
    """Estimate the size of entities in memory, in bytes. Shared lists of attributes count once."""
    seen: set[int] = set()
    total = 0
    for entity in entities:
        total += 800 + sum(500 + len(part.location) for part in entity.partitions)
        if id(entity.attributes) not in seen:
            seen.add(id(entity.attributes))
            total += 250 * len(entity.attributes)
    return total


def _entity(item: object, number: int, where: str, culture: Culture) -> Entity | None:
    """One local entity, or None for a reference into another model."""
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not _usable(name):
        raise InputError("entityUnnamed", where=where, number=number)
    # Names in exports are stored without blanks around them.
    name = str(name).strip()
    kind = item.get("$type")
    if kind == "ReferenceEntity" or (kind is None and item.get("modelId") is not None):
        return None
    notes = _notes(item)
    display = _first(item, ("friendlyName", "displayName"), notes, _DISPLAY_NOTES) or name
    try:
        attributes = tuple(
            attribute_of(each, name, position, where, culture)
            for position, each in enumerate(
                _list(item.get("attributes"), _MAX_ATTRIBUTES, name, where), 1
            )
        )
        partitions = _partitions(item, name, where)
    except InputError as error:
        return Entity(name, display, is_profile=_is_profile(item, notes), fault=error)
    key = _primary_key(attributes, item, notes)
    return Entity(
        name=name,
        display_name=display,
        attributes=attributes,
        partitions=partitions,
        primary_key=key,
        is_profile=_is_profile(item, notes),
        has_people=has_people(attributes, key),
    )


def has_people(attributes: Sequence[Attribute], primary_key: str | None) -> bool:
    """Whether a table is about people: it has a key or an address, or its columns are unknown."""
    return not attributes or primary_key is not None or "email" in suggest(attributes).values()


def attribute_of(
    item: object, entity: str, number: int, where: str, culture: Culture = _NO_CULTURE
) -> Attribute:
    """One attribute. InputError names its entity and position when it has no usable name."""
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not _usable(name):
        raise InputError("attributeUnnamed", where=where, entity=entity, number=number)
    notes = _notes(item)
    semantic = _first(item, ("semanticType",), notes, _SEMANTIC_NOTES) or _trait(item)
    data_type = text_of(item.get("dataType")) or "string"
    data_type = _TYPES.get(data_type.casefold(), data_type)
    return Attribute(
        name=name_of_column(str(name)),
        data_type=data_type,
        semantic_type=semantic or None,
        date_order=format_order(_first(item, (), notes, _DATE_NOTES)) or culture.date_order,
        # Text is copied as it is, so the culture of the writer does not apply to it.
        decimal_mark=culture.decimal_mark if data_type in _NUMBERS else "",
    )


def _partitions(item: Mapping[str, object], entity: str, where: str) -> tuple[ListedPartition, ...]:
    """The partitions of an entity; empty if none has a location: such a model contains only the schema."""
    entity_csv = item.get("fileFormatSettings")
    found = [
        _partition(each, entity_csv, entity, number, where)
        for number, each in enumerate(
            _list(item.get("partitions"), MAX_PARTITIONS, entity, where), 1
        )
    ]
    refuse_missing_locations([part is not None for part in found], entity, where)
    return tuple(part for part in found if part is not None)


def refuse_missing_locations(has_location: Sequence[bool], entity: str, where: str) -> None:
    """InputError names the first partition without a location if others have one.

    The people in its file would count as people who left the segment.
    """
    if any(has_location) and not all(has_location):
        number = has_location.index(False) + 1
        raise InputError("partitionMalformed", where=where, entity=entity, number=number)


def _partition(
    item: object, entity_csv: object, entity: str, number: int, where: str
) -> ListedPartition | None:
    """One partition, or None when it has no location."""
    location = item.get("location") if isinstance(item, dict) else 0
    if location is None or location == "":
        return None
    if not isinstance(item, dict) or not isinstance(location, str):
        raise InputError("partitionMalformed", where=where, entity=entity, number=number)
    own_csv = item.get("fileFormatSettings")
    csv = csv_format(entity_csv if own_csv is None else own_csv, entity, number, where)
    header = _flag(item.get("hasHeader"))
    return ListedPartition(
        name=text_of(item.get("name")),
        location=location,
        refreshed_at=read_time(item.get("refreshTime")),
        csv=csv if header is None else replace(csv, header=header),
    )


def csv_format(settings: object, entity: str, number: int, where: str) -> CsvFormat:
    """`fileFormatSettings` as a CsvFormat.

    The format's default for `columnHeaders` is false, but writers may forget to set it. So a missing value is
    unknown here, and the reader decides by the first row.
    """
    if not isinstance(settings, dict):
        return CsvFormat()
    delimiter = settings.get("delimiter")
    delimiter = "," if delimiter is None else delimiter
    if isinstance(delimiter, str) and delimiter.casefold() in {"\\t", "tab"}:
        delimiter = "\t"
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        shown = (delimiter if isinstance(delimiter, str) else type(delimiter).__name__)[:20]
        raise InputError(
            "delimiterUnusable", where=where, entity=entity, number=number, delimiter=shown
        )
    style = text_of(settings.get("quoteStyle")).casefold().removeprefix("quotestyle.")
    return CsvFormat(
        header=_flag(settings.get("columnHeaders")),
        delimiter=delimiter,
        quoted=style != "none",
        encoding=text_of(settings.get("encoding")) or "UTF-8",
    )


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time in UTC, or None when it is missing or invalid."""
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
    """The profile id if it exists, else the annotated key if it is an attribute."""
    names = [each.name for each in attributes]
    profile_id = find_name(PROFILE_ID, names)
    if profile_id is not None:
        return profile_id
    keys = [note for key in _KEY_NOTES if (note := notes.get(key))]
    listed = item.get("keys")
    if isinstance(listed, list):
        keys.extend(each for each in listed if isinstance(each, str))
    return next((key for key in keys if key in names), None)


def _is_profile(item: Mapping[str, object], notes: Mapping[str, str]) -> bool:
    """Whether this is the table of all unified profiles: it is marked as such, or named `Customer`.

    Customer Insights always names that table `Customer`, and no segment may have its name.
    """
    declared = _first(item, ("entityType",), notes, _TYPE_NOTES)
    if declared:
        return declared.casefold() in _PROFILE_TYPES
    return item.get("name") == "Customer"


def _trait(item: Mapping[str, object]) -> str:
    """The semantic type among an attribute's traits: `means.identity.service.email` and such."""
    traits = item.get("traits") or item.get("appliedTraits")
    for each in traits if isinstance(traits, list) else ():
        name = each.get("traitReference") if isinstance(each, dict) else each
        if isinstance(name, str) and name.casefold().startswith("means."):
            return name.strip()[6:]
    return ""


def _notes(item: Mapping[str, object]) -> dict[str, str]:
    """Annotations by lower-case name; values that are not text are ignored."""
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
    """The first text among these properties, then among these annotations; empty if there is none."""
    found: Iterator[str] = (text_of(item.get(key)) for key in keys)
    noted: Iterator[str] = (notes.get(key, "") for key in note_keys)
    return next((each for each in (*found, *noted) if each), "")


def _list(value: object, limit: int, entity: str, where: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > limit:
        raise InputError("entityMalformed", where=where, entity=entity)
    return value


def _usable(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= _MAX_NAME


def text_of(value: object) -> str:
    """Text without blanks around it, at most as long as a name; empty when it is not text."""
    return value.strip()[:_MAX_NAME] if isinstance(value, str) else ""


def _flag(value: object) -> bool | None:
    """A boolean, also as the text that Microsoft's SDK writes; None for any other value."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return value if isinstance(value, bool) else None
