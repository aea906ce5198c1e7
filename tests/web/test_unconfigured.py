"""An app with unusable settings responds, and names them only to administrators."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from devhost.processes import App, running, start_app

REFERENCE = "@Microsoft.KeyVault(SecretUri=https://config.vault.azure.net/secrets/x)"


def principal(role: str) -> dict[str, str]:
    claims = [{"typ": "oid", "val": "o-1"}, {"typ": "roles", "val": role}]
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
    }


@pytest.fixture(scope="module")
def app(azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app after a first deployment, when its secret is not in the vault yet."""
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "TICK_SCHEDULE": "0 0 0 1 1 *",
        "ENTRA_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "ENTRA_CLIENT_ID": "11111111-2222-3333-4444-666666666666",
        "ENTRA_CLIENT_SECRET": REFERENCE,
        "MAX_PROFILES": "many",
        "WEBSITE_AUTH_ENABLED": "True",
    }
    log = tmp_path_factory.mktemp("unconfigured") / "app.log"
    with running(start_app(settings, log=log)) as started:
        yield started


def test_health_returns_only_not_configured_to_anonymous_callers(app: App) -> None:
    answer = requests.get(app.url + "api/health", timeout=100)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["Cache-Control"] == "no-store"
    content = answer.json()
    assert content["type"] == "urn:problem-type:notConfigured"
    assert content["title"] == "Not configured"
    assert "errors" not in content
    for name in ("ENTRA", "MAX_PROFILES", "KeyVault"):
        assert name not in answer.text


@pytest.mark.parametrize("path", ["", "api/exports", "api/nothing"])
@pytest.mark.parametrize("role", ["Viewer", "Contributor"])
def test_every_path_returns_not_configured_without_details(app: App, path: str, role: str) -> None:
    answer = requests.get(app.url + path, headers=principal(role), timeout=100)
    assert answer.status_code == 503
    assert "ENTRA_CLIENT_SECRET" not in answer.text


def test_an_administrator_sees_which_settings_are_wrong(app: App) -> None:
    answer = requests.get(app.url + "api/health", headers=principal("Administrator"), timeout=100)
    assert answer.status_code == 503
    assert {one["field"] for one in answer.json()["errors"]} == {
        "ENTRA_CLIENT_SECRET",
        "MAX_PROFILES",
    }
    assert REFERENCE not in answer.text
    assert "many" not in answer.text


def test_the_log_contains_the_names_of_the_settings(app: App) -> None:
    requests.get(app.url + "api/health", timeout=100)
    assert app.log is not None
    text = Path(app.log).read_text()
    assert "ENTRA_CLIENT_SECRET: The Key Vault reference cannot be resolved." in text
    assert REFERENCE not in text


def test_the_response_is_in_the_callers_language(app: App) -> None:
    answer = requests.get(app.url + "api/health", headers={"Accept-Language": "ko"}, timeout=100)
    assert answer.json()["title"] == "구성되지 않았습니다"
    assert answer.headers["Content-Language"] == "ko"


def test_a_head_request_has_no_body(app: App) -> None:
    answer = requests.head(app.url + "api/health", timeout=100)
    assert (answer.status_code, answer.content) == (503, b"")
