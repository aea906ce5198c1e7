"""JSON at the door: what comes in is checked whole, what goes out has a described shape.

Names are camelCase. A field that nobody knows is a fault, not something to ignore. Every fault of
a body is reported at once, by the path of its field (`mapping.attributes[0].mergeField`), and
named so that it can be said in the reader's language (locales/*/faults.json).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from shared.errors import Fault

__all__ = ["Body", "Label", "ReadOnly", "Time", "View", "faults_of", "parse_parts"]


# Besides control characters: ends of lines and paragraphs, and what turns the direction of reading,
# so that a name cannot look like another one. https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]")


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        code = "control_characters"
        raise PydanticCustomError(code, "Control characters are not allowed.")
    return value


# A short text that people type: a display name, an attribute, a segment.
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]


def _in_utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_in_utc, return_type=str)]

# A field that answers carry: a body may bring it back unchanged from a GET, and it is ignored.
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


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )

    def shown(self) -> dict[str, object]:
        """The JSON form, camelCase."""
        return self.model_dump(mode="json", by_alias=True)


B = TypeVar("B", bound=Body)


def parse_parts(model: type[B], whole: type[B], raw: bytes) -> tuple[B, list[Fault]]:
    """What of a JSON object can be read, and every fault of the rest.

    `whole` says what is required; `model` is the same with every field optional, so that a fault
    in one part does not hide what is wrong with the others.
    """
    try:
        return whole.model_validate_json(raw), []
    except ValidationError as invalid:
        details = invalid.errors(include_url=False, include_input=False)
    wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
    content = orjson.loads(raw)
    rest = {name: value for name, value in content.items() if name not in wrong}
    return model.model_validate_json(orjson.dumps(rest)), [fault_of(d) for d in details]


def faults_of(invalid: ValidationError) -> list[Fault]:
    """The faults of a body that does not fit its model."""
    return [fault_of(d) for d in invalid.errors(include_url=False, include_input=False)]


def fault_of(detail: ErrorDetails) -> Fault:
    """One of pydantic's findings with our field path and the name of its text."""
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    values = {name: str(value) for name, value in (detail.get("ctx") or {}).items()}
    if "expected" in values:
        values["expected"] = ", ".join(re.findall(r"'([^']*)'", values["expected"]))
    return Fault(path, detail["msg"], detail["type"], values)
