"""A fake key vault on this machine: https, the challenge, soft delete with purge protection.

It implements the part of the protocol that azure-keyvault-secrets uses
(https://learn.microsoft.com/rest/api/keyvault/secrets). As in the real vault, deleting and recovering
take a while: a number of calls, not seconds.
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local_certificate import make_certificate
from tests.local_server import QuietHandler, serving

TOKEN = "token-of-the-identity"


@dataclass
class Vault:
    """The content of the vault. `slowness` calls are refused during a deletion or recovery."""

    url: str = ""
    slowness: int = 0
    fail_with: int | None = None
    fail_because: Any = None
    content_type_required: bool = False
    """The policy "Secrets should have content type set" with the effect Deny."""
    live: dict[str, list[str]] = field(default_factory=dict)
    deleted: dict[str, list[str]] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)

    def answer(self, method: str, parts: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON for a call."""
        if self.fail_with:
            return self.fail_with, _error("Broken", self.fail_because)
        kind, name = parts[0], parts[1].lower()
        if self.busy.get(name, 0) > 0:
            self.busy[name] -= 1
            return (409, _error("Conflict")) if method != "GET" else (404, _error("SecretNotFound"))
        if kind == "deletedsecrets" and method == "POST" and parts[2] == "recover":
            if name not in self.deleted:
                return 404, _error("SecretNotFound")
            self.live[name] = self.deleted.pop(name)
            self.busy[name] = self.slowness
            return 200, self._bundle(name)
        if kind != "secrets":
            return 404, _error("NotFound")
        if method == "PUT":
            if name in self.deleted:
                return 409, _error("Conflict")
            if self.content_type_required and not body.get("contentType"):
                return 403, _error("Forbidden", "ForbiddenByPolicy")
            self.live.setdefault(name, []).append(body["value"])
            return 200, self._bundle(name)
        if name not in self.live:
            return 404, _error("SecretNotFound")
        if method == "DELETE":
            bundle = self._bundle(name)
            self.deleted[name] = self.live.pop(name)
            self.busy[name] = self.slowness
            return 200, {**bundle, "recoveryId": f"{self.url}/deletedsecrets/{name}"}
        return 200, self._bundle(name)

    def _bundle(self, name: str) -> dict[str, Any]:
        versions = self.live[name]
        identity = f"{self.url}/secrets/{name}/{len(versions):032x}"
        return {"id": identity, "value": versions[-1], "attributes": {"enabled": True}}


def _error(code: str, reason: Any = None) -> dict[str, Any]:
    inner = {"innererror": {"code": reason}} if reason else {}
    return {"error": {"code": code, "message": "the vault's own words", **inner}}


@contextmanager
def fake_key_vault(folder: Path) -> Iterator[tuple[Vault, Path]]:
    """A running vault and the certificate with which it can be reached."""
    certificate, key = make_certificate(folder)
    vault = Vault()

    class Calls(QuietHandler):
        protocol_version = "HTTP/1.1"

        def _call(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            vault.agents.add(self.headers.get("User-Agent", ""))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                challenge = 'Bearer authorization="https://login.example/t", resource="https://v"'
                self._send(401, _error("Unauthorized"), {"WWW-Authenticate": challenge})
                return
            parts = self.path.split("?")[0].strip("/").split("/")
            self._send(*vault.answer(self.command, parts, json.loads(body or b"{}")), {})

        do_GET = do_PUT = do_POST = do_DELETE = _call

        def _send(self, status: int, value: Any, headers: dict[str, str]) -> None:
            content = json.dumps(value).encode()
            self.respond(status, content, {"Content-Type": "application/json", **headers})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(Calls, context) as host:
        vault.url = f"https://{host}"
        yield vault, certificate
