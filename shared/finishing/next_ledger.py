"""The next ledger of an export, which is uploaded while the run is finished."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.finishing.fold import is_kept, write_ledger
from shared.model.ledger import LedgerPointer
from shared.model.ports import Files


class NextLedger:
    """Stores the table `next` as a blob.

    If the run changed the ledger, a thread of `threads` begins at once to upload the local `file` as `blob`. If not, the
    blob is `planned`, the ledger that the plan was made with; only after an erasure is `next` uploaded as well.
    """

    def __init__(
        self,
        db: DuckDBPyConnection,
        files: Files,
        file: Path,
        blob: str,
        planned: str | None,
        threads: Executor,
    ) -> None:
        self._db = db
        self._files = files
        self._file = file
        self._blob = blob
        self._planned = planned
        self._threads = threads
        self._people = 0
        self._is_kept = is_kept(db)
        self._uploading = None if self._is_kept else self._upload()

    def wait_until_stored(self, current: LedgerPointer | None) -> tuple[str, int]:
        """Wait until the ledger is a blob. Returns the name of the blob, and the number of people.

        `current` is the pointer to replace. Its blob is not `planned` any more if someone was erased.
        """
        if self._is_kept and current is not None and current.blob == self._planned:
            return current.blob, current.people
        if self._uploading is None:
            self._uploading = self._upload()
        self._uploading.result()
        # The disk is small, and nothing reads the file any more.
        self._file.unlink(missing_ok=True)
        return self._blob, self._people

    def _upload(self) -> Future[None]:
        self._people = write_ledger(self._db, self._file)
        return self._threads.submit(self._files.upload, self._file, self._blob)
