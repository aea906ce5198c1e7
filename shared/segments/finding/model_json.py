"""Reads the `model.json` of a Common Data Model folder.

The file is untrusted: everything in it is checked, and no reference is followed. Parts of the format that Customer
Insights does not use (extensions, relationships, reference entities) are ignored.
https://learn.microsoft.com/common-data-model/model-json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from shared.errors import InputError
from shared.model.source import (
    PROFILE_ID,
    WHOLE_NUMBER_TYPES,
    Attribute,
    find_name,
    name_of_column,
)
from shared.segments.finding.culture import Culture, culture_of, format_order
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
from shared.segments.finding.json_text import MAX_NAME, flag_of, read_time, text_of

_MAX_ATTRIBUTES = 20_000

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
    header = flag_of(item.get("hasHeader"))
    return ListedPartition(
        name=text_of(item.get("name")),
        location=location,
        refreshed_at=read_time(item.get("refreshTime")),
        csv=csv if header is None else replace(csv, header=header),
    )


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
    return isinstance(name, str) and bool(name.strip()) and len(name) <= MAX_NAME
