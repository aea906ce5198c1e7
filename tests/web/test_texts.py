"""All texts exist in every language, and the code uses no others."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

import shared
from shared.messages import catalogue as messages
from shared.model.connection import ConnectionStatus, GrantKind
from shared.model.export import Leavers, NewContactStatus, Repeat
from shared.model.finding import Severity
from shared.model.outcome import Code, Outcome
from shared.model.run import Mode, RunStatus, Trigger
from shared.web.texts import LANGUAGES, catalogue, has, language_of, text, text_or_default

SOURCE = Path(shared.__file__).parent
NAMES = re.compile(r"{(\w+)[},]")


def written(pattern: str, *folders: str) -> set[str]:
    files = [file for folder in folders for file in (SOURCE / folder).rglob("*.py")]
    return {found for file in files for found in re.findall(pattern, file.read_text("utf-8"))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_names(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, sentence in english.items():
        assert set(NAMES.findall(other[key])) == set(NAMES.findall(sentence)), key
        assert other[key].strip() == other[key] != ""


def test_korean_texts_are_korean() -> None:
    for key, sentence in catalogue("ko").items():
        assert re.search(r"[가-힣]", sentence), key


def test_no_korean_particle_follows_a_percentage() -> None:
    """Browsers break a line between the percent sign and the particle."""
    for key, sentence in catalogue("ko").items():
        assert not re.search(r"(%|{share})[가-힣]", sentence), key


@pytest.mark.parametrize("code", list(Code))
def test_every_outcome_code_explains_what_happened_and_what_to_do(code: str) -> None:
    for language in LANGUAGES:
        assert text(language, f"outcomes.{code}.reason")
        assert text(language, f"outcomes.{code}.action")


def test_every_documented_outcome_exists() -> None:
    described = {key.split(".")[1] for key in messages.codes() if key.startswith("outcomes.")}
    assert described == {code.value for code in Code}


def test_every_kind_of_problem_has_its_texts() -> None:
    kinds = written(r'HttpProblem\(\s*\d+, "(\w+)"', "web")
    kinds |= written(r'\(\w+, \d{3}, "(\w+)"\)', "web")
    assert len(kinds) > 12
    for kind in kinds:
        assert {f"problems.{kind}.title", f"problems.{kind}.detail"} <= messages.codes()


def test_every_reason_for_which_a_value_is_not_sent_has_a_text() -> None:
    reasons = written(r'(?:Unusable\(|Dropped\(tag, )"(\w+)"', "fields")
    assert len(reasons) > 14
    assert not {reason for reason in reasons if not has(f"pages.notSent.{reason}")}


def test_every_code_of_web_and_connections_has_a_text() -> None:
    codes = written(r'code="(\w+)"', "web", "connections", "mailchimp/../web")
    codes |= {"exportFaults", "tagTaken", "exportRunning", "exportChanged", "exportNotFound"}
    texts = catalogue("en")
    missing = {c for c in codes if not messages.has(c) and f"signIn.{c}" not in texts}
    assert not missing


def test_the_best_matching_language_is_chosen() -> None:
    assert language_of("ko") == "ko"
    assert language_of("ko-KR,ko;q=0.9,en-US;q=0.8") == "ko"
    assert language_of("en-GB,ko;q=0.9") == "en"
    assert language_of("de, ko;q=0.5") == "ko"
    assert language_of(None) == "en"


def test_a_text_without_its_value_falls_back_to_the_error_message() -> None:
    assert text_or_default("ko", "tagGone", {"tag": "VIP"}, "Own.").startswith("실행 중에")
    assert text_or_default("ko", "tagGone", {}, "Own.") == "Own."
    assert text_or_default("ko", "nobodyKnows", {}, "Own.") == "Own."
    assert text_or_default("en", "tagGone", {"tag": "VIP"}, "Own.").startswith("The tag VIP")


@pytest.mark.parametrize(
    ("subject", "values"),
    [
        ("status", RunStatus),
        ("trigger", Trigger),
        ("mode", Mode),
        ("severity", Severity),
        ("outcome", Outcome),
        ("connectionStatus", ConnectionStatus),
        ("grant", GrantKind),
        ("newStatus", NewContactStatus),
        ("leavers", Leavers),
        ("repeat", Repeat),
    ],
)
def test_every_option_has_a_text(subject: str, values: type[StrEnum]) -> None:
    assert not {value for value in values if not has(f"pages.{subject}.{value}")}


def test_every_recorded_action_has_a_text() -> None:
    actions = written(
        r'"((?:connection|export|run|person|schedule)\.[a-zA-Z]+)"', "web/application"
    )
    assert len(actions) > 15
    assert not {action for action in actions if not has(f"pages.audited.{action}")}
