"""The checks find the names of the code, and the page for operators names existing events."""

from __future__ import annotations

import re

from infra.check import code
from infra.check.project import ROOT


def test_the_names_of_the_code_are_found() -> None:
    names = code.read()
    assert {"plan-runs", "send-lanes", "blob-events"} < names.queues
    assert {"runs", "exports", "connections", "chunks"} < names.tables
    assert {"state", "leases", "outcomes"} <= names.containers
    assert {"run.finished", "connection.lost", "message.late"} < names.events.keys()
    assert {"status", "rejected", "sourceRows"} < names.events["run.finished"]


def test_every_queue_has_a_poison_trigger() -> None:
    queues = code.read().queues
    work = {one for one in queues if not one.endswith("-poison")}
    assert queues == work | {f"{one}-poison" for one in work}


def test_the_operations_page_names_existing_events() -> None:
    page = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    kinds = {name.partition(".")[0] for name in code.read().events}
    named = set(re.findall(rf"`((?:{'|'.join(kinds)})\.\w+)`", page))
    assert {"message.late", "consent.messageGaveUp"} <= named
    assert named <= code.read().events.keys()
