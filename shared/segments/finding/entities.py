"""The entities that a `model.json` or a manifest describes, and what both formats have in common.

Documents are untrusted. An entity that cannot be read has a fault and does not affect the others; only a document without
a list of entities is an InputError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import InputError
from shared.model.source import Attribute, CsvFormat, composed
from shared.segments.finding.json_text import flag_of, load_json, text_of
from shared.segments.suggestions import suggest

MAX_BYTES = 16 * 1024 * 1024
_MAX_ENTITIES = 10_000
# The limit for the whole model: every survey of the container iterates over all of them.
MAX_PARTITIONS = 100_000


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


def has_people(attributes: Sequence[Attribute], primary_key: str | None) -> bool:
    """Whether a table is about people: it has a key or an address, or its columns are unknown."""
    return not attributes or primary_key is not None or "email" in suggest(attributes).values()


def refuse_missing_locations(has_location: Sequence[bool], entity: str, where: str) -> None:
    """InputError names the first partition without a location if others have one.

    The people in its file would count as people who left the segment.
    """
    if any(has_location) and not all(has_location):
        number = has_location.index(False) + 1
        raise InputError("partitionMalformed", where=where, entity=entity, number=number)


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
        header=flag_of(settings.get("columnHeaders")),
        delimiter=delimiter,
        quoted=style != "none",
        encoding=text_of(settings.get("encoding")) or "UTF-8",
    )
