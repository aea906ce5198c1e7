"""A simulated deployment whose statuses are swept and published, and the table as Customer Insights reads it."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.mailchimp.state import Webhook
from shared.messaging.messages import audience_of
from shared.model.ledger import LedgerPointer
from shared.model.names import CONSENT_SWEEPS, ledger_blob
from tests import reused_databases
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment
from tests.ledgers import LEDGER_COLUMNS
from tests.planning.row_deployment import RowDeployment
from tests.web.client import request

MODEL = "consent/model.json"


@dataclass
class ConsentDeployment:
    """An app with one export, whose people are p1@example.com (CustomerId 1) and so on."""

    deployment: SimulatedDeployment

    def __post_init__(self) -> None:
        self.rows = RowDeployment(self.deployment)
        self.audience = self.deployment.audience
        self.sandbox = self.deployment.sandbox
        self.sandbox.set(hold_webhooks=True)
        self.sandbox.world.webhooks.fetch = self.fetch

    def seed(self, count: int, **more: tuple[str, ...]) -> None:
        """Store the result of a run of people 1 to `count`: their contacts and the ledger.

        `more` are further addresses by the CustomerId with the letter c before it.
        """
        if self.app.exports.read(EXPORT) is None:
            self.rows.define()
        sent = [(f"p{number}@example.com", str(number)) for number in range(1, count + 1)]
        sent += [(address, who[1:]) for who, addresses in more.items() for address in addresses]
        for address, _ in sent:
            if self.audience.member(address) is None:
                self.audience.add(address)
        with tempfile.TemporaryDirectory() as folder, reused_databases.connect() as db:
            columns = ", ".join(f"{name} {kind}" for name, kind in LEDGER_COLUMNS.items())
            db.execute(f"CREATE TABLE ledger ({columns})")
            db.execute(
                "INSERT INTO ledger (address, customer_id) SELECT unnest(?), unnest(?)",
                [[address for address, _ in sent], [who for _, who in sent]],
            )
            local = Path(folder) / "ledger.parquet"
            db.table("ledger").write_parquet(str(local))
            blob = ledger_blob(EXPORT, f"seeded-{count}")
            self.app.files.upload(local, blob)
        pointer = LedgerPointer(blob, "r1", audience=self.key)
        stored = self.app.ledgers.read(EXPORT)
        if stored is None:
            self.app.ledgers.create(EXPORT, pointer)
        else:
            self.app.ledgers.replace(EXPORT, pointer, stored.etag)

    def fetch(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Call the app over HTTP, as Mailchimp does."""
        return request(self.app.web, method, url, headers, body).status

    def webhooks(self) -> list[Webhook]:
        """The webhooks of the audience."""
        return list(self.audience.state.webhooks.values())

    def requested(self) -> int:
        """The number of sweeps that are requested."""
        return len([one for one in self.deployment.store.messages if one.queue == CONSENT_SWEEPS])

    @property
    def app(self) -> Any:
        return self.deployment.app

    @property
    def key(self) -> str:
        return f"{self.deployment.sandbox.account.id}/{self.audience.id}"

    @property
    def container(self) -> dict[str, bytes]:
        return self.deployment.store.containers["outcomes"]

    def sweep(self, seconds: float = 3600) -> None:
        """Let time pass, call the timer, and deliver messages until none is left; killed processes are replaced."""
        self.deployment.clock.forward(seconds)
        while True:
            try:
                self.app.consent_updates.request_due()
                break
            except ProcessKilled:
                self.deployment._restart()
        self.deliver()

    def deliver(self) -> None:
        """Deliver the messages that are in the queue."""
        messages = self.deployment.store.messages
        while sent := [one for one in messages if one.queue == CONSENT_SWEEPS]:
            message = min(sent, key=lambda one: one.visible_at)
            self.deployment.clock.forward(message.visible_at - self.deployment.clock.seconds())
            try:
                self.app.consent_updates.update(audience_of(message.body))
            except ProcessKilled:
                self.deployment._restart()
            else:
                messages.remove(message)

    def table(self) -> list[dict[str, str]]:
        """The rows of all files that model.json lists."""
        (entity,) = json.loads(self.container[MODEL])["entities"]
        assert entity["name"] == "MailchimpConsent"
        rows = []
        for partition in entity["partitions"]:
            name = partition["location"].partition("/outcomes/")[2]
            text = self.container[name].decode()
            rows += list(csv.DictReader(io.StringIO(text, newline="")))
        assert all(list(row) == [one["name"] for one in entity["attributes"]] for row in rows)
        return rows

    def statuses(self) -> dict[str, str]:
        """The published status of each profile."""
        rows = self.table()
        assert len(rows) == len({row["CustomerId"] for row in rows})
        return {row["CustomerId"]: row["status"] for row in rows}

    def truth(self) -> dict[str, str]:
        """The status of each person p<number>@example.com in Mailchimp."""
        return {
            address.partition("@")[0].removeprefix("p"): one.status
            for address, one in self.audience.members().items()
        }
