"""Adding an export user, from the request to the catalogue, with a real OpenID provider.

The Customer Insights API is a fake that follows its documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from azure.storage.blob import ContainerClient

from shared.app import App, build
from shared.connections import sign_in
from shared.runtime import Runtime
from shared.settings import load
from tests.connections.oidc import CLIENT_ID, CLIENT_SECRET, TENANT, Provider, provider
from tests.local_server import QuietHandler, serving
from tests.web.client import request

CALLBACK = sign_in.Provider.ENTRA.callback
HERE = "http://127.0.0.1:7071"
INSTANCE = "5e6b6b2c-0b2c-4d1c-9a55-0123456789ab"
KEY = "subscription-key"


class CustomerInsights:
    """The API: it recognizes callers by their tokens, which a test may refuse."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.refuses = False
        outer = self

        class Responses(QuietHandler):
            def do_GET(self) -> None:
                outer.tokens.append(self.headers["Authorization"].removeprefix("Bearer "))
                known = self.headers["Ocp-Apim-Subscription-Key"] == KEY and not outer.refuses
                found = outer.answers().get(self.path.partition("/instances/")[2])
                status = 401 if not known else 200 if found is not None else 404
                self.respond(
                    status, json.dumps(found if status == 200 else {"errorCode": "E"}).encode()
                )

        self.handler = Responses
        self.url = ""

    def answers(self) -> dict[str, Any]:
        evaluated = {"evaluationDate": "2026-11-22T01:02:03Z", "entityCount": 99}
        return {
            f"{INSTANCE}/manage/segments": [
                {
                    "name": "Gold",
                    "friendlyName": "Gold members",
                    "state": "active",
                    "evaluationStatus": evaluated,
                },
                {
                    "name": "Planned",
                    "friendlyName": "Not exported yet",
                    "state": "active",
                    "evaluationStatus": evaluated,
                },
            ],
            f"{INSTANCE}/manage/workflows/main/jobs": [
                {
                    "jobId": "j1",
                    "jobSubmissionKind": "scheduled",
                    "jobStatus": "running",
                    "operationType": "all",
                }
            ],
            f"{INSTANCE}/manage/entities/Customer": {
                "attributes": [
                    {
                        "name": "Contact",
                        "dataType": "string",
                        "semanticType": "IdentityServiceEmail",
                    }
                ]
            },
        }


@pytest.fixture
def insights() -> Iterator[CustomerInsights]:
    api = CustomerInsights()
    with serving(api.handler) as host:
        api.url = f"http://{host}/v1"
        yield api


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("oidc"), HERE + CALLBACK) as running:
        yield running


@pytest.fixture
def app(
    storage: str,
    insights: CustomerInsights,
    entra: Provider,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> App:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(entra.certificate))
    entra.say("back")
    container = f"ci{tmp_path.name[-20:].replace('_', '-').strip('-').lower()}"
    client = ContainerClient.from_connection_string(storage, container)
    client.create_container()
    client.upload_blob("Gold/Gold_1.csv", b"CustomerId,Contact\n1,kim@example.org\n")
    client.close()
    return build(
        load(
            {
                "AzureWebJobsStorage": storage,
                "SEGMENTS_CONTAINER": container,
                "PUBLIC_URL": HERE,
                "DEVELOPER_IDENTITY": "Dev <dev@localhost>; Administrator",
                "ENTRA_TENANT_ID": TENANT,
                "ENTRA_CLIENT_ID": CLIENT_ID,
                "ENTRA_CLIENT_SECRET": CLIENT_SECRET,
                "ENTRA_AUTHORITY": entra.authority,
                "CUSTOMER_INSIGHTS_INSTANCE_ID": INSTANCE,
                "CUSTOMER_INSIGHTS_API_URL": insights.url,
                "CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY": KEY,
            }
        ),
        Runtime(monotonic=Minutes()),
    )


class Minutes:
    """A clock. Answers of the API are remembered for a minute, so one passes before each request."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def call(app: App, method: str, path: str, body: object = None, **headers: str) -> Any:
    cast("Minutes", app.runtime.monotonic).seconds += 61
    given = {"Content-Type": "application/json"} if body is not None else {}
    data = json.dumps(body).encode() if body is not None else b""
    return request(app.web, method, HERE + path, {**given, **headers}, data)


def segments(app: App) -> dict[str, Any]:
    found: Any = call(app, "GET", "/api/segments").json()
    return {one["name"]: one for one in found["value"]}


def add_export_user(app: App, entra: Provider) -> str:
    """Sign in with the requests of a browser. Returns the connection id."""
    agreed = {"displayName": "Main", "consent": {"agreed": True, "locale": "en"}}
    made: Any = call(app, "POST", "/api/connections", agreed).json()
    path = f"/api/connections/{made['id']}"
    away = call(app, "POST", f"{path}/export-user/authorize", {})
    assert away.status == 200, away.body
    cookie = away.headers["Set-Cookie"].partition(";")[0]
    back = entra.sign_in(away.json()["authorizeUrl"])
    query = "&".join(f"{name}={back[name]}" for name in ("code", "state"))
    page = call(app, "GET", f"{CALLBACK}?{query}", Cookie=cookie)
    assert page.status == 303, page.body
    assert page.headers["Location"] == f"/connections/{made['id']}?done=exportUserAdded"
    again = call(app, "GET", f"{CALLBACK}?{query}", Cookie=cookie)
    assert again.status == 400
    return str(made["id"])


def test_an_export_user_is_added_used_lost_and_added_again(
    app: App, entra: Provider, insights: CustomerInsights
) -> None:
    before = segments(app)  # no export user yet: the app uses its own identity
    assert before["Gold"]["displayName"] == "Gold members"
    as_itself = insights.tokens.copy()

    connection = add_export_user(app, entra)
    shown: Any = call(app, "GET", f"/api/connections/{connection}").json()
    assert shown["exportUser"]["name"] == "kim@contoso.example"
    assert shown["exportUser"]["valid"] is True
    assert shown["exportUser"]["addedAt"]
    assert app.connections.read(connection) is not None
    stored = str(app.connections.read(connection))
    assert "oken" not in stored  # neither a token nor a cache of them

    insights.tokens.clear()
    found = segments(app)
    assert found["Gold"]["displayName"] == "Gold members"
    assert found["Gold"]["memberCount"] == 1  # as counted here, not as evaluated there
    assert found["Gold"]["complete"] is True
    assert found["Planned"]["complete"] is False
    assert found["Planned"]["memberCount"] == 99
    assert insights.tokens
    assert not set(insights.tokens) & set(as_itself)

    attributes: Any = call(app, "GET", "/api/attributes?segment=Gold").json()
    [contact] = [one for one in attributes["value"] if one["name"] == "Contact"]
    assert contact["suggestedFor"] == "email"

    jobs: Any = call(app, "GET", "/api/refresh-jobs").json()
    assert [(one["id"], one["status"], one["endedAt"]) for one in jobs["value"]] == [
        ("j1", "running", None)
    ]

    insights.refuses = True  # the person lost their role: first the remembered token, then a new
    for _ in range(2):
        assert segments(app)["Gold"]["displayName"] == "Gold"
    shown = call(app, "GET", f"/api/connections/{connection}").json()
    assert shown["exportUser"]["valid"] is False
    insights.refuses = False

    again = add_export_user(app, entra)
    entra.say("gone")
    app.__dict__.pop("export_users", None)  # another process, which remembers no token
    app.__dict__.pop("catalogue", None)
    app.export_users.token()  # as the app itself
    shown = call(app, "GET", f"/api/connections/{again}").json()
    assert shown["exportUser"]["valid"] is False
