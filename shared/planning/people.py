"""Rows become people: normal addresses, one person an address, all segments of a person joined.

Tables made here:

    seg_<i>    rows of segment i as they were read: file, line, c0 (address), c1 (profile), fields,
               and last the consent attribute where there is one
    people     address, customer_id, mask (bit i = is in segment i), fields (JSON array), consent
    rejects    rows without a usable address, or that could not be read
    shared     profiles whose address went to another profile

The winner of an address is the profile with the lowest id (so that the choice does not move
between runs), then the segment that the export lists first, then the first row of its file.

What is no address is kept as far as somebody needs to know it again. An id of more than 500 bytes
is none: of long cells only the beginning is read, so that two of them could look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import ConfigError
from shared.fields.contact import BLANKS
from shared.model.outcome import Code
from shared.model.ports import SegmentSource
from shared.model.source import Snapshot, UnreadableRow
from shared.planning.source_values import SourceValues

__all__ = ["ADDRESS_PATTERN", "MAX_SEGMENTS", "RowCounts", "gather"]

MAX_SEGMENTS = 100

# The same rule as contact.normal_address, which a test compares: ASCII, one @, no dot at the
# edges or twice in a row, labels of letters, digits and hyphens, at least one dot in the domain.
_LOCAL = r"[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
ADDRESS_PATTERN = rf"{_LOCAL}@(?:{_LABEL}\.)+{_TOP}"

# As characters: DuckDB knows no \u escapes and would trim letters and digits instead.
_TRIM = f"'{BLANKS}'"

# Letters, and bytes of an id.
_LONGEST_SHOWN = 300
_LONGEST_ID = 500

_YES = "('yes', 'y', 'true', 't', '1', 'on', 'ja', 'oui', 'si', 'sí', '예', '네', '동의')"


class RowCounts:
    """How many rows there were, and how many people they are."""

    def __init__(self, source_rows: int, people: int, memberships: int) -> None:
        self.source_rows = source_rows
        self.people = people
        self.memberships = memberships


def gather(
    db: DuckDBPyConnection,
    snapshot: Snapshot,
    source: SegmentSource,
    email: str,
    fields: Sequence[str],
    consent: str | None,
    scratch: Path,
    values: SourceValues | None = None,
) -> RowCounts:
    """Read all segments and make the tables above.

    ConfigError names a missing column, InputError an unusable file, Changed a file that is no
    longer what was frozen.
    """
    if len(snapshot.segments) > MAX_SEGMENTS:
        msg = f"An export can hold {MAX_SEGMENTS} segments at most."
        raise ConfigError(msg, code="tooManySegments")
    values = values or SourceValues()
    unreadable: list[tuple[int, UnreadableRow]] = []
    for index, segment in enumerate(snapshot.segments):
        # A profile's id may be missing (a plain CSV): then the address stands for the profile.
        key = segment.primary_key or email
        columns = [email, key, *fields, *([consent] if consent else [])]
        listed = ", ".join(f"c{i} VARCHAR" for i in range(len(columns)))
        table = f"seg_{index}"
        db.execute(f"CREATE OR REPLACE TABLE {table} (file VARCHAR, line BIGINT, {listed})")
        loaded = source.load(db, segment, columns, table, scratch)
        values.add(db, table, fields, loaded, scratch)
        unreadable.extend((index, row) for row in loaded.unreadable)
    with_key = [segment.primary_key is not None for segment in snapshot.segments]
    _addresses(db, with_key)
    _people(db, len(fields), bool(consent), with_key)
    _shared(db)
    _rejects(db, unreadable, with_key)
    source_rows = len(unreadable) + sum(
        _one(db, f"SELECT count(*) FROM seg_{i}") for i in range(len(snapshot.segments))
    )
    memberships = _one(db, "SELECT coalesce(sum(bit_count(mask)), 0)::BIGINT FROM picked")
    return RowCounts(source_rows, _one(db, "SELECT count(*) FROM people"), memberships)


def _addresses(db: DuckDBPyConnection, with_key: Sequence[bool]) -> None:
    """Table `valid`: every row with a usable address. NULL marks a malformed one."""
    parts = " UNION ALL ".join(
        f"SELECT {i}::UTINYINT AS seg, rowid AS row, file, line, "
        f"{_id('c1', keyed)} AS customer_id, trim(c0, {_TRIM}) AS given "
        f"FROM seg_{i}"
        for i, keyed in enumerate(with_key)
    )
    db.execute(
        f"CREATE OR REPLACE TABLE rows_ AS SELECT seg, row, file, line, customer_id, "
        f"CASE WHEN given IS NULL OR given = '' THEN NULL ELSE given <> '' AND "
        f"length(given) <= 254 AND strpos(given, '@') <= 65 AND "
        f"regexp_full_match(given, '{ADDRESS_PATTERN}') END AS usable, "
        f"CASE WHEN usable THEN lower(given) END AS address FROM ({parts})"
    )


def _people(db: DuckDBPyConnection, fields: int, consent: bool, with_key: Sequence[bool]) -> None:
    db.execute(
        "CREATE OR REPLACE TABLE picked AS SELECT address, bit_or(1::HUGEINT << seg) AS mask, "
        "arg_min({'seg': seg, 'row': row}, (coalesce(customer_id, ''), seg, file, line)) AS won, "
        "count(*) AS n, min(customer_id) AS low, max(customer_id) AS high "
        "FROM rows_ WHERE usable GROUP BY address"
    )
    values = ", ".join(f"s.c{i + 2}" for i in range(fields))
    agreed = f"lower(trim(s.c{fields + 2})) IN {_YES}" if consent else "true"
    chosen = " UNION ALL ".join(
        f"SELECT p.address, {_id('s.c1', keyed)} AS customer_id, p.mask, "
        f"{f'json_array({values})::VARCHAR' if values else repr('[]')} AS fields, "
        f"coalesce({agreed}, false) AS consent "
        f"FROM seg_{i} s JOIN picked p ON s.rowid = p.won.row WHERE p.won.seg = {i}"
        for i, keyed in enumerate(with_key)
    )
    db.execute(f"CREATE OR REPLACE TABLE people AS {chosen}")


def _shared(db: DuckDBPyConnection) -> None:
    """Table `shared`: the profiles that lost their address, once each."""
    db.execute(
        "CREATE OR REPLACE TABLE shared AS "
        "WITH suspects AS (SELECT address, won FROM picked "
        "  WHERE low <> high OR n > bit_count(mask)), "
        "profiles AS (SELECT r.address, r.customer_id, "
        "  coalesce('id ' || r.customer_id, 'row ' || row_number() OVER "
        "    (PARTITION BY r.address, r.seg, r.customer_id ORDER BY r.file, r.line)) AS profile, "
        "  1::HUGEINT << r.seg AS mask, r.seg = s.won.seg AND r.row = s.won.row AS winner "
        "  FROM rows_ r JOIN suspects s USING (address) WHERE r.usable) "
        "SELECT address, any_value(customer_id) AS customer_id, bit_or(mask) AS mask "
        "FROM profiles GROUP BY address, profile HAVING NOT bool_or(winner)"
    )


def _rejects(
    db: DuckDBPyConnection,
    unreadable: Sequence[tuple[int, UnreadableRow]],
    with_key: Sequence[bool],
) -> None:
    """Table `rejects`: source rows that cannot be sent, with what is known of them."""
    bad = " UNION ALL ".join(
        f"SELECT r.seg, r.customer_id, left(s.c0, {_LONGEST_SHOWN}) AS email, r.file, r.line, "
        f"CASE WHEN r.usable IS NULL THEN '{Code.ADDRESS_MISSING}' "
        f"ELSE '{Code.ADDRESS_MALFORMED}' END AS code "
        f"FROM rows_ r JOIN seg_{i} s ON s.rowid = r.row WHERE r.seg = {i} AND r.usable IS NOT true"
        for i in range(len(with_key))
    )
    db.execute(f"CREATE OR REPLACE TABLE rejects AS {bad}")
    if unreadable:
        db.executemany(
            "INSERT INTO rejects VALUES (?, NULL, NULL, ?, ?, ?)",
            [(index, row.file, row.line, row.code) for index, row in unreadable],
        )


def _id(column: str, keyed: bool) -> str:
    if not keyed:
        return "NULL::VARCHAR"
    return f"CASE WHEN strlen({column}) <= {_LONGEST_ID} THEN {column} END"


def _one(db: DuckDBPyConnection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0]) if row else 0
