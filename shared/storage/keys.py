"""Keys that the app generates once for all its processes."""

from __future__ import annotations

import secrets as random_secrets

from shared.errors import Unavailable
from shared.model.ports import Leases, Secrets

_LEASE_SECONDS = 15


def stored_key(secrets: Secrets, leases: Leases, name: str) -> bytes:
    """Return the 32-byte key with a name. The first call generates and stores it.

    Unavailable while another process generates it.
    """
    known = secrets.get(name)
    if known is None:
        lease = leases.acquire(name, _LEASE_SECONDS)
        if lease is None:
            raise Unavailable("keyBeingMade", retry_after=2)
        try:
            known = secrets.get(name)
            if known is None:
                known = random_secrets.token_hex(32)
                secrets.put(name, known)
        finally:
            lease.release()
    return bytes.fromhex(known)
