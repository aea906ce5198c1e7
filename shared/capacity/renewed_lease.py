"""A lease that is kept for as long as the work takes, by a thread that renews it."""

from __future__ import annotations

import threading

from shared.errors import Changed, ConnectorError
from shared.model.ports import Lease, Leases

__all__ = ["LEASE_SECONDS", "RenewedLease", "hold_lease"]

# A killed worker's lease runs out after this; renewing has two more chances before.
LEASE_SECONDS = 30
_RENEW_SECONDS = 10.0


class RenewedLease:
    """A held lease; a context that renews it and lets go at the end. `lost` tells it is gone."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._end = threading.Event()
        self.lost = False
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()

    def _renew(self) -> None:
        while not self._end.wait(_RENEW_SECONDS):
            try:
                self._lease.renew()
            except Changed:
                self.lost = True
                return
            except ConnectorError:
                continue  # storage is away for a moment

    def release(self) -> None:
        """Let go."""
        self._end.set()
        self._renewing.join()
        self._lease.release()

    def __enter__(self) -> RenewedLease:
        return self

    def __exit__(self, *_gone: object) -> None:
        self.release()


def hold_lease(leases: Leases, name: str) -> RenewedLease | None:
    """Hold a lease for as long as the context lasts, or None while someone else does."""
    lease = leases.acquire(name, LEASE_SECONDS)
    return RenewedLease(lease) if lease is not None else None
