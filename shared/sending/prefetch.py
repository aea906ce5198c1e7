"""Storage work of a lane on a second thread, while its connection to Mailchimp is busy.

Tasks run one after the other, in the order in which they were started. The next call raises the
error of a failed task.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from shared.sending.chunk_payload import ChunkPayload


class Prefetch:
    """A second thread for one lane. Leaving the context waits for running tasks."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._next: Future[ChunkPayload | None] | None = None
        self._task: Future[None] | None = None

    def fetch(self, fetch: Callable[[], ChunkPayload | None]) -> None:
        """Start to fetch the next payload."""
        self._next = self._thread.submit(fetch)

    def fetched(self) -> ChunkPayload | None:
        """Return the fetched payload once. None when no fetch was started or no chunk is left."""
        fetched, self._next = self._next, None
        return fetched.result() if fetched else None

    def run(self, task: Callable[[], None]) -> None:
        """Start a task, after the previous task has ended without an error."""
        self.wait()
        self._task = self._thread.submit(task)

    def wait(self) -> None:
        """Wait for the end of the task."""
        task, self._task = self._task, None
        if task is not None:
            task.result()

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self.wait()
