"""The parameters that the framework passes to endpoints, as annotated types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query
from pydantic import BeforeValidator, StringConstraints
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from shared.model.ids import ID
from shared.web.context import Context

T = TypeVar("T")


class _IdConvertor(Convertor[str]):
    """An id of this app or of Mailchimp; other values match no route."""

    regex = ID

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


def id_of(alias: str, description: str, example: str) -> Any:
    """A parameter of a path that has the form of an id."""
    return Path(alias=alias, description=description, pattern=f"^{ID}$", examples=[example])


Id = Annotated[str, id_of("id", "The id, as returned by the list", "0b7c2f6e9a514d38")]
AudienceId = Annotated[str, id_of("audienceId", "The id of a Mailchimp audience", "a1b2c3d4e5")]
# The exports or runs of a list whose current state is requested. A longer URL would be refused.
FollowedIds = Annotated[
    list[Annotated[str, StringConstraints(pattern=f"^{ID}$")]] | None, Query(max_length=100)
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


@dataclass(frozen=True)
class _Paging:
    """Which part of a list to return."""

    request: Request
    top: Annotated[int, Query(ge=1, le=200, description="How many to return", examples=[50])] = 50
    skip: Annotated[
        int, Query(ge=0, le=10_000, description="How many to skip first", examples=[0])
    ] = 0
    after: Annotated[
        str,
        Query(
            pattern="^[A-Za-z0-9_-]{0,64}$",
            description="Where the page before ended, as nextLink has it",
            examples=["e5dd68759e7673aa013f"],
        ),
    ] = ""

    def next_link(self, after: str | None) -> str | None:
        """The link to the page after this key, with the other parameters of the query; None on the last page.

        It names a key, not a number to skip: entries that were added meanwhile do not move the pages.
        """
        if after is None:
            return None
        query = {**self.request.query_params, "top": str(self.top), "after": after}
        query.pop("skip", None)
        return f"{self.request.scope['path']}?{urlencode(query)}"


Paging = Annotated[_Paging, Depends()]
