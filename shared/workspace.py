"""Temporary DuckDB databases in which runs are planned and finished, and the SQL files they execute.

Memory is bounded: DuckDB spills to disk, and one large database of a process has its full memory at a
time. While it waits for the network, another one may take its memory (`waiting_for_network`). Database
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from shared.errors import ConfigError, InputError, Unavailable
from shared.temporary import temporary_folder

# An instance of 2,048 MB holds the Python worker, ten lanes and one large database.
MEMORY_LIMIT = "240MB"
# Searching one file streams it; two small databases fit beside the large one.
READING_LIMIT = "96MB"
# A database that waits for the network only takes in what the network delivers.
_WAITING_LIMIT = "64MB"
# An instance has one processor or two.
_THREADS = 2
_MOST_OPEN = threading.BoundedSemaphore(5)

_T = TypeVar("_T")


# With five mapped columns, each further person takes 680 bytes as soon as the memory is full (record 93), so this
# covers every run that was measured.
_BYTES_PER_PERSON = 700
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


class FullMemory:
    """Gives the memory of a large database to some databases of the process at a time.

    A database that waits for the network keeps its memory until another one needs it: reducing its limit
    moves its tables to disk, which takes time.
    """

    def __init__(self, databases: int) -> None:
        self._changed = threading.Condition()
        self._free = databases
        # A connection of each database that has full memory and waits for the network.
        self._waiting: list[duckdb.DuckDBPyConnection] = []

    def take(self) -> None:
        """Wait for the memory of a large database, and take it."""
        with self._changed:
            while not self._free and not self._reduced():
                self._changed.wait()
            self._free -= 1

    def release(self) -> None:
        """Give the memory back."""
        with self._changed:
            self._free += 1
            self._changed.notify()

    def lend(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let another database take the memory of this one."""
        with self._changed:
            self._waiting.append(connection)
            self._changed.notify()

    def take_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """End what `lend` began. Waits if another database has taken the memory."""
        with self._changed:
            if connection in self._waiting:
                self._waiting.remove(connection)
                return
        self.take()
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")

    def _reduced(self) -> bool:
        """Reduce the memory of a database that waits for the network. Returns whether there was one."""
        for connection in self._waiting:
            try:
                connection.execute(f"SET memory_limit = '{_WAITING_LIMIT}'")
            except duckdb.Error:
                continue  # its tables can be moved nowhere, for example because the disk is full
            self._waiting.remove(connection)
            self._free += 1
            return True
        return False


_FULL_MEMORY = FullMemory(1)

# Two files are read at a time, and the number of threads is that of the whole database.
_ONE_THREAD = threading.Lock()


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
    """Execute a statement; if it lacks memory, execute it once more with one thread."""
    return retry_with_one_thread(db, lambda: db.execute(statement, values))


def retry_with_one_thread(db: duckdb.DuckDBPyConnection, work: Callable[[], _T]) -> _T:
    """Do work in a database; if it lacks memory, do it once more with one thread. Failed work must change nothing.

    Each thread needs memory of its own, also for rows that are moved to disk. With one thread, the finish of a
    million people needs half of the memory.
    """
    try:
        return work()
    except duckdb.OutOfMemoryException:
        # A cursor, because the result of the work must stay that of the connection.
        with _ONE_THREAD, closing(db.cursor()) as settings:
            (threads,) = settings.execute("SELECT current_setting('threads')").fetchone() or (1,)
            if threads == 1:
                raise
            settings.execute("SET threads = 1")
            try:
                return work()
            finally:
                settings.execute(f"SET threads = {threads}")


@contextmanager
def workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open a large database and a folder for local files; one at a time works in a process.

    InputError when the work does not fit into memory, because another attempt would not fit either.
    Unavailable when the disk is full.
    """
    with (
        _MOST_OPEN,
        _full_memory(),
        temporary_folder("work-") as folder,
        closing(_open(folder, MEMORY_LIMIT, _THREADS)) as db,
    ):
        # DuckDB's messages may hold content, so its errors are not chained.
        try:
            yield db, folder
        except duckdb.OutOfMemoryException as error:
            if "temp_directory" in str(error) or "disk" in str(error).lower():
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


@contextmanager
def _full_memory() -> Iterator[None]:
    _FULL_MEMORY.take()
    try:
        yield
    finally:
        _FULL_MEMORY.release()


def check_disk(folder: Path, people: int) -> None:
    """Raise ConfigError if the disk of a workspace is too small for a run of so many people.

    `folder` is the folder of the workspace; what it contains already counts as free.
    """
    needed = people * _BYTES_PER_PERSON
    used = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the database deletes files that it has read
            used += file.stat().st_size
    free = shutil.disk_usage(folder).free + used
    if free < needed:
        raise ConfigError(
            "diskTooSmall", people=people, needed=needed // _MEGABYTE, free=free // _MEGABYTE
        )


def return_freed_memory(db: duckdb.DuckDBPyConnection) -> None:
    """Return memory that DuckDB does not use any more to the system; after a large sort it is 100 MB.

    DuckDB does so only when its limit is set. Not while the database waits for the network.
    """
    db.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")


@contextmanager
def waiting_for_network(db: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let another run use the memory of a large database during calls over the network.

    The database can still be used, with little memory if another run needs it.
    """
    # Another thread uses this connection, and one connection executes one statement at a time.
    with closing(db.cursor()) as connection:
        _FULL_MEMORY.lend(connection)
        try:
            yield
        finally:
            _FULL_MEMORY.take_back(connection)


def _is_disk_full(error: duckdb.IOException) -> bool:
    text = str(error).lower()
    return "no space left" in text or "disk full" in text or "enough disk space" in text


@contextmanager
def small_workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open a small database and a folder, to search single files while a run is being planned."""
    with (
        temporary_folder("read-") as folder,
        closing(_open(folder, READING_LIMIT, 1)) as db,
    ):
        db.execute("SET preserve_insertion_order = true")
        yield db, folder


def _open(folder: Path, memory: str, threads: int) -> duckdb.DuckDBPyConnection:
    # Tables in a database file are compressed and logged, which takes a third of the time of a run. Tables in
    # memory are not, and those that exceed the limit are moved to `temp_directory`.
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
