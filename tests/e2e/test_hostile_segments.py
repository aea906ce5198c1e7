"""Malicious segments from the file to Mailchimp, `outcomes.csv` and the outcome file."""

import csv
import io

from sandbox import wrap
from tests.e2e.running_app import ExportScenario, every_row_has_one_outcome
from tests.e2e.stored_data import blobs

DROP = '"; DROP TABLE people; --'
QUOTE = "a'b\"c);"
LONG = "x" * 1_000_000
ROWS = {
    # id: (address, first name, the column of SQL, the column of quotes)
    "1": ("ada@example.com", "Ada", "'); DELETE FROM people; --", '"]}'),
    "2": ("bob@example.com", "B\0o\x07b", "\0", "line\nbreak"),
    "3": ("cy@example.com", LONG, "short", ""),
    "=4+4": ("dan@example.com", "=cmd|' /C calc'!A0", "@SUM(1)", "+1"),
    "=cmd|' /C calc'!A0": ("=1+1", "a formula for an address", "", ""),
    "6": ("аda@example.com", "a Cyrillic a", "", ""),
    "7": ("a\u202emoc.elpmaxe@example.com", "turned round", "", ""),
    "8": ("ada@exampl\0e.com", "a NUL", "", ""),
    "9": ("ada@example.com\r\nBcc: eve@example.com", "a header", "", ""),
    "10": (LONG, "a megabyte for an address", "", ""),
    "11": ("ａｄａ@example.com", "full-width letters", "", ""),
    "12": ("ada@xn--exmple-cua.com", "another alphabet in its xn-- form", "", ""),
    "9" * 2_000: ("fay@example.com", "an id without end", "", ""),
    "../../13": ("gus@example.com", "../../etc/passwd", "", ""),
}
SENT = {"1", "2", "3", "=4+4", "12", "9" * 2_000, "../../13"}


def test_malicious_rows_affect_only_themselves(scenario: ExportScenario) -> None:
    name = scenario.named("Hostile")
    wide = tuple(f"Attribute{number}" for number in range(9_996))
    columns = ("CustomerId", "EMail", "First", DROP, QUOTE, *wide)
    table = tuple((key, *row, *("",) * len(wide)) for key, row in ROWS.items())
    scenario.refresh_table({name: wrap.Table(columns, table)})
    attributes = [
        {"attribute": column, "mergeField": tag, "create": {"name": tag, "type": "text"}}
        for column, tag in ((DROP, "SQL"), (QUOTE, "QUOTES"))
    ]
    scenario.define(
        [{"name": name, "tag": f"=tag{scenario.number}; -- ../x"}],
        mapping={"email": "EMail", "firstName": "First", "attributes": attributes},
        displayName="=Export <script>",
    )

    run = scenario.run()

    assert run["status"] == "completedWithWarnings"
    assert every_row_has_one_outcome(run, repeated=0)
    counts = run["counts"]
    assert (counts["sourceRows"], counts["created"], counts["rejected"]) == (14, 7, 7)

    members = scenario.audience.members()
    assert members.keys() == {ROWS[key][0] for key in SENT}
    assert members["ada@example.com"].merge_fields == {
        "FNAME": "Ada",
        "SQL": "'); DELETE FROM people; --",
        "QUOTES": '"]}',
    }
    assert members["bob@example.com"].merge_fields == {"FNAME": "Bob", "QUOTES": "line\nbreak"}
    assert members["cy@example.com"].merge_fields["FNAME"] == LONG[:255]
    assert members["dan@example.com"].merge_fields["FNAME"] == "=cmd|' /C calc'!A0"
    assert {tag for one in members.values() for tag in one.tags} == {
        f"=tag{scenario.number}; -- ../x"
    }

    # For people: formulas are calmed down, nothing is endless, every rejected row has its reason.
    rows = scenario.outcomes(run)
    rejected = {row["customerId"]: row for row in rows if row["outcome"] == "rejected"}
    assert {row["code"] for row in rejected.values()} == {"addressMalformed"}
    assert rejected.keys() == {"'=cmd|' /C calc'!A0", "6", "7", "8", "9", "10", "11"}
    assert rejected["'=cmd|' /C calc'!A0"]["email"] == "'=1+1"
    assert rejected["7"]["email"] == "a\ufffdmoc.elpmaxe@example.com"
    assert rejected["8"]["email"] == "ada@exampl\ufffde.com"
    assert rejected["10"]["email"] == LONG[:300]
    assert all(row["reason"] and row["action"] for row in rejected.values())

    # For programs: exact ids; an endless id is invalid.
    found = blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/")
    (data,) = [data for blob, data in found.items() if blob.endswith(".csv")]
    handed = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert {row["CustomerId"] for row in handed} == ROWS.keys() - {"9" * 2_000}

    # And nothing is sent twice: what was kept of a row is the same the next time.
    again = scenario.run()
    assert (again["counts"]["unchanged"], again["counts"]["created"]) == (7, 0)
