"""A lease that a thread renews for as long as the work takes."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Self

from shared.errors import Changed, ConnectorError
from shared.model.ports import Lease, Leases

# The lease of a killed process ends after this time, in which a renewal may fail twice.
LEASE_SECONDS = 30
_RENEW_SECONDS = 10.0


class RenewedLease:
    """A held lease, released when the context ends. `lost` is set when it ended by itself."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._end = threading.Event()
        self.lost = False
        # `release` waits for this thread, so its calls share the time of an HTTP request (request_time.py).
        self._renewing = threading.Thread(
            target=copy_context().run, args=(self._renew,), name="lease", daemon=True
        )
        self._renewing.start()

    def _renew(self) -> None:
        while not self._end.wait(_RENEW_SECONDS):
            try:
                self._lease.renew()
            except Changed:
                self.lost = True
                return
            except ConnectorError:
                continue  # storage is temporarily unavailable

    def release(self) -> None:
        """Release the lease."""
        self._end.set()
        self._renewing.join()
        self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()


def hold_lease(leases: Leases, name: str) -> RenewedLease | None:
    """Acquire a lease and renew it; None while another process holds it."""
    lease = leases.acquire(name, LEASE_SECONDS)
    return RenewedLease(lease) if lease is not None else None
