"""The page of results keeps one section for each number of people."""

from bench.__main__ import page_with

SMALL = "50,000 people\n\n| run |\n"
LARGE = "1,000,000 people\n\n| run |\n"


def test_sections_are_sorted_by_the_number_of_people() -> None:
    page = page_with(SMALL, page_with(LARGE, "# Results\n\nan older page\n"))
    assert page.startswith("# Results\n")
    assert "an older page" not in page
    assert page.endswith(f"\n## {SMALL}\n## {LARGE}")


def test_a_new_section_replaces_the_one_of_the_same_number() -> None:
    page = page_with(SMALL, page_with(LARGE, ""))
    new = SMALL.replace("run", "new run")
    assert page_with(new, page) == page.replace(SMALL, new)
