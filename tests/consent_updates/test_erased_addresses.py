"""A person is erased under all addresses of their contact, whatever happens to the address and the erasure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.mailchimp import Fault
from shared import temporary
from shared.errors import Unavailable
from tests import reused_databases
from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.consent_updates.test_changed_addresses import A, B, address_of, deploy
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import person

C = "newer@example.com"


@pytest.fixture
def made(new_deployment: NewDeployment) -> ConsentDeployment:
    return deploy(new_deployment())


def stored_addresses(made: ConsentDeployment, folder: Path) -> set[str]:
    """All addresses in the stored statuses."""
    found: set[str] = set()
    for name, data in made.deployment.store.blobs.items():
        if name.startswith("consent/"):
            local = folder / "statuses.parquet"
            local.write_bytes(data)
            with reused_databases.connect() as db:
                rows = db.execute("SELECT address, former FROM read_parquet(?)", [str(local)])
                for address, former in rows.fetchall():
                    found |= {address, *former}
    return found


def once(work: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that does this work when it is called for the first time."""
    left = [work]

    def do() -> None:
        if left:
            left.pop()()

    return do


@pytest.mark.parametrize(("erased", "gone"), [(A, {A, B}), (B, {A, B})])
def test_the_connection_of_two_addresses_is_erased_with_either(
    made: ConsentDeployment, tmp_path: Path, erased: str, gone: set[str]
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    assert {A, B} <= stored_addresses(made, tmp_path)

    made.app.eraser.erase(erased, in_mailchimp=False, by="Ada")

    assert not gone & stored_addresses(made, tmp_path)
    for _ in range(3):
        made.sweep()
    assert not gone & stored_addresses(made, tmp_path)


@pytest.mark.parametrize("erased", [A, B])
def test_a_person_is_erased_under_the_former_and_the_new_address(
    made: ConsentDeployment, erased: str
) -> None:
    made.audience.change_address(A, B)
    made.sweep()

    made.app.eraser.erase(erased, in_mailchimp=True, by="Ada")

    assert B not in made.audience.members()
    made.sweep()
    made.rows.run(person(1, FirstName="Changed"), person(2))
    assert {A, B}.isdisjoint(made.audience.members())


@pytest.mark.parametrize("erased", [A, B])
def test_a_change_of_address_that_no_sweep_has_read_is_known_to_the_erasure(
    made: ConsentDeployment, tmp_path: Path, erased: str
) -> None:
    made.audience.change_address(A, B)

    made.app.eraser.erase(erased, in_mailchimp=True, by="Ada")

    assert B not in made.audience.members()
    made.rows.run(person(1, FirstName="Changed"), person(2), person(9, EMail=B))
    made.sweep()
    assert {A, B}.isdisjoint(made.audience.members())
    assert {A, B}.isdisjoint(stored_addresses(made, tmp_path))


def test_without_mailchimp_the_person_is_erased_under_the_addresses_that_the_app_knows(
    made: ConsentDeployment, tmp_path: Path
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    made.sandbox.arm(Fault("500", times=None))

    made.app.eraser.erase(A, in_mailchimp=False, by="Ada")

    made.sandbox.disarm()
    assert {A, B}.isdisjoint(stored_addresses(made, tmp_path))
    made.rows.run(person(2), person(9, EMail=B))
    assert made.audience.members()[B].tags == set()


@pytest.mark.parametrize("failing", ["/actions/delete-permanent", "/members/"])
def test_a_deletion_that_failed_under_another_address_is_repeated_with_the_first_one(
    made: ConsentDeployment, failing: str
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    made.sandbox.arm(Fault("500", None, failing, times=None))
    with pytest.raises(Unavailable):
        made.app.eraser.erase(A, in_mailchimp=True, by="Ada")
    assert B in made.audience.members()
    made.sandbox.disarm()
    # Meanwhile, the person changes the address again.
    made.audience.change_address(B, C)

    made.app.eraser.erase(A, in_mailchimp=True, by="Ada")

    assert {A, B, C}.isdisjoint(made.audience.members())
    assert all(not one.value.contacts for one in made.app.erasures.records.all())


def test_an_address_that_someone_else_took_since_the_last_sweep_is_not_deleted(
    made: ConsentDeployment,
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    made.audience.add(A)

    made.app.eraser.erase(B, in_mailchimp=True, by="Ada")

    assert A in made.audience.members()
    assert B not in made.audience.members()


def test_the_timer_completes_the_erasure_under_all_addresses(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    made.audience.change_address(B, C)
    made.sweep()
    create = made.app.erasures.records.create

    def create_and_die(*given: Any) -> None:
        create(*given)
        made.deployment.client.dead = True

    monkeypatch.setattr(made.app.erasures.records, "create", create_and_die)
    with pytest.raises(ProcessKilled):
        made.app.eraser.erase(A, in_mailchimp=False, by="Ada")
    made.deployment.start_process()
    assert sum(1 for _ in made.app.erasures.records.all()) == 1

    assert made.app.eraser.complete() == 3

    assert {A, B, C}.isdisjoint(stored_addresses(made, tmp_path))
    assert all(not one.value.waits_for for one in made.app.erasures.records.all())
    made.rows.run(person(2), person(9, EMail=B))
    assert B not in made.audience.members()


def test_the_numbers_of_stored_contacts_are_right_after_an_erasure(
    made: ConsentDeployment,
) -> None:
    made.audience.change_address(A, B)
    made.audience.add("archived@example.com", status="archived")
    made.sweep()
    # Another contact has the former address now, so only the connection is erased.
    made.audience.add(A)
    made.sweep()

    for address in (A, "archived@example.com"):
        made.app.eraser.erase(address, in_mailchimp=False, by="Ada")

    state = made.app.consent_sweeps.read(made.key).value
    # B and the other two people.
    assert (state.stored, state.stored_archived, state.unidentified) == (3, 0, 0)


def test_a_sweep_that_read_a_person_before_the_erasure_does_not_store_them_afterwards(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    new = address_of(4)
    made.audience.add(new)
    upload = made.app.files.upload
    erase = once(lambda: made.app.eraser.erase(new, in_mailchimp=False, by="Ada"))

    def uploaded(path: Path, name: str) -> None:
        upload(path, name)
        erase()

    monkeypatch.setattr(made.app.files, "upload", uploaded)

    made.sweep()

    assert new not in stored_addresses(made, tmp_path)
    assert address_of(2) in stored_addresses(made, tmp_path)


def test_a_sweep_does_not_delete_what_an_erasure_has_stored_meanwhile(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replace = made.app.consent_sweeps.replace
    erase = once(lambda: made.app.eraser.erase(A, in_mailchimp=False, by="Ada"))

    def replaced(*given: Any) -> Any:
        result = replace(*given)
        erase()
        return result

    monkeypatch.setattr(made.app.consent_sweeps, "replace", replaced)
    made.audience.add(address_of(4))

    made.sweep()

    assert {address_of(2), address_of(4)} <= stored_addresses(made, tmp_path)
    assert A not in stored_addresses(made, tmp_path)


def test_an_erased_person_is_not_in_the_contacts_that_the_lanes_of_a_process_share(
    made: ConsentDeployment,
) -> None:
    contacts = made.app.stored_contacts
    with contacts.keep(made.key):
        assert contacts.ids(made.key, [A])

        made.app.eraser.erase(A, in_mailchimp=False, by="Ada")

        assert contacts.ids(made.key, [A]) == {}
        assert contacts.ids(made.key, [address_of(2)])
        (copy,) = copies()
    assert not copy.exists()


def copies() -> list[Path]:
    """The local copies of stored contacts."""
    return list(temporary._PROCESS.folder().glob("contacts-*"))
