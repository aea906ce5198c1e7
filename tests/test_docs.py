"""The documentation names only what exists: pages, pictures, commands and labels of the admin pages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
IMAGES = DOCS / "images"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "sandbox/README.md"],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)
PAGES.remove(ROOT / "THIRD_PARTY_NOTICES.md")
GUIDES = {"en": DOCS / "guide.en.md", "ko": DOCS / "guide.ko.md"}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def links(page: Path) -> set[str]:
    """The targets of links to files of the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", read(page))
    return {one.partition("#")[0] for one in found if "://" not in one and not one.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_exist(page: Path) -> None:
    assert sorted(one for one in links(page) if not (page.parent / one).exists()) == []


def test_every_picture_is_shown_somewhere() -> None:
    shown = {(page.parent / one).resolve() for page in PAGES for one in links(page)}
    assert sorted(path.name for path in IMAGES.iterdir() if path.resolve() not in shown) == []


def test_the_index_lists_every_page() -> None:
    listed = links(DOCS / "README.md")
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= listed


def test_the_readme_is_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= 100


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))
    code = re.findall(r"`make ([a-z]+)|^make ([a-z]+)", read(page), re.MULTILINE)
    assert {one or two for one, two in code} <= targets


@pytest.mark.parametrize("page", ["reliability.md", "mailchimp-traps.md"])
def test_tests_and_modules_that_a_page_names_exist(page: str) -> None:
    text = read(DOCS / page)
    sources = "".join(read(path) for path in (ROOT / "tests").rglob("*.py"))
    defined = set(re.findall(r"def (test_\w+)", sources))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 20
    assert sorted(named - defined) == []
    files = set(re.findall(r"`((?:tests|shared)/[\w/.-]+)`", text))
    assert sorted(one for one in files if not (ROOT / one).exists()) == []


def test_the_architecture_names_only_what_the_code_has() -> None:
    code = [read(path) for path in (*(ROOT / "shared").rglob("*.py"), ROOT / "function_app.py")]
    methods = {
        f"{owner.name}.{part.name}"
        for text in code
        for owner in ast.parse(text).body
        if isinstance(owner, ast.ClassDef)
        for part in owner.body
        if isinstance(part, ast.FunctionDef)
    }
    words = set(re.findall(r"\w+", "\n".join(code)))
    page = read(DOCS / "architecture.md")
    named = set(re.findall(r"`([A-Z]\w+\.[a-z]\w+)`", page))

    assert len(named) > 15
    assert sorted(named - methods) == []
    assert sorted(set(re.findall(r"`([a-z]+_[a-z_]+)`", page)) - words) == []


def test_both_guides_show_the_same_pages_in_their_language() -> None:
    sections = {
        language: len(re.findall("^## ", read(guide), re.M)) for language, guide in GUIDES.items()
    }
    assert sections["en"] == sections["ko"]
    shown = {
        language: [one.replace(f"-{language}-", "-*-") for one in pictures(guide)]
        for language, guide in GUIDES.items()
    }
    assert shown["en"] == shown["ko"]
    assert len(shown["en"]) > 10


def pictures(guide: Path) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", read(guide))


@pytest.mark.parametrize("language", GUIDES)
def test_labels_in_a_guide_are_those_of_the_pages(language: str) -> None:
    known = set(labels(language))
    # Questions are bold as well, and end in a question mark; a label that begins a step ends in a dot.
    bold = re.findall(r"\*\*([^*]+)\*\*", read(GUIDES[language]))
    named = {one.removesuffix(".") for one in bold if not one.endswith("?")}
    assert sorted(named - known) == []


def test_the_terms_are_those_of_the_pages_and_messages() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| ([가-힣 ]+) \|", read(DOCS / "terms.md"), re.M)
    assert len(rows) > 25
    for language, terms in zip(GUIDES, zip(*rows, strict=True), strict=True):
        texts = " ".join(labels(language)) + read(ROOT / f"shared/messages/{language}.json")
        assert [term for term in terms if term not in texts.lower()] == [], language


def labels(language: str) -> Iterator[str]:
    texts = json.loads(read(ROOT / f"shared/web/locales/{language}/pages.json"))
    yield from flat(texts)


def flat(texts: object) -> Iterator[str]:
    if isinstance(texts, dict):
        for value in texts.values():
            yield from flat(value)
    else:
        yield str(texts)
