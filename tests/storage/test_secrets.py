"""Both secret stores implement Secrets of shared/model/ports.py; then the details of each."""

import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken

from shared.errors import ConfigError, InputError, Unavailable
from shared.model.ports import Secrets
from shared.settings import StorageAccount
from shared.storage.clients import ClientOptions, StorageClients, secret_client
from shared.storage.local_secrets import KEY_FILE, LocalSecrets
from shared.storage.vault import VaultSecrets
from tests.storage.fake_key_vault import TOKEN, Vault, fake_key_vault

QUICK = ClientOptions(retries=1, backoff=0.01)


class Identity:
    """A managed identity that has its token already."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 3600)


@pytest.fixture(scope="module")
def running_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Vault, Path]]:
    with fake_key_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@pytest.fixture
def vault(running_vault: tuple[Vault, Path]) -> Vault:
    vault = running_vault[0]
    vault.live.clear()
    vault.deleted.clear()
    vault.busy.clear()
    vault.slowness, vault.fail_with, vault.fail_because = 0, None, None
    vault.content_type_required = False
    return vault


@pytest.fixture
def vault_secrets(vault: Vault, running_vault: tuple[Vault, Path]) -> VaultSecrets:
    client = secret_client(
        vault.url, Identity(), QUICK, verify=str(running_vault[1]), verify_challenge=False
    )
    return VaultSecrets(client, sleep=lambda _: None)


@pytest.fixture
def local_secrets(clients: StorageClients, name: str, tmp_path: Path) -> LocalSecrets:
    key_file = tmp_path / "local" / "secrets.key"
    return LocalSecrets(clients, in_azure=False, key_file=key_file, container=name)


@pytest.fixture(params=["vault_secrets", "local_secrets"])
def secrets(request: pytest.FixtureRequest) -> Secrets:
    return request.getfixturevalue(request.param)


def test_a_secret_is_written_replaced_and_deleted(secrets: Secrets) -> None:
    assert secrets.get("mailchimp-1") is None
    secrets.delete("mailchimp-1")
    secrets.put("mailchimp-1", "first")
    assert secrets.get("mailchimp-1") == "first"
    secrets.put("mailchimp-1", "second")
    assert secrets.get("mailchimp-1") == "second"
    secrets.delete("mailchimp-1")
    assert secrets.get("mailchimp-1") is None
    secrets.delete("mailchimp-1")


def test_a_deleted_secret_can_be_written_again(secrets: Secrets) -> None:
    for value in ("one", "two", "three"):
        secrets.put("mailchimp-1", value)
        assert secrets.get("mailchimp-1") == value
        secrets.delete("mailchimp-1")


def test_secrets_are_separate_and_their_names_case_insensitive(secrets: Secrets) -> None:
    secrets.put("a-1", "one")
    secrets.put("a-2", "two")
    secrets.put("A-1", "three")
    assert (secrets.get("a-1"), secrets.get("a-2")) == ("three", "two")


@pytest.mark.parametrize("value", ["", "한글 🎉 \"'\\\n", "x" * 25_000])
def test_a_secret_may_be_any_text(secrets: Secrets, value: str) -> None:
    secrets.put("mailchimp-1", value)
    assert secrets.get("mailchimp-1") == value


def test_an_invalid_secret_is_refused(secrets: Secrets) -> None:
    for name in ("", "a_b", "a/b", "../a", "a b", "é", "x" * 128):
        with pytest.raises(InputError):
            secrets.get(name)
        with pytest.raises(InputError):
            secrets.put(name, "value")
    with pytest.raises(InputError) as caught:
        secrets.put("a", "geheim" * 5_000)
    assert "geheim" not in str(caught.value)


def test_a_secret_is_not_readable_in_its_store(secrets: Secrets) -> None:
    secrets.put("mailchimp-1", "geheim")
    assert "geheim" not in repr(secrets) + str(vars(secrets))


def test_a_vault_with_a_policy_about_content_types_accepts_secrets(
    vault: Vault, vault_secrets: VaultSecrets
) -> None:
    vault.content_type_required = True
    vault_secrets.put("a", "one")
    assert vault_secrets.get("a") == "one"


def test_a_slow_vault_is_waited_for(vault: Vault, vault_secrets: VaultSecrets) -> None:
    vault.slowness = 3
    vault_secrets.put("a", "one")
    vault_secrets.delete("a")
    vault_secrets.put("a", "two")
    assert vault_secrets.get("a") == "two"
    assert vault.live["a"] == ["one", "two"]


def test_a_vault_that_is_too_slow_is_unavailable(vault: Vault, vault_secrets: VaultSecrets) -> None:
    vault.slowness = 1_000
    vault_secrets.put("a", "one")
    vault_secrets.delete("a")
    with pytest.raises(Unavailable):
        vault_secrets.put("a", "two")


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, ConfigError), (401, ConfigError), (500, Unavailable), (429, Unavailable)],
)
def test_errors_of_the_vault_are_translated(
    vault: Vault, vault_secrets: VaultSecrets, status: int, error: type[Exception]
) -> None:
    vault.fail_with = status
    calls: list[Callable[[], object]] = [
        lambda: vault_secrets.get("a"),
        lambda: vault_secrets.put("a", "geheim"),
        lambda: vault_secrets.delete("a"),
    ]
    for call in calls:
        with pytest.raises(error) as caught:
            call()
        assert "own words" not in str(caught.value)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("ForbiddenByRbac", "(403 ForbiddenByRbac)"),
        ("ForbiddenByFirewall", "(403 ForbiddenByFirewall)"),
        ("words with geheim", "(403)"),
        (["geheim"], "(403)"),
    ],
)
def test_a_refusal_of_the_vault_names_its_reason(
    vault: Vault, vault_secrets: VaultSecrets, reason: object, shown: str
) -> None:
    """A missing role, a firewall and a policy have the same status."""
    vault.fail_with, vault.fail_because = 403, reason
    with pytest.raises(ConfigError) as caught:
        vault_secrets.put("a", "geheim")
    assert shown in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_vault_requests_have_our_user_agent(vault: Vault, vault_secrets: VaultSecrets) -> None:
    vault_secrets.get("a")
    assert all(agent.startswith("customer-insights-mailchimp-export") for agent in vault.agents)


def test_a_vault_with_an_unknown_certificate_is_not_trusted(vault: Vault) -> None:
    client = secret_client(vault.url, Identity(), QUICK, verify_challenge=False)
    with pytest.raises(Unavailable):
        VaultSecrets(client).get("a")


def test_a_key_vault_outside_its_domain_gets_no_token(
    vault: Vault, running_vault: tuple[Vault, Path]
) -> None:
    client = secret_client(vault.url, Identity(), QUICK, verify=str(running_vault[1]))
    with pytest.raises(ConfigError):
        VaultSecrets(client).get("a")


def test_local_secrets_are_refused_in_azure(clients: StorageClients) -> None:
    with pytest.raises(ConfigError) as caught:
        LocalSecrets(clients, in_azure=True)
    assert "KEY_VAULT_URL" in str(caught.value)


def test_a_local_secret_is_encrypted_and_its_key_is_stored_elsewhere(
    clients: StorageClients, local_secrets: LocalSecrets, name: str, tmp_path: Path
) -> None:
    local_secrets.put("a", "geheim")
    kept = clients.container(name).download_blob("a").readall()
    key_file = tmp_path / "local" / "secrets.key"
    assert b"geheim" not in kept
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == ["secrets.key"]


def test_a_key_file_readable_by_others_is_refused(
    local_secrets: LocalSecrets, tmp_path: Path
) -> None:
    local_secrets.put("a", "geheim")
    (tmp_path / "local" / "secrets.key").chmod(0o640)
    with pytest.raises(ConfigError, match="0600"):
        local_secrets.get("a")


@pytest.mark.parametrize("content", [None, b"no key"])
def test_a_lost_key_error_explains_what_to_do(
    local_secrets: LocalSecrets, tmp_path: Path, content: bytes | None
) -> None:
    local_secrets.put("a", "geheim")
    key_file = tmp_path / "local" / "secrets.key"
    key_file.unlink()
    if content is not None:
        key_file.touch(mode=0o600)
        key_file.write_bytes(content)
    with pytest.raises(ConfigError, match="connect again"):
        local_secrets.get("a")


def test_programs_that_start_at_the_same_time_use_one_key(
    account: StorageAccount, name: str, tmp_path: Path
) -> None:
    def put(number: int) -> None:
        clients = StorageClients(account)
        key_file = tmp_path / "secrets.key"
        store = LocalSecrets(clients, in_azure=False, key_file=key_file, container=name)
        store.put(f"s{number}", str(number))
        clients.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
    clients = StorageClients(account)
    store = LocalSecrets(clients, in_azure=False, key_file=tmp_path / "secrets.key", container=name)
    assert [store.get(f"s{number}") for number in range(8)] == [str(n) for n in range(8)]
    clients.close()


def test_the_key_file_is_neither_committed_nor_deployed(project: Path) -> None:
    assert KEY_FILE.relative_to(project).parts == (".local", "secrets.key")
    assert ".local/" in (project / ".gitignore").read_text().split()
    ignored = (project / ".funcignore").read_text().split()
    assert any(fnmatch(".local", pattern) for pattern in ignored)
