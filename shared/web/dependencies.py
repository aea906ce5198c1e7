"""The parameters that the framework passes to endpoints, as annotated types."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Header, Path, Query
from pydantic import BeforeValidator
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from shared.web.context import Context

__all__ = [
    "AudienceId",
    "CurrentContext",
    "Id",
    "IfMatch",
    "Optional",
    "Skip",
    "Top",
]

T = TypeVar("T")


class _IdConvertor(Convertor[str]):
    """An id of this app or of Mailchimp; other values match no route."""

    regex = "[A-Za-z0-9_-]{1,64}"

    def convert(self, value: str) -> str:
        """The id as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The id as it is."""
        return value


register_url_convertor("id", _IdConvertor())


async def _context(request: Request) -> Context:
    context: Context = request.state.context
    return context


CurrentContext = Annotated[Context, Depends(_context)]

Id = Annotated[
    str,
    Path(
        alias="id",
        description="The id, as returned by the list",
        pattern="^[A-Za-z0-9_-]{1,64}$",
        examples=["0b7c2f6e9a514d38"],
    ),
]
AudienceId = Annotated[
    str,
    Path(
        alias="audienceId",
        description="The id of a Mailchimp audience",
        pattern="^[A-Za-z0-9_-]{1,64}$",
        examples=["a1b2c3d4e5"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the version that was read; the response is 412 when it is out of date",
        examples=['"5f2b8c1d9e0a4f37b6c8d2e1"'],
    ),
]


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


# A query parameter that may be absent or blank.
Optional = Annotated[T | None, BeforeValidator(_none_if_blank)]

Top = Annotated[int, Query(ge=1, le=200, description="How many to return", examples=[50])]
Skip = Annotated[int, Query(ge=0, le=10_000, description="How many to skip first", examples=[0])]
