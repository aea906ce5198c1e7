"""The package audit reports vulnerabilities and every package that it could not check."""

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest

import audit.__main__ as audit
from audit.allowed import Allowed, AllowedAdvisory
from audit.packages import Audited, Known, audit_npm, audit_python
from audit.secret_scan import Finding, HistoryMissing

VULNERABLE = {
    "name": "requests",
    "version": "2.0.0",
    "vulns": [
        {"id": "PYSEC-2018-28", "aliases": ["CVE-2018-18074"], "fix_versions": ["2.20.0"]},
    ],
}
NOTHING = Allowed()
SOUND = {"name": "duckdb", "version": "2.0.0", "vulns": []}
UNKNOWN = {"name": "orjson", "skip_reason": "Dependency not found on PyPI"}


def says(*packages: object) -> Callable[[Sequence[str]], str]:
    return lambda _: json.dumps({"dependencies": packages})


def test_a_vulnerable_package_is_reported_with_the_fixed_version() -> None:
    audited = audit_python(says(SOUND, VULNERABLE))

    (known,) = audited.known
    assert str(known) == ("requests 2.0.0: PYSEC-2018-28, CVE-2018-18074 (fixed in 2.20.0)")
    assert (audited.asked, audited.unknown) == (2, 0)


def test_a_package_unknown_to_the_registry_is_not_reported_as_safe() -> None:
    audited = audit_python(says(SOUND, UNKNOWN))

    assert audited.unknown == 1
    assert "1 packages audited, 1 not" in str(audited)


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", '{"dependencies": []}'])
def test_an_unreachable_registry_is_reported_in_one_line(answer: str) -> None:
    for audited in (audit_python(lambda _: answer), audit_npm(lambda _: answer)):
        assert "not audited" in str(audited)
        assert audited.unknown
        assert not audited.known


def test_every_lock_file_with_hashes_is_audited() -> None:
    asked: list[str] = []

    def note(command: Sequence[str]) -> str:
        asked.extend(command)
        return ""

    audit_python(note)

    for lock in ("requirements.txt", "requirements-dev.txt", "requirements-node.txt"):
        assert asked[asked.index(lock) - 1] == "--requirement"
    assert {"--require-hashes", "--disable-pip"} <= set(asked)


def test_npm_advisories_of_high_severity_count_and_others_are_listed() -> None:
    def found(severity: str, number: int) -> dict[str, object]:
        url = f"https://github.com/advisories/GHSA-{number}"
        return {"via": ["other", {"url": url, "severity": severity}], "fixAvailable": True}

    report = {
        "vulnerabilities": {"a": found("low", 1), "b": found("critical", 2), "c": found("high", 3)},
        "metadata": {"dependencies": {"total": 640}},
    }

    audited = audit_npm(lambda _: json.dumps(report))

    assert [(known.ids, known.counted) for known in audited.known] == [
        (("GHSA-1",), False),
        (("GHSA-2",), True),
        (("GHSA-3",), True),
    ]
    assert audited.unknown == 0


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the audit without its secret scan, with given advisories and exceptions."""

    def call(
        *known: Known, unknown: int = 0, allowed: Allowed = NOTHING, strict: bool = False
    ) -> int:
        monkeypatch.setattr(audit, "_secrets", lambda *_: [])
        monkeypatch.setattr(audit, "read_allowed", lambda: allowed)
        monkeypatch.setattr(audit, "audit_python", lambda: Audited("pip-audit", 9, unknown, known))
        monkeypatch.setattr(audit, "audit_npm", lambda: Audited("npm audit", 9, 0))
        return audit.main(["--strict"] if strict else [])

    return call


ONE = Known("requests 2.0.0", ("PYSEC-2018-28", "CVE-2018-18074"), "2.20.0")


def test_findings_fail_the_audit_even_if_it_is_incomplete(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ONE, unknown=8) == 1
    assert "FOUND requests 2.0.0" in capsys.readouterr().out


def test_an_unreachable_registry_is_an_error_only_in_strict_mode(
    main: Callable[..., int],
) -> None:
    assert main(unknown=9) == 0
    assert main(unknown=9, strict=True) == 1
    assert main(strict=True) == 0


def test_an_accepted_advisory_is_ignored_until_its_date(main: Callable[..., int]) -> None:
    def allowing(day: date) -> Allowed:
        return Allowed(advisories=(AllowedAdvisory("CVE-2018-18074", "it cannot reach us", day),))

    far, past = date.max, date(2020, 1, 1)
    assert main(ONE, allowed=allowing(far)) == 0
    assert main(ONE, allowed=allowing(past)) == 1
    today = date(2026, 11, 1)
    assert allowing(today).advisory_ids(today)
    assert not allowing(today).advisory_ids(today + timedelta(days=1))


def test_a_secret_in_a_file_or_in_the_history_fails_the_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = [Finding("notes.txt", 1, "ours.mailchimp-api-key", "0" * 64)]
    monkeypatch.setattr(audit, "read_allowed", Allowed)
    monkeypatch.setattr(audit, "audit_python", lambda: Audited("pip-audit", 9, 0))
    monkeypatch.setattr(audit, "audit_npm", lambda: Audited("npm audit", 9, 0))
    for in_files, in_history, code in (([], [], 0), (secret, [], 1), ([], secret, 1)):
        monkeypatch.setattr(audit, "find_secrets", lambda *_, found=in_files: list(found))
        monkeypatch.setattr(audit, "find_in_history", lambda *_, found=in_history: list(found))
        assert audit.main([]) == code


def test_an_incomplete_git_history_is_an_error_only_in_strict_mode(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cut_off(_: object) -> list[Finding]:
        raise HistoryMissing("history not scanned")

    monkeypatch.setattr(audit, "read_allowed", Allowed)
    monkeypatch.setattr(audit, "audit_python", lambda: Audited("pip-audit", 9, 0))
    monkeypatch.setattr(audit, "audit_npm", lambda: Audited("npm audit", 9, 0))
    monkeypatch.setattr(audit, "find_secrets", lambda *_: [])
    monkeypatch.setattr(audit, "find_in_history", cut_off)

    assert audit.main([]) == 0
    assert "history not scanned" in capsys.readouterr().out
    assert audit.main(["--strict"]) == 1
