"""Refuses query parameters that an operation of the API does not have.

A misspelled filter would list everything, and `POST .../runs?mode=preview` would start an export, because the mode
belongs in the body. Operations that only read and have no query parameters ignore them. The parameters in which the
Functions host takes its keys are ignored as well, because a client may add them to every address.
https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from fastapi.dependencies.models import Dependant
from starlette.requests import Request

from shared.errors import Fault
from shared.web.problems import HttpProblem

_OF_THE_HOST = frozenset({"code", "clientId"})


def parameter_names(dependant: Dependant) -> frozenset[str]:
    """The names of the query parameters of an endpoint and of what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return frozenset(own.union(*map(parameter_names, dependant.dependencies)))


def check_parameters(request: Request, known: Collection[str]) -> None:
    """Raise a 400 that names each parameter that is unknown or given twice."""
    ignored = _OF_THE_HOST.difference(known)
    names = (name for name, _ in request.query_params.multi_items())
    given = Counter(name for name in names if name not in ignored)
    faults = [
        Fault(name, code="input.parameter_twice" if name in known else "input.parameter_unknown")
        for name, times in given.items()
        if name not in known or times > 1
    ]
    if faults:
        raise HttpProblem(400, "badRequest", faults=faults)
