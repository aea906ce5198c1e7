"""A real OpenID provider on this machine, and a simulated person who signs in with a browser's requests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from devhost.processes import node
from tests.local_certificate import make_certificate

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
    certificate, key = make_certificate(folder)
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
