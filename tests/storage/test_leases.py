"""BlobLeases implements Leases of shared/model/ports.py on a real blob service."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.errors import Changed, InputError, Unavailable
from shared.model.ports import Lease
from shared.storage.clients import StorageClients
from shared.storage.leases import BlobLeases

SLOT = "account-1/slot-3"


@pytest.fixture
def leases(clients: StorageClients, name: str) -> BlobLeases:
    return BlobLeases(clients, name)


@pytest.fixture
def others(elsewhere: StorageClients, name: str) -> BlobLeases:
    return BlobLeases(elsewhere, name)


def test_a_lease_has_one_holder_at_a_time(leases: BlobLeases, others: BlobLeases) -> None:
    lease = leases.acquire(SLOT, 15)
    assert lease
    assert others.acquire(SLOT, 15) is None
    assert leases.acquire(SLOT, 15) is None
    assert others.acquire("account-1/slot-4", 15)
    lease.renew()
    lease.release()
    assert others.acquire(SLOT, 15)
    assert leases.acquire(SLOT, 15) is None


def test_a_lost_lease_cannot_be_renewed(leases: BlobLeases, others: BlobLeases) -> None:
    lease = leases.acquire(SLOT, 15)
    lease.release()
    with pytest.raises(Changed):
        lease.renew()
    theirs = others.acquire(SLOT, 15)
    with pytest.raises(Changed):
        lease.renew()
    lease.release()
    theirs.renew()
    assert leases.acquire(SLOT, 15) is None


def test_a_lease_whose_blob_was_deleted_is_lost(
    leases: BlobLeases, clients: StorageClients, name: str
) -> None:
    lease = leases.acquire(SLOT, 15)
    clients.container(name).get_blob_client(SLOT).delete_blob(lease=lease.lease_id)
    with pytest.raises(Changed):
        lease.renew()
    lease.release()
    assert leases.acquire(SLOT, 15)


def test_of_many_simultaneous_lease_requests_one_succeeds(leases: BlobLeases) -> None:
    start = threading.Barrier(12)

    def acquire(_: int) -> Lease | None:
        start.wait()
        return leases.acquire(SLOT, 15)

    with ThreadPoolExecutor(12) as pool:
        held = [lease for lease in pool.map(acquire, range(12)) if lease]
    assert len(held) == 1


@pytest.mark.parametrize("seconds", [0, 14, 61])
def test_a_lease_has_the_duration_limits_of_azure(leases: BlobLeases, seconds: int) -> None:
    with pytest.raises(InputError):
        leases.acquire(SLOT, seconds)


def test_an_unreachable_service_is_unavailable_but_release_succeeds(
    leases: BlobLeases, unreachable: StorageClients, name: str
) -> None:
    with pytest.raises(Unavailable):
        BlobLeases(unreachable).acquire(SLOT, 15)
    lease = leases.acquire(SLOT, 15)
    lease = replace(lease, blob=unreachable.container(name).get_blob_client(SLOT))
    with pytest.raises(Unavailable):
        lease.renew()
    lease.release()
