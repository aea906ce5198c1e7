"""Manual edits since a run are detected, in any notation that Mailchimp returns."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.fields.contact import Converter
from shared.model.audience import Contact, MergeField
from shared.model.export import AttributeMapping, Mapping
from shared.model.ids import moment_of, run_id_at
from shared.model.source import Attribute
from shared.planning.reading.ledger import load_ledger
from shared.planning.undoing.manual_edits import EditWindow, find_manual_edits
from tests import reused_databases

BEGAN = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
ENDED = datetime(2026, 11, 1, 9, 0, 30, 500_000, tzinfo=UTC)
MAPPING = Mapping(
    "EMail", "First", None, (AttributeMapping("Points", "POINTS"), AttributeMapping("City", "CITY"))
)
FIELDS = (
    MergeField(1, "FNAME", "First Name", "text", False),
    MergeField(2, "POINTS", "Points", "number", False),
    MergeField(3, "CITY", "City", "text", False),
)
OURS = 7


class Session:
    def __init__(self, contacts: list[Contact]) -> None:
        self.found = contacts
        self.since = ""

    def contacts(self, audience_id: str, changed_since: str) -> list[list[Contact]]:
        self.since = changed_since
        return [self.found[:1], [], self.found[1:]]


def edits(
    contacts: list[Contact], ended: datetime | None = ENDED, city_before: str | None = None
) -> dict[str, tuple[bool, bool]]:
    convert = Converter(MAPPING, [Attribute("Points", "int64")], FIELDS)
    tags = ["FNAME", "POINTS", "CITY"]
    session = Session(contacts)
    with reused_databases.connect() as db:
        load_ledger(db, None)
        db.execute("CREATE TABLE before AS FROM ledger")
        for table, city in (("ledger", None), ("before", city_before)):
            for contact in contacts:
                db.execute(
                    f"INSERT INTO {table} (address, fields, merge_tags, tags) VALUES (?, ?, ?, ?)",
                    [contact.address, json.dumps(["Ada", "5", city]), tags, [OURS]],
                )
        window = EditWindow(BEGAN, ended, convert, tuple(tags))
        find_manual_edits(db, session, "a1", window)  # type: ignore[arg-type]
        rows = db.execute("SELECT address, others, edited FROM manual_edits").fetchall()
    assert datetime.fromisoformat(session.since) < BEGAN
    return {address: (others, edited) for address, others, edited in rows}


def contact(changed: str, tags: tuple[int, ...] = (OURS,), count: int = 0, **fields: object):
    return Contact("a@x.org", fields, tags, count or len(tags), changed)


LATER = "2026-11-01T09:00:31+00:00"


@pytest.mark.parametrize(
    ("fields", "city_before", "edited"),
    [
        ({"FNAME": "Ada", "POINTS": 5, "CITY": ""}, None, False),
        ({"FNAME": " Ada ", "POINTS": "5.0"}, "Ulm", False),
        ({"FNAME": "Ada", "POINTS": 5, "CITY": None, "PHONE": "by hand"}, "Ulm", False),
        ({"FNAME": "Ada", "POINTS": 6, "CITY": ""}, None, True),
        # The run emptied the city, and someone filled it since; or the export never wrote it.
        ({"FNAME": "Ada", "POINTS": 5, "CITY": "By hand"}, "Ulm", True),
        ({"FNAME": "Ada", "POINTS": 5, "CITY": "By hand"}, None, False),
        ({"POINTS": 5}, None, True),
    ],
)
def test_a_changed_mapped_value_is_a_manual_edit_but_another_notation_is_not(
    fields: dict[str, object], city_before: str | None, edited: bool
) -> None:
    assert bool(edits([contact(LATER, **fields)], city_before=city_before)) is edited


@pytest.mark.parametrize(
    ("changed", "ended", "edited"),
    [
        ("2026-11-01T09:00:29+00:00", ENDED, False),
        ("2026-11-01T09:00:30+00:00", ENDED, True),  # Mailchimp has a precision of seconds
        ("2026-11-01T18:00:31+09:00", ENDED, True),
        ("2026-11-01T09:00:31", ENDED, True),
        ("", ENDED, False),
        ("some day", ENDED, False),
        (LATER, None, False),
    ],
)
def test_only_a_change_after_the_run_is_an_edit(
    changed: str, ended: datetime | None, edited: bool
) -> None:
    assert bool(edits([contact(changed, FNAME="Eve", POINTS=5)], ended)) is edited


@pytest.mark.parametrize(
    ("tags", "count", "others"), [((OURS,), 1, False), ((OURS, 8), 2, True), ((OURS,), 51, True)]
)
def test_a_foreign_tag_is_detected_even_if_mailchimp_does_not_list_it(
    tags: tuple[int, ...], count: int, others: bool
) -> None:
    found = edits([contact("", tags, count, FNAME="Ada", POINTS=5)])
    assert found.get("a@x.org", (False, False)) == (others, False)


def test_a_run_id_contains_the_start_time() -> None:
    for moment in (BEGAN, BEGAN + timedelta(days=9000, milliseconds=7)):
        assert moment_of(run_id_at(moment, "0123456789")) == moment
