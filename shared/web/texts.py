"""The texts of the pages, in the reader's language: one JSON file per language and subject.

A key is `<file>.<name>`, for example `pages.nav.exports`, or a key of the messages, for example
`outcomes.addressMissing.reason`. The language of a request is decided here (RFC 9110, 12.5.4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from shared.messages import catalogue as messages

LANGUAGES = messages.LOCALES

# The language that a person chose for the pages.
LANGUAGE_COOKIE = "language"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Every text of a language by its key."""
    texts: dict[str, str] = {}
    for file in (files("shared.web") / "locales" / language).iterdir():
        if file.name.endswith(".json"):
            subject = file.name.removesuffix(".json")
            entries: dict[str, str] = json.loads(file.read_text("utf-8"))
            texts.update({f"{subject}.{name}": entry for name, entry in entries.items()})
    return texts


def has(key: str) -> bool:
    """Whether there is a text under this key."""
    return messages.has(key) or key in catalogue("en")


def text(language: str, key: str, values: Mapping[str, object] | None = None) -> str:
    """The text under a key, with its values. KeyError for an unknown key."""
    if messages.has(key):
        return messages.text(key, language, values or {})
    return messages.render(catalogue(language)[key], language, values or {})


def reason_text(code: str, language: str) -> str:
    """What an outcome means, in words; empty without a code."""
    return _if_known(f"outcomes.{code}.reason", language)


def action_text(code: str, language: str) -> str:
    """What to do about an outcome, in words; empty without a code."""
    return _if_known(f"outcomes.{code}.action", language)


def not_sent_text(reason: str, language: str) -> str:
    """Why a value was not sent, or was cut, in words; empty without a reason."""
    return _if_known(f"pages.notSent.{reason}", language)


def _if_known(key: str, language: str) -> str:
    return text(language, key) if has(key) else ""


def text_or_default(language: str, code: str, values: Mapping[str, str], message: str) -> str:
    """The text of a message, or `message` where the code is unknown or a value is missing.

    Records of other versions have codes that this version does not know.
    """
    known = messages.has(code) and messages.placeholders(code, language) <= set(values)
    return messages.text(code, language, values) if known else message


def language_of(accept_language: str | None) -> str:
    """The best of our languages for an Accept-Language header; English when none fits.

    A regional language counts as its language: `ko-KR` is Korean.
    """
    accepted = parse_accept_header((accept_language or "")[:500], LanguageAccept)
    for tag, quality in accepted:
        language = tag.partition("-")[0].lower()
        if language in LANGUAGES and quality > 0:
            return language
    return "en"
