"""Uploads the files of a plan while the plan is still being made."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from shared.errors import ConnectorError
from shared.model.ports import Files, delete_all

_UPLOADS = 2


class PlanUploads:
    """Uploads the files of a plan into its `folder`, each as soon as it is written.

    Leaving the context waits for the uploads. After an error before `wait` has ended they are deleted, because no plan
    names them.
    """

    def __init__(self, files: Files, folder: str) -> None:
        self.folder = folder
        self._files = files
        self._threads = ThreadPoolExecutor(_UPLOADS)
        self._uploading: list[Future[None]] = []

    def begin(self, local: Path) -> None:
        """Begin to upload a local file."""
        name = f"{self.folder}{local.name}"
        self._uploading.append(self._threads.submit(self._files.upload, local, name))

    def wait(self) -> None:
        """Wait for all uploads, before a plan names them. Raises the error of one that failed."""
        for each in self._uploading:
            each.result()
        self._uploading.clear()

    def __enter__(self) -> PlanUploads:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        self._threads.shutdown(wait=True, cancel_futures=error is not None)
        if isinstance(error, Exception) and self._uploading:
            with suppress(ConnectorError):
                delete_all(self._files, self.folder)
