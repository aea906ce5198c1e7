"""The web application: the JSON API and the admin pages, behind the gateway."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp

from shared.errors import ConnectorError
from shared.version import VERSION
from shared.web import api, openapi, pages
from shared.web.access import AccessRoute
from shared.web.gateway import Gateway, problem_response
from shared.web.problems import HttpProblem
from shared.web.services import Services


class WebApp(Gateway):
    """The ASGI application, and its route table."""

    def __init__(self, app: ASGIApp, services: Services, routes: Sequence[AccessRoute]) -> None:
        super().__init__(app, services)
        self.routes = tuple(routes)


def create_app(services: Services) -> WebApp:
    """Create the application for these services. It keeps no state between requests."""

    async def problem(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = {"Allow": ", ".join(sorted(_methods(app, request)))}
            error = HttpProblem(405, "methodNotAllowed", headers=allow)
        return problem_response(request, error, services)

    errors = (HTTPException, RequestValidationError, ConnectorError, Exception)
    app = FastAPI(
        title="Customer Insights to Mailchimp export",
        version=VERSION,
        description="Synchronizes Mailchimp audiences with Customer Insights segments.",
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers=dict.fromkeys(errors, problem),
    )
    app.state.services = services
    # One flat table: `include_router` would copy every route.
    for router in (*api.routers(services), *pages.ROUTERS):
        app.router.routes += router.routes
    openapi.add_document(app, services.public_url)
    return WebApp(app, services, [r for r in app.routes if isinstance(r, AccessRoute)])


def _methods(app: FastAPI, request: Request) -> set[str]:
    """The methods that the path of a request has, with HEAD if it has GET."""
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, AccessRoute) and route.matches(request.scope)[0] is not Match.NONE:
            found.add(route.method)
    return found | {"HEAD"} if "GET" in found else found
