"""Row counts in one blob."""

from shared.segments.choosing.stored_row_counts import StoredRowCounts
from tests.fakes import Clock, MemoryFiles, MemoryStore, StoreClient


def files() -> MemoryFiles:
    return MemoryFiles(StoreClient(MemoryStore(Clock())))


def test_counts_are_read_as_they_were_written() -> None:
    counts = StoredRowCounts(files())
    assert counts.read() == {}
    counts.write({"a": 1, "b": 2})
    assert counts.read() == {"a": 1, "b": 2}


def test_a_damaged_blob_has_no_counts() -> None:
    stored = files()
    counts = StoredRowCounts(stored)
    counts.write({"a": 1})
    (name,) = stored.names("")
    for damaged in (b"", b"[1]", b'{"a": '):
        stored.write(name, damaged)
        assert counts.read() == {}


def test_of_very_many_counts_the_newest_are_kept() -> None:
    counts = StoredRowCounts(files())
    counts.write({str(number): number for number in range(6_000)})
    kept = counts.read()
    assert (len(kept), next(iter(kept)), kept["5999"]) == (5_000, "1000", 5_999)
