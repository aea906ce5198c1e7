"""What a lane does with storage while its connection to Mailchimp is busy, on a thread beside it.

One thing after the other, in the order it was asked for. A failure comes out at the next question,
so that nothing fails silently.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from shared.sending.chunk_payload import ChunkPayload

__all__ = ["Prefetch"]


class Prefetch:
    """A thread for one lane; a context that waits for what is under way."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._ahead: Future[ChunkPayload | None] | None = None
        self._done: Future[None] | None = None

    def take(self, take: Callable[[], ChunkPayload | None]) -> None:
        """Fetch the next parcel meanwhile."""
        self._ahead = self._thread.submit(take)

    def taken(self) -> ChunkPayload | None:
        """The parcel that was fetched, once; None when none was asked for or there is none."""
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead else None

    def do(self, work: Callable[[], None]) -> None:
        """Do something meanwhile; what was asked for before has ended well by then."""
        self.wait()
        self._done = self._thread.submit(work)

    def wait(self) -> None:
        """Wait until what was to be done is done."""
        done, self._done = self._done, None
        if done is not None:
            done.result()

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self.wait()
