"""Forms: the fields that a browser sends, and what a person can correct."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from shared.web.cookies import Cookie
from shared.web.csrf import FIELD, check_token
from shared.web.parameters import CurrentContext
from shared.web.problems import HttpProblem, refuse_other_types

_FORM = "application/x-www-form-urlencoded"
_UPLOAD = "multipart/form-data"
# The list of exports sends the id of each selected export, and there may be thousands of exports.
_MOST_FIELDS = 10_000
_MOST_PARTS = 10


@dataclass(frozen=True)
class Form:
    """The fields of a form, in the order in which they were sent."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The last value of a field, without spaces around it; "" if it was not sent."""
        found = self.all(name)
        return found[-1].strip() if found else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for known, value in self.fields if known == name]

    def has(self, name: str) -> bool:
        """Whether the field was sent: a box that is ticked, a button that was pressed."""
        return any(known == name for known, _ in self.fields)

    def whole_number(self, name: str) -> object:
        """The value of a field as a whole number; None if it is empty.

        Anything but a number stays a text, which the validation of the body refuses.
        """
        value = self.get(name)
        try:
            return int(value) if value else None
        except ValueError:
            return value

    def share(self, name: str) -> object:
        """A percentage as a share, 0.3 for 30; anything but a number stays a text."""
        value = self.get(name)
        try:
            return float(value) / 100
        except ValueError:
            return value

    @property
    def etag(self) -> str | None:
        """The ETag of what the form showed."""
        return self.get("etag") or None


async def _form(request: Request, context: CurrentContext) -> Form:
    """The form of a request. 415 for another type, 403 without the token of the page."""
    refuse_other_types(request, _FORM)
    try:
        body = (await request.body()).decode()
        fields = parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HttpProblem(400, "malformed") from None
    form = Form(tuple(fields))
    check_token(Cookie("csrf", request, context.services.public_url), form.get(FIELD))
    return form


SentForm = Annotated[Form, Depends(_form)]


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> io.BytesIO:
    """Hold a part in memory, as its request: a temporary file could be left behind."""
    return io.BytesIO()


@dataclass(frozen=True)
class FileForm:
    """The fields of a form with a file, and the content of the file."""

    form: Form
    data: bytes


async def _upload(request: Request, context: CurrentContext) -> FileForm:
    """A form with a file. 415 for another type, 400 without a file, 403 without the token of the page."""
    refuse_other_types(request, _UPLOAD)
    _, options = parse_options_header(request.headers["content-type"])
    body = await request.body()
    try:
        parser = FormDataParser(_in_memory, silent=False, max_form_parts=_MOST_PARTS)
        _, fields, files = parser.parse(io.BytesIO(body), _UPLOAD, len(body), options)
    except (ValueError, RequestEntityTooLarge):
        raise HttpProblem(400, "malformed") from None
    check_token(Cookie("csrf", request, context.services.public_url), fields.get(FIELD, ""))
    file = files.get("file")
    if file is None:
        raise HttpProblem(400, "malformed")
    form = Form(tuple(fields.items(multi=True)))
    return FileForm(form, bytes(file.read()))


Upload = Annotated[FileForm, Depends(_upload)]


@dataclass(frozen=True)
class FormErrors:
    """Why a form was not accepted: a message, and a text for each field that a person can correct."""

    status: int
    message: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_outdated(self) -> bool:
        """Whether someone else has changed what the form showed."""
        return self.status == 412


# Also the result of a form that was sent only to change the language of its page.
NO_ERRORS = FormErrors(200)
