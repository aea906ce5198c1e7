"""The secret scan finds planted secrets. `make audit` scans the project and its history."""

import base64
import random
import string
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from audit.allowed import AllowedSecret, sha256
from audit.secret_scan import (
    Finding,
    ScanError,
    files_of,
    find_in_history,
    find_secrets,
    not_allowed,
    not_found,
)

DICE = random.Random(46)


def of(letters: str, number: int) -> str:
    return "".join(DICE.choices(letters, k=number))


def hexadecimal(number: int) -> str:
    return of("0123456789abcdef", number)


def account_key() -> str:
    return base64.b64encode(DICE.randbytes(64)).decode()


def entra_secret() -> str:
    return of(string.ascii_letters, 3) + "8Q~" + of(string.ascii_letters + string.digits, 34)


def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return key.private_bytes(*form).decode()


# Generated at every run, so that this file contains no secret.
PLANTED: dict[str, Callable[[], str]] = {
    "a Mailchimp API key in code": lambda: f'key = "{hexadecimal(32)}-us21"',
    "a Mailchimp API key in a note": lambda: f"try {hexadecimal(32)}-us6, it works",
    "a connection string": lambda: (
        "DefaultEndpointsProtocol=https;AccountName=contoso;"
        f"AccountKey={account_key()};EndpointSuffix=core.windows.net"
    ),
    "the key of a storage account, alone": account_key,
    "a shared access signature": lambda: (
        "https://contoso.blob.core.windows.net/state?sv=2024-11-04&sp=rwdl"
        f"&sig={base64.b64encode(b'%32d' % DICE.getrandbits(64)).decode().replace('=', '%3D')}"
    ),
    "a client secret of Entra, in settings": lambda: f'"ENTRA_CLIENT_SECRET": "{entra_secret()}"',
    "a client secret of Entra, in a note": lambda: f"it is {entra_secret()}",
    "a private key": private_key,
    "an OAuth token as Mailchimp gives it": lambda: (
        f'{{"access_token": "{hexadecimal(32)}", "expires_in": 0}}'
    ),
    "a client secret of Mailchimp": lambda: f"MAILCHIMP_CLIENT_SECRET={hexadecimal(50)}",
    "a key of the Customer Insights API": lambda: f"subscriptionKey: '{hexadecimal(32)}'",
    "the key of the local secret store": lambda: base64.urlsafe_b64encode(
        DICE.randbytes(32)
    ).decode(),
    "a token of GitHub": lambda: "ghp_" + of(string.ascii_letters + string.digits, 36),
}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[Finding]]]:
    """For each planted text: the secret, and what the scan found of it."""
    folder = tmp_path_factory.mktemp("planted")
    secrets = {planted: make() for planted, make in PLANTED.items()}
    names = {planted: f"notes{number}.txt" for number, planted in enumerate(PLANTED)}
    for planted, secret in secrets.items():
        (folder / names[planted]).write_text(f"first line\n{secret}\n", "utf-8")
    found = find_secrets(list(names.values()), folder)
    return {
        planted: (secrets[planted], [one for one in found if one.path == name])
        for planted, name in names.items()
    }


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_secret_is_found_and_not_printed(
    scanned: dict[str, tuple[str, list[Finding]]], planted: str
) -> None:
    secret, found = scanned[planted]

    assert 2 in {finding.line for finding in found}
    printed = " ".join(map(str, found))
    assert not any(word in printed for word in secret.split() if len(word) > 19)


def test_a_comment_does_not_disable_the_scan(tmp_path: Path) -> None:
    line = f'key = "{hexadecimal(32)}-us21"  # kingfisher:ignore, gitleaks:allow, noqa'
    (tmp_path / "code.py").write_text(line, "utf-8")

    assert find_secrets(["code.py"], tmp_path)


def test_checksums_and_words_are_not_secrets(tmp_path: Path) -> None:
    lines = (
        f'"integrity": "sha512-{account_key()}",',
        f"    --hash=sha256:{hexadecimal(64)}",
        f"actions/checkout@{hexadecimal(40)}",
        'apiKey: "the-api-key-of-the-connection"',
        "secret = read_the_secret_of_the_connection",
    )
    (tmp_path / "harmless.txt").write_text("\n".join(lines), "utf-8")

    assert find_secrets(["harmless.txt"], tmp_path) == []


def test_a_secret_that_was_deleted_later_is_found_in_the_history(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        names = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "settings.txt").write_text(f"{hexadecimal(32)}-us21", "utf-8")
    git("add", ".")
    git("commit", "-m", "one")
    git("rm", "settings.txt")
    git("commit", "-m", "two")

    (found,) = find_in_history(tmp_path)

    assert found.path == "settings.txt"
    assert found.commit
    assert files_of(tmp_path) == []


def test_a_new_file_is_scanned_before_it_is_committed(tmp_path: Path) -> None:
    subprocess.run(["git", "init"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / ".gitignore").write_text("made\n", "utf-8")
    (tmp_path / "made").write_text("", "utf-8")
    (tmp_path / "new.txt").write_text("", "utf-8")

    assert files_of(tmp_path) == [".gitignore", "new.txt"]


def test_a_failed_scan_is_reported_as_failed(tmp_path: Path) -> None:
    with pytest.raises(ScanError):
        find_secrets(["not-there.txt"], tmp_path)
    with pytest.raises(ScanError):
        files_of(tmp_path)


def test_only_allowed_requests_pass(tmp_path: Path) -> None:
    allowed, other = (f"{hexadecimal(32)}-us21" for _ in range(2))
    (tmp_path / "two.txt").write_text(f"{allowed}\n{other}\n", "utf-8")

    found = find_secrets(["two.txt"], tmp_path)

    entries = [AllowedSecret(sha256(allowed), "a key", "a test")]
    entries.append(AllowedSecret(sha256("gone"), "a key of the past", "a test"))
    assert [finding.sha256 for finding in not_allowed(found, entries)] == [sha256(other)]
    assert not_found(found, entries) == entries[1:]
