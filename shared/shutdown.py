"""Knows when the platform asks this process to end, so that work stops at a good point.

On SIGTERM (an update, a scale-in, a restart) lanes finish the call that is under way, release what
they have claimed and pass their message on. Without this, claims stay until their lease runs out and
messages stay hidden for up to ten minutes.
https://learn.microsoft.com/azure/azure-functions/flex-consumption-site-updates
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_SECONDS = 25.0
"""How long work that is under way may hold the process; platforms kill after about 30 s."""

_LOG = logging.getLogger(__name__)


class Shutdown:
    """Whether this process shall end, and what it still works on."""

    def __init__(self, grace: float = _GRACE_SECONDS) -> None:
        self._grace = grace
        self._requested = False
        self._working = 0
        self._changed = threading.Condition()

    def requested(self) -> bool:
        """Whether the process was asked to end."""
        return self._requested

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work that should end before the process does."""
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def install(self) -> None:
        """Listen for SIGTERM, in addition to who does already.

        Does nothing outside the main thread, where Python allows no signal handlers.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGTERM)

        def asked(number: int, frame: FrameType | None) -> None:
            first, self._requested = not self._requested, True
            if callable(before):
                before(number, frame)
            elif first and before is signal.SIG_DFL:
                # A handler replaces the default, which ends the process: so this ends it afterwards.
                threading.Thread(target=self._end, name="shutdown", daemon=True).start()

        signal.signal(signal.SIGTERM, asked)

    def _end(self) -> None:
        _LOG.info("Asked to end while %d functions are running.", self._working)
        with self._changed:
            self._changed.wait_for(lambda: self._working == 0, self._grace)
        logging.shutdown()
        os._exit(128 + signal.SIGTERM)


PROCESS = Shutdown()
"""This process."""
