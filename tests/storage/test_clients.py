"""The SDK clients: by connection string or identity, shared, quiet, created at first use."""

import base64
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from azure.core.pipeline.transport import HttpTransport

from devhost.processes import AZURITE, ROOT, node
from shared.errors import ConfigError, ConnectorError, NotFound, Unavailable
from shared.request_time import OWN_STORAGE, TIME_UP, request_time
from shared.segments.container import LandingContainer
from shared.settings import StorageAccount
from shared.storage.clients import (
    ClientOptions,
    StorageClients,
    credential_for,
    landing_clients,
    token_for,
)
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.queues import StorageQueue
from shared.storage.records import TableRecords
from tests.local_certificate import make_certificate
from tests.local_server import QuietHandler, serving


@dataclass(frozen=True)
class Thing:
    text: str = ""


NO_CONNECTIONS = """
import sys

def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        sys.exit(event)

sys.addaudithook(hook)
import shared.storage.leases, shared.storage.local_secrets, shared.storage.queues
import shared.storage.records, shared.storage.vault
from shared.settings import StorageAccount
from shared.storage.clients import StorageClients

clients = StorageClients(StorageAccount(blob_url="https://a.blob.core.windows.net", managed=True))
clients.container("state").get_blob_client("a")
"""


def test_no_request_is_made_before_the_first_use(project: Path) -> None:
    subprocess.run([sys.executable, "-c", NO_CONNECTIONS], cwd=project, check=True, timeout=60)


def test_clients_are_created_once_for_all_threads(account: StorageAccount) -> None:
    clients = StorageClients(account)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: (clients.blobs, clients.queues, clients.tables), range(64)))
    assert len(set(made)) == 1
    clients.close()


def test_closed_clients_can_be_used_again(account: StorageAccount, name: str) -> None:
    clients = StorageClients(account)
    BlobFiles(clients, name).write("a", b"x")
    clients.close()
    assert BlobFiles(clients, name).read("a") == b"x"
    clients.close()


def test_a_container_of_another_account_can_be_read(account: StorageAccount, name: str) -> None:
    container = landing_clients(account).container(name)
    container.create_container()
    assert list(container.list_blob_names()) == []


def test_no_secret_is_in_a_repr(account: StorageAccount) -> None:
    clients = StorageClients(account)
    shown = repr(account) + repr(clients) + repr(clients.blobs) + repr(clients.tables)
    key = account.connection_string.split("AccountKey=")[1].split(";")[0]
    assert key not in shown
    clients.close()


@pytest.mark.parametrize("text", ["nonsense", "AccountName=a;AccountKey=b;x"])
def test_an_invalid_storage_connection_is_a_config_error(text: str) -> None:
    clients = StorageClients(StorageAccount(connection_string=text))
    for use in (lambda: clients.blobs, lambda: clients.queues, lambda: clients.tables):
        with pytest.raises(ConfigError):
            use()


def test_a_person_sees_that_storage_does_not_answer(
    account: StorageAccount, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = [0.0]

    def wait(seconds: float) -> None:
        waited[-1] += seconds

    def send(*_: object, timeout: tuple[float, float], **__: object) -> None:
        wait(timeout[1])
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setattr(HttpTransport, "sleep", lambda _, seconds: wait(seconds))
    clients = StorageClients(account)
    for call in (
        lambda: BlobFiles(clients, name).read("a"),
        lambda: TableRecords(clients, name, Thing).read("a"),
        lambda: StorageQueue(clients).send(name, {"run": "a"}),
        lambda: list(LandingContainer(clients.container(name)).entries()),
    ):
        waited.append(0.0)
        with pytest.raises(Unavailable):
            call()
    assert min(waited[1:]) > 100
    # Azure ends a request after 230 seconds.
    assert max(waited) < 220

    waited.append(0.0)
    landing = LandingContainer(landing_clients(account).container(name))
    with request_time(lambda: waited[-1]):
        for _ in range(2):
            with pytest.raises(Unavailable, match="too slowly"):
                list(landing.entries())
        # There is time for the app's own storage.
        assert 90 < waited[-1] < 110
        with pytest.raises(Unavailable, match="too slowly"):
            TableRecords(clients, name, Thing).read("a")
        assert 200 < waited[-1] < 220
    clients.close()


def test_no_address_is_logged(
    account: StorageAccount, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    clients = StorageClients(account)
    with caplog.at_level(logging.DEBUG):
        BlobFiles(clients, name).write("very/special", b"x")
        TableRecords(clients, name, Thing).create("special", Thing())
        StorageQueue(clients).send(name, {"run": "special"})
        with pytest.raises(NotFound):
            BlobFiles(clients, name).read("special")
    clients.close()
    assert "special" not in caplog.text
    assert "127.0.0.1" not in caplog.text


class Answers(QuietHandler):
    """Answers every call in the same way."""

    protocol_version = "HTTP/1.1"
    status = 200
    headers_: dict[str, str] = {}
    calls = 0

    def _answer(self) -> None:
        type(self).calls += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.respond(self.status, b"geheim", self.headers_)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (503, {"Retry-After": "0", "x-ms-error-code": "ServerBusy"}, Unavailable),
        (500, {}, Unavailable),
        (429, {"Retry-After": "0"}, Unavailable),
        (403, {"x-ms-error-code": "AuthorizationPermissionMismatch"}, ConfigError),
        (307, {"Location": "http://127.0.0.1:1/geheim"}, ConnectorError),
        (400, {"x-ms-error-code": "InvalidInput"}, ConnectorError),
    ],
)
def test_every_response_of_azure_is_translated(
    account: StorageAccount, status: int, headers: dict[str, str], error: type[ConnectorError]
) -> None:
    answers = type("Alike", (Answers,), {"status": status, "headers_": headers})
    with serving(answers) as host:
        here = f"http://{host}/devstoreaccount1"
        key = account.connection_string.split("AccountKey=")[1].split(";")[0]
        text = f"AccountName=devstoreaccount1;AccountKey={key};" + "".join(
            f"{kind}Endpoint={here};" for kind in ("Blob", "Queue", "Table")
        )
        clients = StorageClients(StorageAccount(text), ClientOptions(retries=1, backoff=0.01))
        records = TableRecords(clients, "things", Thing)
        for call in (
            lambda: records.read("a"),
            lambda: records.create("a", Thing()),
            lambda: list(records.all()),
            lambda: BlobFiles(clients).read("a"),
            lambda: BlobFiles(clients).write("a", b"x"),
            lambda: list(BlobFiles(clients).names("")),
            lambda: StorageQueue(clients).send("queue", {}),
            lambda: BlobLeases(clients).acquire("a", 15),
        ):
            before = answers.calls
            with pytest.raises(error) as caught:
                call()
            assert type(caught.value) is error
            assert "geheim" not in str(caught.value)
            assert answers.calls - before <= 2
            if isinstance(caught.value, Unavailable):
                assert caught.value.throttled == (status in (429, 503))
                assert caught.value.retry_after == (0 if headers else None)
        clients.close()


