"""The API behaves as described for any request and never returns 500.

Schemathesis generates valid and invalid requests from the description and sends them through WSGI.
https://schemathesis.readthedocs.io/
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.client import new_connection, new_export, send, wsgi
from tests.web.world import World

WORLD = World()
CONNECTION = new_connection(WORLD)
EXPORT = new_export(WORLD, CONNECTION)
RUN = send(WORLD, "POST", f"/api/exports/{EXPORT}/runs", status=202)["id"]
schema = schemathesis.openapi.from_wsgi("/api/openapi.json", wsgi(WORLD))
OPERATIONS = [result.ok() for result in schema.get_all_operations()]


@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def has_described_response(case: schemathesis.Case) -> None:
    known = {"connections": CONNECTION, "exports": EXPORT, "runs": RUN}
    subject = case.path.split("/")[2]
    if case.path_parameters and subject in known and len(case.path_parameters.get("id", "")) % 2:
        case.path_parameters["id"] = known[subject]
    case.call_and_validate(
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ]
    )


# `schema.parametrize()` would build the requests of all operations while tests are collected, which takes
# seconds in every worker.
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_the_api_behaves_as_described(operation: APIOperation) -> None:
    test = build_operation_test(
        config=schema.config,
        operation=operation,
        test_func=has_described_response,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    test()
