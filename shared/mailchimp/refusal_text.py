"""The text of a refusal by Mailchimp, without personal data.

The text is in the language of the account and may contain the address and the values of the member. Everything
that could be personal is replaced, so that the text can be kept when the person is erased.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

LONGEST_ANSWER = 300
"""Characters of an answer that are kept."""

REMOVED = "[…]"
"""Replaces what may be personal."""

_LONGEST_TEXT = 2_000
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
# A quotation mark inside a word is an apostrophe.
_QUOTED = re.compile(r"(?<!\w)(['\"`]).*?\1(?!\w)|[‘“„«‹「『].*?[’”“»›」』]")
# Addresses, domains, numbers, dates and hashes. A field of the request, such as update_existing:true, remains.
_RISKY = re.compile(r"\S*(?:@|\d|\w\.\w|://|%)\S*")
_SPACES_AND_CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]+")
_REPEATED = re.compile(rf"{re.escape(REMOVED)}(?:\W*{re.escape(REMOVED)})+")
# Shorter words of a value, such as "de" or "St", identify no one and are words of every language.
_SHORTEST_WORD = 3


def refusal_text(error: Mapping[str, object], address: str, sent: Mapping[str, object]) -> str:
    """Return the `error_code` and texts of an entry of `errors`, on one line.

    `address` and `sent` are the address and the merge fields of the member in the request.
    """
    code = error.get("error_code")
    shown = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    texts = (error.get("error"), error.get("field_message"))
    words = " ".join(text[:_LONGEST_TEXT] for text in texts if isinstance(text, str) and text)
    answer = _without_personal_data(
        words, [address, *_texts(error.get("email_address")), *_texts(sent)]
    )
    return ": ".join(filter(None, (shown, answer)))[:LONGEST_ANSWER]


def title_text(status: int, title: str) -> str:
    """Return the status and the title of the problem document with which a whole call was refused."""
    return ": ".join(filter(None, (str(status), _without_personal_data(title, []))))[
        :LONGEST_ANSWER
    ]


def _without_personal_data(words: str, values: list[str]) -> str:
    words = _SPACES_AND_CONTROLS.sub(" ", words).strip()
    # A whole value before its words, and the longer of two values first.
    for value in sorted({one for text in values for one in _forms(text)}, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(value)}(?!\w)"
        words = re.sub(pattern, REMOVED, words, flags=re.IGNORECASE)
    words = _RISKY.sub(REMOVED, _QUOTED.sub(REMOVED, words))
    return _REPEATED.sub(REMOVED, words)


def _forms(text: str) -> Iterator[str]:
    """A value, and its words."""
    text = _SPACES_AND_CONTROLS.sub(" ", text).strip()
    if text:
        yield text
    for word in re.findall(r"\w+", text):
        if len(word) >= _SHORTEST_WORD or not word.isascii():
            yield word


def _texts(value: object) -> Iterator[str]:
    """The texts in a value, also in the parts of a postal address."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif value is not None:
        yield str(value)
