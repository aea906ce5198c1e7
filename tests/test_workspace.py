"""Large databases share memory, do not wait for one another's network, and leave nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shared import memory, temporary
from shared.errors import InputError, Unavailable
from shared.memory import INITIAL_MEMORY, return_freed_memory, waiting_for_network
from shared.temporary import delete_abandoned_folders, temporary_folder
from shared.workspace import SqlFile, check_disk, execute, small_workspace, workspace
from tests.little_memory import LittleMemory, threads


def in_thread(work: object) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_another_run_works_while_one_waits_for_the_network() -> None:
    done = threading.Event()

    def work() -> None:
        with workspace() as (db, _):
            db.execute("SELECT 1")
        done.set()

    with workspace() as (db, _):
        thread = in_thread(work)
        assert not done.wait(0.3), "two large databases work at once"
        with waiting_for_network(db):
            assert done.wait(100)
            db.execute("CREATE TABLE page AS SELECT range AS n FROM range(1000)")
        assert db.execute("SELECT count(*) FROM page").fetchone() == (1000,)
    thread.join(20)


def test_a_statement_that_lacks_memory_is_repeated_with_one_thread(tmp_path: Path) -> None:
    file = tmp_path / "file.sql"
    file.write_text("-- name: rows\nSELECT range * $by FROM range(3);\n")
    with workspace() as (db, _):
        before = threads(db)
        small: Any = LittleMemory(db, most_threads=1)
        assert SqlFile(file).rows(small, "rows", by=2) == [(0,), (2,), (4,)]
        assert threads(db) == before > 1


def test_work_that_lacks_memory_with_one_thread_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file.sql"
    file.write_text("-- name: rows\nSELECT 1;\n")

    def work() -> None:
        with workspace() as (db, _):
            small: Any = LittleMemory(db, most_threads=0)
            SqlFile(file).rows(small, "rows")

    with pytest.raises(InputError) as caught:
        work()
    assert caught.value.code == "tooMuchForMemory"


MANY_VALUES = "SELECT len(list(repeat('secret', 100) || i)) FROM range(500000) t(i)"


def test_a_statement_that_lacks_memory_with_one_thread_is_repeated_with_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_memory_of_instance", lambda: 2_048)
    with workspace() as (db, _):
        assert limit(db) == INITIAL_MEMORY
        assert execute(db, MANY_VALUES).fetchall() == [(500_000,)]
        more = limit(db)
        assert more > INITIAL_MEMORY
        with waiting_for_network(db):
            with workspace() as (other, _):
                assert (limit(db), limit(other)) == (64, INITIAL_MEMORY)
            assert limit(db) == 64
        assert limit(db) == more, "the database has not got back the memory that it needs"
        return_freed_memory(db)
        assert limit(db) == more


def test_a_statement_gets_no_more_than_half_of_the_memory_of_a_small_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_memory_of_instance", lambda: 300)
    with pytest.raises(InputError) as caught, workspace() as (db, _):
        execute(db, MANY_VALUES)
    assert caught.value.code == "tooMuchForMemory"


def limit(db: duckdb.DuckDBPyConnection) -> int:
    """The memory limit in MB."""
    query = "SELECT round(parse_formatted_bytes(current_setting('memory_limit')) / 1e6)"
    (megabytes,) = db.execute(query).fetchone() or (0,)
    return int(megabytes)


def test_a_query_that_exceeds_the_memory_is_reported_without_its_content() -> None:
    too_much = "SELECT list(repeat('secret', 1000) || i) FROM range(1000000) t(i)"
    with pytest.raises(InputError, match="do not fit") as caught, workspace() as (db, _):
        db.execute(too_much)
    assert caught.value.code == "tooMuchForMemory"
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value)


def test_the_disk_is_checked_while_the_database_deletes_its_files(tmp_path: Path) -> None:
    ended = threading.Event()

    def spill() -> None:
        while not ended.is_set():
            folder = tmp_path / "spill"
            folder.mkdir()
            (folder / "block").write_bytes(b"x")
            shutil.rmtree(folder)

    database = threading.Thread(target=spill)
    database.start()
    try:
        for _ in range(2_000):
            check_disk(tmp_path, 1)
    finally:
        ended.set()
        database.join()


def test_what_a_page_reads_does_not_wait_for_a_run() -> None:
    read = threading.Event()

    def look() -> None:
        with small_workspace() as (db, _):
            db.execute("SELECT 1")
        read.set()

    with workspace():
        in_thread(look)
        assert read.wait(100)


def test_memory_is_given_up_only_for_another_database() -> None:
    def used() -> int:
        row = db.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
        assert row is not None
        return int(row[0])

    with workspace() as (db, _):
        db.execute(
            "CREATE TABLE t AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range(6000000)"
        )
        with waiting_for_network(db):
            assert used() > 64 * 1000 * 1000
            with workspace():
                assert used() <= 64 * 1000 * 1000
        assert db.execute("SELECT count(*) FROM t").fetchone() == (6_000_000,)


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (
            duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"),
            InputError,
            "tooMuchForMemory",
        ),
        (
            duckdb.OutOfMemoryException("failed to offload data block: max_temp_directory_size"),
            Unavailable,
            "diskFull",
        ),
        (
            duckdb.IOException("Could not write file: No space left on device"),
            Unavailable,
            "diskFull",
        ),
        (OSError(28, "No space left on device"), Unavailable, "diskFull"),
    ],
)
def test_the_error_of_a_database_has_its_real_cause(
    raised: Exception, kind: type[Exception], code: str
) -> None:
    with pytest.raises(kind) as caught, workspace():
        raise raised
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_a_full_disk_is_reported_as_full(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught, workspace() as (db, _):  # noqa: PT012
        db.execute("SET max_temp_directory_size = '1MB'")
        db.execute("SET memory_limit = '40MB'")
        db.execute(
            "SELECT a, count(*) FROM (SELECT hash(range)::VARCHAR || range AS a FROM range(3000000)) "
            "GROUP BY a ORDER BY a"
        ).fetchone()
    assert caught.value.code == "diskFull"


KILLED = """
import os, signal, tempfile
tempfile.tempdir = {folder!r}
from shared.workspace import workspace
with workspace() as (db, folder):
    (folder / "people.csv").write_text("somebody@example.com")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folders_of_a_killed_process_are_deleted_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = Path(__file__).parents[1]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(folder=str(tmp_path))], cwd=root, check=False
    )
    assert killed.returncode == -9
    assert list(tmp_path.rglob("people.csv"))

    with temporary_folder("work-") as own:
        (own / "mine.csv").write_text("x")
        assert delete_abandoned_folders() == 1
        assert list(tmp_path.rglob("people.csv")) == []
        assert (own / "mine.csv").exists()


ENDED = """
import tempfile
tempfile.tempdir = {folder!r}
from shared.workspace import workspace
with workspace() as (db, folder):
    (folder / "people.csv").write_text("somebody@example.com")
"""


def test_a_process_leaves_no_folder_and_no_open_file_at_its_end(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    program = ENDED.format(folder=str(tmp_path))
    # The development mode of Python reports files that were not closed.
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], cwd=root, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [path.name for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert list(tmp_path.glob("*/*")) == []


def test_a_process_works_on_when_its_temporary_folder_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = temporary._Process()
    monkeypatch.setattr(temporary, "_PROCESS", process)
    with temporary_folder("work-") as before:
        assert before.is_relative_to(tmp_path)
    # By a program that deletes old files of the machine.
    shutil.rmtree(before.parents[1])

    with temporary_folder("work-") as after:
        assert after.exists()
        assert delete_abandoned_folders() == 0
    process.delete_folder()
