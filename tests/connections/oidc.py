"""A real OpenID provider on this machine, and a simulated person who signs in with a browser's requests."""

from __future__ import annotations

import datetime
import ipaddress
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devhost.processes import node

TENANT = "tenant1"
CLIENT_ID = "client-1"
CLIENT_SECRET = "a-secret-of-the-client-1"
REDIRECT = "https://app.example.com/api/oauth/entra/callback"


@dataclass
class Provider:
    """The provider: `authority` is its address without the tenant."""

    authority: str
    certificate: Path
    redirect: str
    process: subprocess.Popen[str]

    def say(self, line: str) -> None:
        """gone, back or withdraw (oidc.mjs)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "done"

    def sign_in(self, url: str, name: str = "kim") -> dict[str, str]:
        """Go to the sign-in page, log in and consent. Returns the parameters of the redirect."""
        with requests.Session() as browser:
            browser.verify = str(self.certificate)
            at = url
            for _ in range(12):
                answer = browser.get(at, allow_redirects=False, timeout=100)
                while answer.status_code == 200:
                    answer = self._fill_in(browser, at, answer.text, name)
                assert answer.is_redirect, answer.text
                at = urljoin(at, answer.headers["Location"])
                if at.startswith(self.redirect):
                    found = parse_qs(urlsplit(at).query)
                    return {key: values[0] for key, values in found.items()}
        raise AssertionError("the sign-in did not come back")

    @staticmethod
    def _fill_in(browser: requests.Session, at: str, page: str, name: str) -> requests.Response:
        action = re.search(r'action="([^"]+)"', page)
        prompt = re.search(r'name="prompt" value="(\w+)"', page)
        assert action, page
        assert prompt, page
        form = {"prompt": prompt[1], "login": name, "password": "any"}
        return browser.post(urljoin(at, action[1]), data=form, allow_redirects=False, timeout=100)


@contextmanager
def provider(folder: Path, redirect: str = REDIRECT) -> Iterator[Provider]:
    """A provider with its own certificate, for the duration of a `with` block."""
    certificate, key = _certificate(folder)
    script = Path(__file__).with_name("oidc.mjs")
    command = [node(), str(script), str(certificate), str(key), TENANT, redirect]
    with (folder / "oidc.log").open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            port = process.stdout.readline().strip()
            assert port, (folder / "oidc.log").read_text()
            yield Provider(f"https://localhost:{port}", certificate, redirect, process)
        finally:
            process.stdin.close()
            process.wait(100)
            process.stdout.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "localhost.pem", folder / "localhost.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private
