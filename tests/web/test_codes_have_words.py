"""Every code that the app can say of a fault, a reason or a finding has words in both languages."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "shared"
# Which argument of a call, made without its name, is the code.
_PLACES = {"Reason": 0, "Finding": 1, "_finding": 1, "_say": 0}


def said_codes() -> set[str]:
    codes: set[str] = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name in _PLACES and len(node.args) > _PLACES[name]:
                given.append(node.args[_PLACES[name]])
            codes |= {
                one.value
                for one in given
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value
            }
    return codes


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_code_has_words(language: str) -> None:
    known = set(json.loads((ROOT / "messages" / f"{language}.json").read_text(encoding="utf-8")))
    for file in (ROOT / "web" / "locales" / language).glob("*.json"):
        known |= set(json.loads(file.read_text(encoding="utf-8")))
    codes = said_codes()
    assert len(codes) > 50
    assert sorted(codes - known) == []
