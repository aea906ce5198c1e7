"""Temporary DuckDB databases in which runs are planned and finished, and the SQL files they execute.

Memory is bounded: DuckDB moves tables to disk, and one large database of a process works at a time (memory.py). Database
and folder are deleted afterwards, also when the process is killed (temporary.py). docs/tables.md
describes every table.
https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
"""

from __future__ import annotations

import atexit
import errno
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from shared.errors import ConfigError, InputError, Unavailable
from shared.memory import INITIAL_MEMORY, full_memory, lacks_disk, with_enough_memory
from shared.temporary import stats_of_files, temporary_folder

# In MB, as INITIAL_MEMORY. Searching one file streams it; two small databases fit beside the large one.
_READING_MEMORY = 96
# An instance has one processor or two.
_THREADS = 2
_MOST_OPEN = threading.BoundedSemaphore(5)

# With five mapped columns, each further person takes 680 bytes as soon as the memory is full (record 93), and 717 if
# statements are repeated (record 101), so this covers every run that was measured.
_BYTES_PER_PERSON = 750
_MEGABYTE = 1_000_000

# Writing a large row group takes so much memory that DuckDB would move tables to disk.
_WRITE_PARQUET = """COPY (
{query}
) TO $parquet_file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480)"""

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
# Parsing takes an eighth of the time of a small run. Statements belong to no connection; DuckDB copies
# one for each execution. At the end of the process DuckDB would report those that still exist as leaks.
_PARSED: dict[str, list[tuple[duckdb.Statement, set[str]]]] = {}
atexit.register(_PARSED.clear)


class SqlFile:
    """The named groups of statements of an .sql file; `-- name: <group>` begins a group.

    Statements take their values as named parameters (`$name`). `SqlFile.of(__file__)` reads
    `sql/<module>.sql` beside a module.
    """

    def __init__(self, path: Path) -> None:
        _, *parts = _NAME.split(path.read_text("utf-8"))
        self._groups = dict(zip(parts[::2], parts[1::2], strict=True))

    @classmethod
    def of(cls, module: str) -> SqlFile:
        """The SQL file of a Python module, by the module's `__file__`."""
        path = Path(module)
        return cls(path.parent / "sql" / f"{path.stem}.sql")

    def run(
        self, db: duckdb.DuckDBPyConnection, group: str, **parameters: object
    ) -> duckdb.DuckDBPyConnection:
        """Execute a group's statements in order; each takes the parameters that it names."""
        return _execute_all(db, self._groups[group], parameters)

    def write(
        self, db: duckdb.DuckDBPyConnection, group: str, file: Path, **parameters: object
    ) -> None:
        """Write the rows of a group, which is one query, into a Parquet file."""
        query = self._groups[group].strip().removesuffix(";")
        sql = _WRITE_PARQUET.format(query=query)
        _execute_all(db, sql, {**parameters, "parquet_file": str(file)})

    def rows(
        self, db: duckdb.DuckDBPyConnection, group: str, **parameters: object
    ) -> list[tuple[Any, ...]]:
        """All rows of a group's last statement."""
        return self.run(db, group, **parameters).fetchall()

    def row(
        self, db: duckdb.DuckDBPyConnection, group: str, **parameters: object
    ) -> tuple[Any, ...]:
        """The only row of a group's last statement."""
        (row,) = self.rows(db, group, **parameters)
        return row

    def number(self, db: duckdb.DuckDBPyConnection, group: str, **parameters: object) -> int:
        """The only number of a group's last statement."""
        return int(self.row(db, group, **parameters)[0])


def _execute_all(
    db: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> duckdb.DuckDBPyConnection:
    if sql not in _PARSED:
        _PARSED[sql] = [(one, one.named_parameters) for one in db.extract_statements(sql)]
    for statement, names in _PARSED[sql]:
        execute(db, statement, {name: parameters[name] for name in names})
    return db


def execute(
    db: duckdb.DuckDBPyConnection, statement: duckdb.Statement | str, values: object = None
) -> duckdb.DuckDBPyConnection:
    """Execute a statement, with more memory if it needs more."""
    return with_enough_memory(db, lambda: db.execute(statement, values))


@contextmanager
def workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open a large database and a folder for local files; one at a time works in a process.

    InputError when the work does not fit into memory, because another attempt would not fit either.
    Unavailable when the disk is full.
    """
    with (
        _MOST_OPEN,
        full_memory(),
        temporary_folder("work-") as folder,
        closing(_open(folder, INITIAL_MEMORY, _THREADS)) as db,
    ):
        # DuckDB's messages may hold content, so its errors are not chained.
        try:
            yield db, folder
        except duckdb.OutOfMemoryException as error:
            if lacks_disk(error):
                raise Unavailable("diskFull") from None
            raise InputError("tooMuchForMemory") from None
        except duckdb.IOException as error:
            if _is_disk_full(error):
                raise Unavailable("diskFull") from None
            raise
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise Unavailable("diskFull") from None
            raise


def check_disk(folder: Path, people: int) -> None:
    """Raise ConfigError if the disk of a workspace is too small for a run of so many people.

    `folder` is the folder of the workspace; what it contains already counts as free.
    """
    needed = people * _BYTES_PER_PERSON
    used = sum(file.st_size for file in stats_of_files(folder))
    free = shutil.disk_usage(folder).free + used
    if free < needed:
        raise ConfigError(
            "diskTooSmall", people=people, needed=needed // _MEGABYTE, free=free // _MEGABYTE
        )


def _is_disk_full(error: duckdb.IOException) -> bool:
    text = str(error).lower()
    return "no space left" in text or "disk full" in text or "enough disk space" in text


@contextmanager
def small_workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open a small database and a folder, to search single files while a run is being planned."""
    with (
        temporary_folder("read-") as folder,
        closing(_open(folder, _READING_MEMORY, 1)) as db,
    ):
        db.execute("SET preserve_insertion_order = true")
        yield db, folder


def _open(folder: Path, memory: int, threads: int) -> duckdb.DuckDBPyConnection:
    # Tables in a database file are compressed and logged, which takes a third of the time of a run. Tables in
    # memory are not, and those that exceed the limit are moved to `temp_directory`.
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory}MB",
            "threads": threads,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
