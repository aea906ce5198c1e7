"""The text of a message in a language, by its code and values.

`<locale>.json` next to this module maps a code (`tagTaken`) to a text. The notation is a small part
of ICU MessageFormat: `{tag}`, `{people, number}` for a grouped number,
`{people, plural, one {# person} other {# people}}`, and `{type, select, date {a date} other {a text}}`. There is no
quoting: an apostrophe is an apostrophe, and a text has no braces of its own, and no `#` within a plural.
https://unicode-org.github.io/icu/userguide/format_parse/messages/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LOCALES = ("en", "ko")

_INNER = r"(?:[^{}]|\{[^{}]*\})*"
_FORM = re.compile(rf"(\w+) \{{({_INNER})\}}")
_CHOICE = re.compile(rf"\{{(\w+), (plural|select), ((?:\w+ \{{{_INNER}\}}\s*)+)\}}")
_VALUE = re.compile(r"\{(\w+)(?:, (number))?\}")


@cache
def _texts(locale: str) -> Mapping[str, str]:
    file = files("shared.messages") / f"{locale}.json"
    texts: dict[str, str] = json.loads(file.read_text("utf-8"))
    return texts


def codes(locale: str = "en") -> frozenset[str]:
    """Every code that has a text."""
    return frozenset(_texts(locale))


def has(code: str) -> bool:
    """Whether there is a text for the code."""
    return code in _texts("en")


def text(code: str, locale: str, values: Mapping[str, object]) -> str:
    """The text of a code, or the code itself when it is unknown.

    A record of a newer version may hold a code that this version does not know.
    """
    template = _texts(locale).get(code)
    return code if template is None else render(template, locale, _with_cause(values, locale))


def _with_cause(values: Mapping[str, object], locale: str) -> Mapping[str, object]:
    """The values, with the text of `causeCode` as `cause`: a message that ends in another one."""
    if "causeCode" not in values:
        return values
    rest = {name: value for name, value in values.items() if name != "causeCode"}
    return {**rest, "cause": text(str(values["causeCode"]), locale, rest)}


def render(template: str, locale: str, values: Mapping[str, object]) -> str:
    """The template with its values. A placeholder without a value stays visible."""

    def choice(found: re.Match[str]) -> str:
        name, forms = found[1], dict(_FORM.findall(found[3]))
        if found[2] == "select":
            return str(forms.get(str(values.get(name)), forms["other"]))
        number = _whole(values.get(name))
        if number is None:
            return str(forms["other"]).replace("#", str(values.get(name, f"{{{name}}}")))
        return str(forms.get(_category(number, locale), forms["other"])).replace(
            "#", _number(number, locale)
        )

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            return found[0]
        number = _whole(values[name]) if found[2] else None
        return str(values[name]) if number is None else _number(number, locale)

    return _VALUE.sub(value, _CHOICE.sub(choice, template))


def placeholders(code: str, locale: str) -> frozenset[str]:
    """The names of the values that the text of a code needs."""
    template = _texts(locale)[code]
    names = {name for name, _, _ in _CHOICE.findall(template)}
    inner = _CHOICE.sub(
        lambda found: " ".join(form for _, form in _FORM.findall(found[3])), template
    )
    return frozenset(names | {name for name, _ in _VALUE.findall(inner)})


def _whole(value: object) -> int | None:
    """Values are kept as text in records."""
    written = str(value)
    return int(written) if written.isascii() and written.isdigit() else None


# Babel is imported when the first number is written: importing it takes 50 ms.
def _category(number: int, locale: str) -> str:
    from babel.core import Locale

    return Locale.parse(locale).plural_form(number)


def _number(number: int, locale: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(number, locale=locale)
