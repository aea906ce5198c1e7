"""Connections below HTTP: consistency when a process is killed between two writes."""

from dataclasses import replace

import pytest

from shared.connections.connections import Connections, mark_reconnect
from shared.errors import Changed, ConfigError, Conflict, NotFound, Unavailable
from shared.model.audience import Account
from shared.model.connection import CheckedGrant, ConnectionStatus, ExportUser, GrantKind
from tests.web.client import new_export
from tests.web.world import KEY, NOW, World

GRANT = CheckedGrant("us21", Account("acc-1", "Contoso"), KEY)
EXPORT_USER = ExportUser("export.user@contoso.example", "oid-9", "tenant-1", NOW)


def room() -> tuple[World, Connections, str]:
    world = World()
    kept = world.services.connections
    connection = kept.create("Main", True, "en", (), "Ada").value.id
    return world, kept, connection


def test_the_repr_of_a_grant_hides_its_secret() -> None:
    assert KEY not in repr(GRANT)


def test_consent_is_required() -> None:
    with pytest.raises(ConfigError) as refused:
        World().services.connections.create("Main", False, "en", (), "Ada")
    assert [fault.field for fault in refused.value.faults] == ["consent.agreed"]


def test_a_connection_has_the_status_connected_only_with_a_secret() -> None:
    world, kept, connection = room()

    def down(key: str) -> None:
        raise Unavailable("storageNoAnswer", resource="connections", error="Lost")

    world.connections.before_write = down
    with pytest.raises(Unavailable):
        kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    assert kept.read(connection).value.status is ConnectionStatus.NOT_CONNECTED
    world.connections.before_write = lambda key: None
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    assert kept.read(connection).value.status is ConnectionStatus.CONNECTED
    assert world.secrets.kept[f"mailchimp-{connection}"] == KEY


def test_disconnecting_is_idempotent() -> None:
    world, kept, connection = room()
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    first = kept.disconnect(connection, "Ada").value
    assert kept.disconnect(connection, "Ada").value == first
    assert not world.secrets.kept


def test_losing_a_grant_does_not_hide_a_disconnection() -> None:
    world, kept, connection = room()
    mark_reconnect(world.connections, connection)
    assert kept.read(connection).value.status is ConnectionStatus.NOT_CONNECTED
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    mark_reconnect(world.connections, connection)
    assert kept.read(connection).value.status is ConnectionStatus.RECONNECT


def test_removing_a_connection_deletes_both_grants() -> None:
    world, kept, connection = room()
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    world.secrets.put(f"entra-{connection}", "token")
    kept.remove(connection, "Ada", detach_exports=False)
    assert not world.secrets.kept
    with pytest.raises(NotFound):
        kept.read(connection)


def test_a_removal_that_someone_elses_change_prevents_keeps_both_grants() -> None:
    world, kept, connection = room()
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    kept.add_export_user(connection, EXPORT_USER, "token", "Ada")
    secrets, etag = dict(world.secrets.kept), kept.read(connection).etag

    def rename_first(key: str) -> None:
        world.connections.before_write = lambda key: None
        kept.change(connection, "Renamed", (), "Kim")

    world.connections.before_write = rename_first
    with pytest.raises(Changed) as refused:
        kept.remove(connection, "Ada", detach_exports=False, etag=etag)
    assert refused.value.code == "connectionChanged"
    stored = kept.read(connection).value
    assert (stored.display_name, stored.status) == ("Renamed", ConnectionStatus.CONNECTED)
    assert stored.export_user == EXPORT_USER
    assert world.secrets.kept == secrets


@pytest.mark.parametrize("failing", range(1, 7))
def test_a_removal_that_is_killed_at_any_write_can_be_repeated(failing: int) -> None:
    world, kept, connection = room()
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    kept.add_export_user(connection, EXPORT_USER, "token", "Ada")
    writes = 0

    def fail(_key: str) -> None:
        nonlocal writes
        writes += 1
        if writes == failing:
            raise Unavailable("storageNoAnswer", resource="connections", error="Lost")

    class Killed:
        def delete(self, name: str) -> None:
            fail(name)
            world.secrets.delete(name)

    world.connections.before_write = fail
    removing = replace(kept, secrets=Killed())  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        removing.remove(connection, "Ada", detach_exports=False)
    world.connections.before_write = lambda key: None
    remaining = kept.find(connection)
    if remaining and remaining.status is ConnectionStatus.CONNECTED:
        assert len(world.secrets.kept) == 2
    if remaining:
        kept.remove(connection, "Ada", detach_exports=False)
    assert not world.secrets.kept
    assert not world.connections.kept


def test_a_connection_that_is_connected_while_it_is_removed_leaves_no_secret() -> None:
    world, kept, connection = room()

    class ConnectedMeanwhile:
        def delete(self, name: str) -> None:
            world.secrets.delete(name)
            if kept.find(connection):
                kept.connect(connection, GRANT, GrantKind.API_KEY, "Kim")
                kept.add_export_user(connection, EXPORT_USER, "token", "Kim")

    removing = replace(kept, secrets=ConnectedMeanwhile())  # type: ignore[arg-type]
    removing.remove(connection, "Ada", detach_exports=False)
    assert not world.secrets.kept
    assert not world.connections.kept


@pytest.mark.parametrize("stores", ["grant", "exportUser"])
def test_a_connection_that_is_removed_while_it_is_connected_leaves_no_secret(stores: str) -> None:
    world, kept, connection = room()

    def remove_first(key: str) -> None:
        world.connections.before_write = lambda key: None
        kept.remove(connection, "Kim", detach_exports=False)

    store = {
        "grant": lambda: kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada"),
        "exportUser": lambda: kept.add_export_user(connection, EXPORT_USER, "token", "Ada"),
    }[stores]
    world.connections.before_write = remove_first
    with pytest.raises(NotFound) as gone:
        store()
    assert gone.value.code == "connectionNotFound"
    assert not world.secrets.kept


def test_an_export_that_is_created_while_its_connection_is_removed_is_detached() -> None:
    world, kept, connection = room()
    made: list[str] = []

    class CreatedBeforeDelete:
        def delete(self, name: str) -> None:
            if not made:
                made.append(new_export(world, connection))
            world.secrets.delete(name)

    removing = replace(kept, secrets=CreatedBeforeDelete())  # type: ignore[arg-type]
    detached: list[str] = []
    removing.remove(connection, "Ada", detach_exports=False, detached=detached.append)
    assert detached == made
    assert world.exports.kept[made[0]].value.connection_id is None


def test_an_interrupted_removal_can_be_repeated() -> None:
    world, kept, connection = room()
    kept.connect(connection, GRANT, GrantKind.API_KEY, "Ada")
    first = new_export(world, connection, displayName="A")
    second = new_export(world, connection, displayName="B", audienceId="b2")

    def fail_at_second_write(key: str) -> None:
        if key == second:
            raise Unavailable("storageNoAnswer", resource="connections", error="Lost")

    world.exports.before_write = fail_at_second_write
    with pytest.raises(Unavailable):
        kept.remove(connection, "Ada", detach_exports=True)
    world.exports.before_write = lambda key: None
    with pytest.raises(Conflict) as used:
        kept.remove(connection, "Ada", detach_exports=False)
    assert used.value.values == {"exports": "B"}
    detached: list[str] = []
    kept.remove(connection, "Ada", detach_exports=True, detached=detached.append)
    assert detached == [second]
    assert {world.exports.kept[key].value.connection_id for key in (first, second)} == {None}
