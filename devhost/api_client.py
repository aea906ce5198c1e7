"""A client of the app's HTTP interface, for the demo, the tests and the benchmarks.

Bodies are those of the interface, unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import requests

ACTIVE = ("queued", "planning", "sending", "finishing")
_TIMEOUT = 120.0


class ApiError(Exception):
    """The app refused a request; the message contains its problem, without personal data."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(
            f"{status} {problem.get('title', '')}: {problem.get('detail', '')}"
            f" {problem.get('errors', '')}"
        )
        self.status = status
        self.problem = problem


class ApiClient:
    """The app at an address."""

    def __init__(
        self, url: str, language: str = "en", session: requests.Session | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._http = session or requests.Session()
        # The app is on this machine. Looking for proxies takes longer than a request in the same process.
        self._http.trust_env = False
        self._http.headers["Accept-Language"] = language

    @property
    def headers(self) -> MutableMapping[str, str | bytes]:
        """Headers of every request, such as the platform's header with the caller."""
        return self._http.headers

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send any request; raises ApiError for a status of 400 and above."""
        answer = self._http.request(
            method, self.url + path, json=body, timeout=_TIMEOUT, allow_redirects=False, **more
        )
        if answer.status_code >= 400:
            try:
                problem = answer.json()
            except ValueError:
                problem = {"title": answer.reason}
            raise ApiError(answer.status_code, problem)
        return answer

    def get(self, path: str) -> Any:
        """A GET, as JSON."""
        return self.call("GET", path).json()

    def post(self, path: str, body: Any = None) -> Any:
        """A POST, as JSON."""
        return self.call("POST", path, body if body is not None else {}).json()

    def connect(self, api_key: str, name: str = "Mailchimp") -> dict[str, Any]:
        """A connection with an API key."""
        made = self.post(
            "/api/connections",
            {"displayName": name, "consent": {"agreed": True, "locale": "en"}},
        )
        self.call("PUT", f"/api/connections/{made['id']}/mailchimp/api-key", {"apiKey": api_key})
        connection: dict[str, Any] = self.get(f"/api/connections/{made['id']}")
        return connection

    def define(self, **definition: Any) -> dict[str, Any]:
        """An export."""
        made: dict[str, Any] = self.post("/api/exports", definition)
        return made

    def start(self, export_id: str, mode: str = "export") -> dict[str, Any]:
        """Start a run."""
        run: dict[str, Any] = self.post(f"/api/exports/{export_id}/runs", {"mode": mode})
        return run

    def watch(self, run_id: str, every: float = 0.2) -> Iterator[dict[str, Any]]:
        """The states of a run, until it is over or waits for a confirmation."""
        while True:
            run = self.get(f"/api/runs/{run_id}")
            yield run
            if run["status"] not in ACTIVE:
                return
            time.sleep(every)

    def run(
        self,
        export_id: str,
        mode: str = "export",
        patience: float = 120.0,
        seen: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Start a run and wait until it is over or waits for a confirmation."""
        deadline = time.monotonic() + patience
        run: dict[str, Any] = {}
        for run in self.watch(self.start(export_id, mode)["id"]):
            seen(run)
            if time.monotonic() > deadline:
                message = f"run {run['id']} is {run['status']} after {patience:.0f} seconds"
                raise TimeoutError(message)
        return run

    def outcomes(self, run_id: str, only: str = "") -> str:
        """The outcomes of a run, as CSV."""
        query = f"?only={only}" if only else ""
        return self.call("GET", f"/api/runs/{run_id}/outcomes.csv{query}").text
