"""Authorization: one rule per route, declared at its endpoint.

`requires` sets the lowest role and, for a path with an export, a run or a connection, whether contributors
may call the route only while that connection is shared with them. `AccessRoute` applies the rule before it
reads the body; a route without a rule cannot be created.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match

from shared.web.application import connections
from shared.web.authentication import Role
from shared.web.context import ANONYMOUS, Context
from shared.web.csrf import refuse_other_sites
from shared.web.json_body import JsonRequest
from shared.web.problems import HttpProblem, refuse_other_types
from shared.web.query_string import check_parameters, parameter_names
from shared.web.services import Services

E = TypeVar("E", bound=Callable[..., Any])


class Subject(StrEnum):
    """The kind of resource that the `{id}` of a path identifies."""

    CONNECTION = "connection"
    EXPORT = "export"
    RUN = "run"


@dataclass(frozen=True)
class Access:
    """The rule of a route. `role` is None for a route that is open to all.

    With `shared`, contributors may call it only while the subject's connection is shared with them.
    """

    role: Role | None
    shared: Subject | None = None

    def refuse(self, context: Context, subject_id: str) -> None:
        """Raise Forbidden when the connection is not shared with the caller."""
        match self.shared:
            case Subject.CONNECTION:
                connections.refuse_not_shared(context, subject_id)
            case Subject.EXPORT:
                connections.refuse_export(context, subject_id)
            case Subject.RUN:
                connections.refuse_export(context, context.services.runs.read(subject_id).export_id)


def requires(role: Role, shared: Subject | None = None) -> Callable[[E], E]:
    """Let callers with this role, or a higher one, call an endpoint."""
    return _with(Access(role, shared))


def public(endpoint: E) -> E:
    """Let all callers use an endpoint, signed in or not."""
    return _with(Access(None))(endpoint)


def _with(access: Access) -> Callable[[E], E]:
    def mark(endpoint: E) -> E:
        endpoint.access = access  # type: ignore[attr-defined]
        return endpoint

    return mark


class AccessRoute(APIRoute):
    """A route that checks the rule of its endpoint."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.access: Access = endpoint.access  # type: ignore[attr-defined]
        super().__init__(path, endpoint, **options)
        self.method = next(iter(self.methods or {""}))
        self._query_names = parameter_names(self.dependant)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that checks the rule before it calls the endpoint."""
        handle = super().get_route_handler()

        async def admitted(request: Request) -> Response:
            services: Services = request.app.state.services
            request.state.context = await self._admit(request, services, request.path_params)
            refuse_other_sites(request, services.public_url)
            if self._is_operation and (self._query_names or self._changes):
                check_parameters(request, self._query_names)
            if self.body_field is None:
                return await handle(request)
            return await handle(await self._json_request(request))

        return admitted

    @property
    def _is_operation(self) -> bool:
        """Whether programs call the route. Other sites add parameters to the links of pages and callbacks."""
        return self.include_in_schema and self.response_class is not HTMLResponse

    @property
    def _changes(self) -> bool:
        """Whether the route changes something for a known caller."""
        return self.method not in ("GET", "HEAD") and self.access.role is not None

    async def _admit(
        self, request: Request, services: Services, path_params: Mapping[str, str]
    ) -> Context:
        state = request.state
        if self.access.role is None:
            return Context(services, ANONYMOUS, state.language, state.trace_id)
        header = request.headers.get("x-ms-client-principal")
        principal = services.authenticator.principal(header, request.scope["server"][0])
        if principal is None:
            raise HttpProblem(401, "unauthenticated", headers={"WWW-Authenticate": "Bearer"})
        if not principal.may(self.access.role):
            raise HttpProblem(403, "forbidden", values={"role": self.access.role.label})
        context = Context(services, principal, state.language, state.trace_id)
        if self.access.shared and not principal.may(Role.ADMINISTRATOR):
            await run_in_threadpool(self.access.refuse, context, path_params["id"])
        return context

    @staticmethod
    async def check_form(request: Request, path: str) -> None:
        """Raise the error (401 or 403) that the caller would get for sending a form to a path."""
        sent = {**request.scope, "method": "POST", "path": path, "root_path": ""}
        for route in request.app.routes:
            if isinstance(route, AccessRoute):
                match, found = route.matches(sent)
                if match is Match.FULL:
                    services: Services = request.app.state.services
                    await route._admit(request, services, found["path_params"])

    async def _json_request(self, request: Request) -> Request:
        """The request with a JSON body that is small enough to validate."""
        body = await request.body()
        if body or (self.body_field and self.body_field.field_info.is_required()):
            refuse_other_types(request, "application/json")
            if not body:
                raise HttpProblem(400, "malformed")
        return JsonRequest(request.scope, request.receive)
