"""A browser without a screen: it stores cookies, follows links and submits forms."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.web.client import ORIGIN, Response, Served, request


class _Forms(HTMLParser):
    """The forms of a page with their values, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[dict[str, str], list[tuple[str, str]]]] = []
        self.text = ""
        self.ids: list[str] = []
        self.longest: dict[str, int] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "form":
            self.forms.append((given, []))
        if given.get("name") and given.get("maxlength"):
            self.longest[given["name"]] = int(given["maxlength"])
        if not self.forms:
            return
        fields = self.forms[-1][1]
        kind = given.get("type", "")
        if tag == "input" and given.get("name") and (kind != "checkbox" or "checked" in given):
            fields.append((given["name"], given.get("value", "on" if kind == "checkbox" else "")))
        if tag == "select":
            self._select = given.get("name", "")
            fields.append((self._select, ""))
        if tag == "option" and "selected" in given:
            fields.append((self._select, given.get("value", "")))

    def handle_data(self, data: str) -> None:
        self.text += data


class Browser:
    """The browser of one person."""

    def __init__(self, world: Served, language: str = "en") -> None:
        self.world = world
        self.cookies: dict[str, str] = {}
        self.headers = {"Accept-Language": language}
        self.path = "/"
        self.answer = Response(0, (), b"")
        self._read = _Forms()

    @property
    def text(self) -> str:
        return " ".join(self._read.text.split())

    @property
    def html(self) -> str:
        return self.answer.body.decode()

    def between(self, start: str, end: str) -> str:
        """The HTML after the first `start`, up to the next `end`; empty without `start`."""
        return self.html.partition(start)[2].partition(end)[0]

    @property
    def ids(self) -> list[str]:
        return self._read.ids

    @property
    def longest(self) -> dict[str, int]:
        """The number of characters that a person can type into a field, by its name."""
        return self._read.longest

    def open(self, path: str) -> Browser:
        return self._go("GET", path, b"", {})

    def send(
        self, action: str = "", fields: Mapping[str, object] | None = None, query: str = ""
    ) -> Browser:
        """Send the form that leads to `action`, with other values for some fields, and with a query."""
        wanted = self._target(action)
        known = self._form(wanted)
        changes = dict(fields or {})
        values = [(name, value) for name, value in known if name not in changes]
        for name, value in changes.items():
            values += [(name, str(v)) for v in (value if isinstance(value, list) else [value])]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
        }
        target = f"{wanted}?{query}" if query else wanted
        return self._go("POST", target, urlencode(values).encode(), headers)

    def _form(self, path: str) -> list[tuple[str, str]]:
        """The values of the first form that is sent to a path."""
        fitting = [
            known
            for given, known in self._read.forms
            if given.get("method") == "post" and self._target(given.get("action", "")) == path
        ]
        assert fitting, f"no form leads to {path}: {self.text}"
        return fitting[0]

    def _target(self, action: str) -> str:
        """The path to which a form of this page is sent; a query is not compared."""
        return urlsplit(urljoin(ORIGIN + self.path, action)).path

    def upload(self, action: str, content: bytes) -> Browser:
        """Send the form that leads to `action` with a file."""
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in self._form(action)
            if name != "file"
        ]
        body = b"".join(
            (
                *parts,
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n',
                b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n--x--\r\n",
            )
        )
        headers = {
            "Content-Type": "multipart/form-data; boundary=x",
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
        }
        return self._go("POST", action, body, headers)

    def _go(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Browser:
        cookies = {"Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items())}
        sent = {**self.headers, **(cookies if self.cookies else {}), **headers}
        self.answer = request(self.world.web, method, ORIGIN + path, sent, body)
        self.path = path
        self.cookies |= self.answer.cookies
        if self.answer.status == 303:
            return self.open(self.answer.headers["Location"])
        self._read = _Forms()
        if "html" in self.answer.headers.get("Content-Type", ""):
            self._read.feed(self.html)
        return self
