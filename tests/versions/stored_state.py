"""The stored state of one version of the app, as files that can be loaded into an emulator.

    <version>/tables/<table>.jsonl     one record per line: keys, columns, and its JSON as `value`
    <version>/blobs/<container>/...    blobs as they are
    <version>/queues.json              the messages of every queue
    <version>/secrets.json             secrets by name; API_KEY is replaced by a key of the account
    <version>/mailchimp.jsonl          the sandbox, without its keys
    <version>/story.json               the ids and the expected results

Leases are not stored, because their holders ended. `{blobs}` replaces the URL of the emulator.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox.mailchimp.sandbox import Sandbox
from shared.app import App

API_KEY = "{api key}"
# Obviously not a real key.
KEY = "0123456789abcdef" * 2
_PIECE = 15_000
_NOT_KEPT = ("leases", "secrets")
_HERE = "{blobs}"
# Tables that the current app ignores, because it can compute again what they contain.
UNUSED = frozenset({"rowcounts"})


Change = Callable[[str, Any], Any]


def unchanged(_kind: str, value: Any) -> Any:
    """Return the value unchanged."""
    return value


@dataclass(frozen=True)
class StoredState:
    """The state in the folder of one version."""

    folder: Path

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def story(self) -> dict[str, Any]:
        return json.loads((self.folder / "story.json").read_text("utf-8"))

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the records of every table that the current app reads."""
        return {name: found for name, found in self.all_tables().items() if name not in UNUSED}

    def all_tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the records of every table."""
        return {
            file.stem: [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            for file in sorted((self.folder / "tables").glob("*.jsonl"))
        }

    def queues(self) -> dict[str, list[dict[str, Any]]]:
        """Return the messages of every queue."""
        return json.loads((self.folder / "queues.json").read_text("utf-8"))

    def blob(self, container: str, name: str) -> bytes:
        """Return the content of a blob."""
        return (self.folder / "blobs" / container / name).read_bytes()

    def blobs(self) -> Iterator[tuple[str, str]]:
        """Return the container and name of every blob."""
        root = self.folder / "blobs"
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            container, _, name = file.relative_to(root).as_posix().partition("/")
            yield container, name

    def take(self, storage: str, secrets: dict[str, str], sandbox: Sandbox) -> None:
        """Store the state of an emulator and a sandbox. No app may be running."""
        with TableServiceClient.from_connection_string(storage) as tables:
            for table in tables.list_tables():
                entities = tables.get_table_client(table.name).list_entities()
                lines = [json.dumps(_record(dict(entity)), default=str) for entity in entities]
                self._write(f"tables/{table.name}.jsonl", "\n".join(lines) + "\n")
        with BlobServiceClient.from_connection_string(storage) as containers:
            here = containers.url.rstrip("/")
            for container in containers.list_containers():
                if container.name in _NOT_KEPT:
                    continue
                client = containers.get_container_client(container.name)
                for name in client.list_blob_names():
                    data = client.download_blob(name).readall()
                    self._write(f"blobs/{container.name}/{name}", _moved(name, data, here, _HERE))
        self._write("queues.json", json.dumps(_messages(storage), indent=1) + "\n")
        self._write("secrets.json", json.dumps(secrets, indent=1) + "\n")
        sandbox.save(self.folder / "mailchimp.jsonl")
        self._write("mailchimp.jsonl", "".join(_without_keys(self.folder / "mailchimp.jsonl")))

    def put(self, storage: str, app: App, sandbox: Sandbox, change: Change = unchanged) -> None:
        """Load the state into an empty emulator and a sandbox; secrets are written with `app`.

        `change(kind, value)` may replace values; the kind is a table, a queue, plan.json or parquet.
        """
        sandbox.load(self.folder / "mailchimp.jsonl")
        key = sandbox.world.add_key(sandbox.account, f"{KEY}-{sandbox.account.dc}")
        for name, secret in json.loads((self.folder / "secrets.json").read_text("utf-8")).items():
            app.secrets.put(name, secret.replace(API_KEY, key))
        with TableServiceClient.from_connection_string(storage) as tables:
            for table, records in self.all_tables().items():
                client = tables.create_table_if_not_exists(table)
                for record in records:
                    value = change(table, record["value"])
                    client.create_entity(entity_of({**record, "value": value}))
        with BlobServiceClient.from_connection_string(storage) as containers:
            here = containers.url.rstrip("/")
            for container, name in self.blobs():
                client = containers.get_container_client(container)
                with suppress(ResourceExistsError):
                    client.create_container()
                data = _moved(name, self.blob(container, name), _HERE, here)
                if name.endswith("/plan.json"):
                    data = json.dumps(change("plan.json", json.loads(data))).encode()
                elif name.endswith(".parquet"):
                    data = change("parquet", data)
                client.upload_blob(name, data)
        with QueueServiceClient.from_connection_string(storage) as queues:
            for queue, messages in self.queues().items():
                client = queues.get_queue_client(queue)
                with suppress(ResourceExistsError):
                    client.create_queue()
                for message in messages:
                    text = json.dumps(change(queue, message))
                    client.send_message(base64.b64encode(text.encode()).decode())

    def _write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def entity_of(record: dict[str, Any]) -> dict[str, Any]:
    """Convert a record to a table entity."""
    text = json.dumps(record["value"], ensure_ascii=False)
    pieces = range(0, len(text), _PIECE)
    return {
        **{name: value for name, value in record.items() if name != "value"},
        **{f"json{number}": text[at : at + _PIECE] for number, at in enumerate(pieces)},
    }


def _record(entity: dict[str, Any]) -> dict[str, Any]:
    pieces = sorted((name for name in entity if name.startswith("json")), key=lambda n: int(n[4:]))
    value = json.loads("".join(entity[name] for name in pieces))
    rest = {name: entity[name] for name in entity if name not in pieces}
    return {**rest, "value": value}


def _messages(storage: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    with QueueServiceClient.from_connection_string(storage) as queues:
        for queue in queues.list_queues():
            client = queues.get_queue_client(queue.name)
            waiting = client.peek_messages(max_messages=32)
            found[queue.name] = [json.loads(base64.b64decode(one.content)) for one in waiting]
    return found


def _moved(name: str, data: bytes, before: str, after: str) -> bytes:
    """Replace the URL of the emulator in JSON blobs."""
    return data.replace(before.encode(), after.encode()) if name.endswith(".json") else data


def _without_keys(file: Path) -> Iterator[str]:
    for line in file.read_text("utf-8").splitlines():
        facts = json.loads(line)
        if "account" in facts:
            facts["account"]["keys"] = []
        if "tokens" in facts:
            facts["tokens"], facts["apps"] = [], []
        yield json.dumps(facts) + "\n"


VERSIONS = [StoredState(folder) for folder in sorted(Path(__file__).parent.glob("[0-9]*.*.*"))]