def token(audience: str) -> str:
    """A token in Entra's form, for readers that do not check the signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
        "ver": "1.0",
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, "signature")
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(part.rstrip("=") for part in encoded)


class IdentityEndpoint(QuietHandler):
    """The endpoint of App Service for an app with a managed identity."""

    paths: list[str] = []

    def do_GET(self) -> None:
        type(self).paths.append(self.path)
        expires = str(int(time.time()) + 3600)
        audience = "https://storage.azure.com"
        value = {"access_token": token(audience), "expires_on": expires, "resource": audience}
        content = json.dumps({**value, "token_type": "Bearer"}).encode()
        self.respond(200, content, {"Content-Type": "application/json"})


@pytest.fixture
def by_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[StorageClients, type[IdentityEndpoint]]]:
    """An Azurite that takes tokens only, over https, and an endpoint that gives them."""
    certificate, key = make_certificate(tmp_path)
    log = tmp_path / "azurite.log"
    command = [node(), str(AZURITE), "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--oauth", "basic", "--cert", str(certificate), "--key", str(key), "--silent"]
    command += ["--inMemoryPersistence"]
    for kind in ("blob", "queue", "table"):
        command += [f"--{kind}Port", "0"]
    endpoint = type("Endpoint", (IdentityEndpoint,), {"paths": []})
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as azurite,
        serving(endpoint) as host,
    ):
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{host}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        try:
            urls = listening(log, azurite)
            account = StorageAccount(
                blob_url=urls["Blob"],
                queue_url=urls["Queue"],
                table_url=urls["Table"],
                client_id="00000000-0000-0000-0000-000000000002",
                managed=True,
            )
            clients = StorageClients(account)
            yield clients, endpoint
            clients.close()
        finally:
            azurite.terminate()


def listening(log: Path, azurite: subprocess.Popen[bytes]) -> dict[str, str]:
    until = time.monotonic() + 120
    while time.monotonic() < until and azurite.poll() is None:
        lines = [line for line in log.read_text().splitlines() if "successfully listening" in line]
        if len(lines) == 3:
            return {line.split()[1]: f"{line.split()[-1]}/devstoreaccount1" for line in lines}
        time.sleep(0.05)
    pytest.fail(f"Azurite did not start: {log.read_text()[-500:]}")


def test_a_managed_identity_can_access_everything(
    by_identity: tuple[StorageClients, type[IdentityEndpoint]], name: str
) -> None:
    clients, endpoint = by_identity
    BlobFiles(clients, name).write("a", b"x")
    assert BlobFiles(clients, name).read("a") == b"x"
    StorageQueue(clients).send(name, {"run": "1"})
    things = TableRecords(clients, name, Thing)
    assert things.create("a", Thing("x")) == things.read("a")
    things.create_many([("p/1", Thing()), ("p/2", Thing())])
    assert BlobLeases(clients, name).acquire("slot", 15)
    assert all("client_id=00000000-0000-0000-0000-000000000002" in path for path in endpoint.paths)
    assert endpoint.paths


def test_a_managed_identity_is_asked_only_while_the_request_has_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = type("Endpoint", (IdentityEndpoint,), {"paths": []})
    times = iter([0.0])
    with serving(endpoint) as host:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{host}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        credential = credential_for(StorageAccount(managed=True))

        with request_time(lambda: next(times, OWN_STORAGE)), pytest.raises(Unavailable) as late:
            token_for(credential, "https://storage.azure.com/.default")
        assert (late.value.code, endpoint.paths) == (TIME_UP, [])

        assert token_for(credential, "https://storage.azure.com/.default")
