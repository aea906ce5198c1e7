"""Each message has one text per language, with values in the format of that language."""

import json
import re
from importlib.resources import files

import pytest

from shared.errors import ConfigError, Disconnected, InputError
from shared.messages.catalogue import LOCALES, codes, placeholders, render, text
from shared.model.finding import Finding, Reason, Severity
from shared.model.outcome import Code, Lasting


@pytest.mark.parametrize(
    ("people", "english", "korean"),
    [
        ("0", "0 people leave.", "0명이 나갑니다."),
        ("1", "1 person leaves.", "1명이 나갑니다."),
        ("1234567", "1,234,567 people leave.", "1,234,567명이 나갑니다."),
    ],
)
def test_numbers_and_plurals_follow_the_language(people: str, english: str, korean: str) -> None:
    counted = "{people, plural, one {# person leaves} other {# people leave}}."

    assert render(counted, "en", {"people": people}) == english
    assert render("{people, number}명이 나갑니다.", "ko", {"people": people}) == korean


def test_a_value_is_written_unchanged() -> None:
    values = {"tag": "{people, number} # '", "people": "1"}
    template = "{people, plural, one {The tag {tag}} other {# tags}} of {tag}"

    assert render(template, "en", values) == f"The tag {values['tag']} of {values['tag']}"
    assert render("The tag {tag}", "en", {"tag": "1234"}) == "The tag 1234"


def test_a_text_depends_on_a_value() -> None:
    template = "{tag}:{kind, select, zip { five digits of {tag}} other {}}"

    assert render(template, "en", {"tag": "ZIP", "kind": "zip"}) == "ZIP: five digits of ZIP"
    assert render(template, "en", {"tag": "ZIP", "kind": "text"}) == "ZIP:"
    assert render(template, "en", {"tag": "ZIP"}) == "ZIP:"


def test_an_empty_value_is_refused_in_words_that_fit_a_list_of_choices() -> None:
    assert text("input.string_too_short", "en", {"min_length": 1}) == "Must not be empty."
    assert text("input.string_too_short", "ko", {"min_length": 1}) == "비워 둘 수 없습니다."
    assert text("input.string_too_short", "ko", {"min_length": 8}) == "8자 이상 입력하세요."


def test_a_placeholder_without_a_value_stays_visible() -> None:
    assert render("{tag} {n, plural, one {#} other {# x}}", "en", {}) == "{tag} {n} x"


def test_an_unknown_code_is_shown_unchanged() -> None:
    assert text("ofTomorrow", "ko", {}) == "ofTomorrow"


@pytest.mark.parametrize("locale", LOCALES)
def test_the_texts_of_a_language_are_complete_and_sorted(locale: str) -> None:
    listed = list(json.loads((files("shared.messages") / f"{locale}.json").read_text("utf-8")))

    assert listed == sorted(listed)
    assert set(listed) == codes("en")
    for code in listed:
        assert placeholders(code, locale) == placeholders(code, "en"), code


def test_an_error_has_a_code_and_values_and_is_english_in_logs() -> None:
    error = ConfigError("tagNameRefused", tag="VIP")

    assert (error.code, error.values) == ("tagNameRefused", {"tag": "VIP"})
    assert (
        str(error)
        == error.message
        == "Mailchimp did not accept the tag name VIP. Choose another tag for the segment."
    )
    assert str(InputError("fileTooLarge", where="a.csv")) == "The file a.csv is too large."
    assert Disconnected("keyInvalid", status=401).status == 401


def test_findings_and_reasons_have_an_english_text() -> None:
    found = Finding(Severity.INFO, "tagRecreated", values={"tag": "VIP"})

    assert found.message.startswith("The tag VIP was deleted in Mailchimp.")
    assert Reason.of(ConfigError("tagNameRefused", tag="VIP")) == Reason(
        "tagNameRefused", values={"tag": "VIP"}
    )


def test_korean_particles_fit_their_counters() -> None:
    texts = (files("shared.messages") / "ko.json").read_text("utf-8")
    pages = (files("shared.web") / "locales/ko/pages.json").read_text("utf-8")

    assert re.findall(r"\}(?:개(?:을|은)|개이 |명(?:를|는|가|와)|회(?:을|은))", texts + pages) == []


@pytest.mark.parametrize("code", [code for code in Code if code.lasting is Lasting.A_FEW_RUNS])
def test_no_action_promises_the_next_run_for_a_row_that_only_a_few_runs_send_again(
    code: Code,
) -> None:
    actions = {locale: text(f"outcomes.{code}.action", locale, {}) for locale in ("en", "ko")}
    assert "next run " not in actions["en"]
    assert "다음 실행에서" not in actions["ko"]
