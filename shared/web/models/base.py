"""What the JSON bodies and responses have in common.

Names are camelCase. An unknown field is a fault. Every fault of a body is reported at once, by the path of
its field (`mapping.attributes[0].mergeField`), with a code that names its text (shared/messages).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from shared.errors import Fault
from shared.messages.catalogue import has
from shared.model.source import composed

T = TypeVar("T")

# Besides control characters: ends of lines and paragraphs, and characters that change the direction of text,
# so that a name cannot look like another one.
# https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]")
# Letters and symbols without a glyph: fillers of Hangul and the empty Braille cell.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        code = "control_characters"
        raise PydanticCustomError(code, "Control characters are not allowed.")
    # Letters, numbers, punctuation and symbols; not spaces, format characters or lone marks.
    if not any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANK for c in value):
        code = "invisible_characters"
        raise PydanticCustomError(code, "Needs at least one visible character.")
    return composed(value)


# A short text that people type: a display name, an attribute, a segment.
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]


def _in_utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A time in UTC, to the millisecond.
Time = Annotated[
    datetime,
    PlainSerializer(_in_utc, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-23T09:00:00.000Z"]},
        mode="serialization",
    ),
]

# A value of an enumeration or a list, as JSON spells it. Bodies are strict otherwise.
Choice = Annotated[T, Field(strict=False)]
Items = Annotated[tuple[T, ...], Field(strict=False)]


def one_of(values: Any) -> WithJsonSchema:
    """Describe a text of a response by the values that a body may send back: an enumeration or a `Literal`.

    The text is not checked, because a record of a newer version may have another value.
    """
    return WithJsonSchema(TypeAdapter(values).json_schema(), mode="serialization")


# A field of responses: a body may bring it back unchanged from a GET, and it is ignored.
ReadOnly = Annotated[Any, Field(default=None, exclude=True, json_schema_extra={"readOnly": True})]


class Body(BaseModel):
    """A request body, or a part of one."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )

    @classmethod
    def from_form(cls, fields: Mapping[str, object]) -> Self:
        """Read the body from the fields of a form. RequestValidationError has every fault."""
        try:
            return cls.model_validate(fields)
        except ValidationError as invalid:
            raise RequestValidationError(invalid.errors()) from invalid


class View(BaseModel):
    """A response, or a part of one."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )

    @classmethod
    def of(cls, value: object, **others: object) -> Self:
        """Make the view of a value from its attributes of the same names, and from `others`."""
        names = [name for name in cls.model_fields if hasattr(value, name)]
        return cls.model_validate({**{name: getattr(value, name) for name in names}, **others})

    def shown(self) -> dict[str, object]:
        """The values of the JSON form, camelCase."""
        return self.model_dump(mode="json", by_alias=True)


V = TypeVar("V", bound=View)


def is_none(value: object) -> bool:
    """Whether to omit a field from the JSON form."""
    return value is None


def is_empty(value: Sized) -> bool:
    """Whether to omit a text or a list from the JSON form."""
    return len(value) == 0


class ListView(View, Generic[V]):
    """A list; `nextLink` leads to its next page, if there is one."""

    value: tuple[V, ...]
    next_link: Annotated[
        str | None,
        Field(
            exclude_if=is_none,
            description="The path and query of the next page; absent on the last page",
            examples=["/api/runs?top=50&after=e5dd68759e7673aa013f"],
        ),
    ] = None

    @classmethod
    def listing(cls, values: Iterable[object], next_link: str | None = None) -> Self:
        """A list of views, or of values whose attributes have the names of the view."""
        return cls.model_validate({"value": values, "next_link": next_link})


class _Invalid(Protocol):
    """pydantic's or FastAPI's error for values that do not fit their model."""

    def errors(self) -> Sequence[Any]:
        """One dictionary per fault."""


def faults_of(invalid: _Invalid, most: int | None = None) -> list[Fault]:
    """The faults of values that do not fit their model, the first ones only if there are more."""
    return [_fault_of(detail) for detail in invalid.errors()[:most]]


# FastAPI begins the location with the part of the request.
_PARTS = ("body", "query", "path", "header")


def _fault_of(detail: Any) -> Fault:
    """One of pydantic's errors with our field path and the code of its text."""
    location = list(detail["loc"])
    if location and location[0] in _PARTS:
        location = location[1:]
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    values = {name: str(value) for name, value in (detail.get("ctx") or {}).items()}
    if "expected" in values:
        values["expected"] = ", ".join(re.findall(r"'([^']*)'", values["expected"]))
    code = f"input.{detail['type']}"
    return Fault(path, code=code if has(code) else "input.invalid", values=values)
