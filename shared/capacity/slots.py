"""Slots: one lease for each connection that a Mailchimp account allows at the same time.

Mailchimp allows 10 simultaneous connections per user over all apps, and holds a connection for up
to 120 s (https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling). Every call to
Mailchimp needs a slot, so the limit holds regardless of how many instances the platform starts and
how often a message is delivered. The holder of a slot renews its lease. When the process dies, the
lease ends by itself and the chunks that the holder had claimed are free again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.capacity.renewed_lease import LEASE_SECONDS, RenewedLease
from shared.errors import Changed
from shared.model.ports import Lease, Leases, Records, create_or_replace


@dataclass(frozen=True)
class SlotHolder:
    """The holder of a slot: a token that is never used again."""

    token: str


class Slot(RenewedLease):
    """A held slot, released when the context ends. When it is `lost`, another process may hold the slot."""

    def __init__(self, lease: Lease, account_id: str, index: int, token: str) -> None:
        super().__init__(lease)
        self.account_id = account_id
        self.index = index
        self.token = token


@dataclass
class Slots:
    """Takes slots. An account has `connections` slots; `token` returns a new random text at every call."""

    leases: Leases
    holders: Records[SlotHolder]
    connections: int
    token: Callable[[], str]

    def take(self, account_id: str, limit: int | None = None, prefer: int = 0) -> Slot | None:
        """Take a free slot below `limit`, the preferred one first. None when all are held."""
        count = min(limit or self.connections, self.connections)
        for step in range(count):
            index = (prefer + step) % count
            lease = self.leases.acquire(_name(account_id, index), LEASE_SECONDS)
            if lease is not None:
                slot = Slot(lease, account_id, index, self.token())
                try:
                    self._write_holder(account_id, index, slot.token)
                except BaseException:
                    # Otherwise its thread would renew the lease for as long as the process lives.
                    slot.release()
                    raise
                return slot
        return None

    def is_gone(self, account_id: str, index: int, token: str) -> bool:
        """Whether a holder has died or released its slot, so that the chunks it claimed are free."""
        holder = self.holders.read(f"{account_id}/{index}")
        if holder is None or holder.value.token != token:
            return True
        lease = self.leases.acquire(_name(account_id, index), 15)
        if lease is None:
            return False
        lease.release()
        return True

    def _write_holder(self, account_id: str, index: int, token: str) -> None:
        # Only the holder of the lease writes here. A former holder that lost its lease without
        # noticing may still write: the newer token wins.
        key = f"{account_id}/{index}"
        while True:
            try:
                create_or_replace(self.holders, key, SlotHolder(token), self.holders.read(key))
            except Changed:
                continue
            return


def _name(account_id: str, index: int) -> str:
    return f"{account_id}/slot-{index}"
