"""A run with warnings says why, on its page and in the lists."""

from __future__ import annotations

import re

import pytest

from shared.model.figures import Counts
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import Mode, RunStatus
from tests.web.browser import Browser
from tests.web.run_states import ended
from tests.web.world import World

WARNED = RunStatus.COMPLETED_WITH_WARNINGS
NOTE = Finding(Severity.INFO, "valuesCut", values={"field": "FNAME", "people": "1"})
GONE = [Finding(Severity.WARNING, "tagGone", values={"tag": f"Tag {n}"}) for n in range(5)]


def reasons(page: Browser) -> str:
    """The card with the status of a run."""
    return page.between('class="card outcome', "</section>")


@pytest.mark.parametrize(
    ("language", "title", "rejected", "not_sent", "kept_tag"),
    [
        ("en", "Why there are warnings", "Rejected rows: 1,246.", "not sent: 3.", "have lost: 2."),
        ("ko", "경고가 있는 이유", "거부된 행: 1,246개.", "않은 사람: 3명.", "있는 사람: 2명."),
    ],
)
def test_a_run_with_warnings_says_why_beside_its_status_and_in_the_lists(
    language: str, title: str, rejected: str, not_sent: str, kept_tag: str
) -> None:
    world = World()
    counts = Counts(distinct=9, created=6, rejected=1246, not_sent=3, left=5, removed=3)
    path = ended(world, WARNED, counts=counts)
    browser = Browser(world, language)
    shown = reasons(browser.open(path))
    for one in (title, rejected, not_sent, kept_tag):
        assert one in shown
    for page in ("/", "/runs"):
        tip = browser.open(page).between('role="tooltip"', "</span>")
        assert rejected in tip, page


def test_the_findings_that_are_warnings_are_shown_first_and_once() -> None:
    world = World()
    path = ended(world, WARNED, counts=Counts(distinct=1, created=1), findings=(NOTE, *GONE))
    page = Browser(world).open(path)
    shown = reasons(page)
    assert [f"The tag Tag {n} was deleted" in shown for n in range(5)] == [True] * 3 + [False] * 2
    assert "More warnings in the findings: 2." in shown
    findings = page.between('class="findings"', "</ul>")
    assert findings.index("Tag 3") < findings.index("Tag 4") < findings.index("FNAME")
    assert "Tag 0" not in findings
    tip = Browser(world).open("/").between('role="tooltip"', "</span>")
    assert "The tag Tag 0 was deleted" in tip
    assert "More warnings in the findings: 4." in tip


def test_what_a_retry_or_a_preview_leaves_undone_is_no_warning() -> None:
    world = World()
    retry = Finding(Severity.INFO, "notRetried", values={"people": "4"})
    counts = Counts(distinct=9, updated=4, rejected=1, not_sent=4)
    page = Browser(world).open(ended(world, WARNED, counts=counts, findings=(retry,)))
    assert "Rejected rows: 1." in reasons(page)
    assert "not sent:" not in reasons(page)
    world = World()
    preview = Counts(distinct=9, new=4, rejected=1, left=310)
    page = Browser(world).open(ended(world, WARNED, Mode.PREVIEW, counts=preview))
    assert "Rejected rows: 1." in reasons(page)
    assert "should have lost" not in reasons(page)


def test_rows_that_the_run_before_rejected_as_well_are_no_warning() -> None:
    world = World()
    before = Finding(Severity.INFO, "rejectedBefore", values={"rows": "2"})
    path = ended(world, WARNED, counts=Counts(distinct=9, rejected=2), findings=(GONE[0], before))
    assert "Rejected rows:" not in reasons(Browser(world).open(path))
    world.runs.move(path.rpartition("/")[2], counts=Counts(distinct=9, rejected=3))
    assert "Rejected rows: 3." in reasons(Browser(world).open(path))


def test_a_run_that_archives_contacts_removes_no_tags() -> None:
    world = World()
    gone = Finding(Severity.WARNING, "contactsNotArchived", values={"people": "6"})
    counts = Counts(left=10, removed=4)
    page = Browser(world).open(ended(world, WARNED, Mode.ARCHIVE, counts=counts, findings=(gone,)))
    assert "should have lost" not in reasons(page)
    assert "Why there are warnings" in reasons(page)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(RunStatus.SUCCESSFUL, None), (WARNED, Reason("superseded")), (RunStatus.FAILED, None)],
)
def test_a_run_without_warnings_or_with_a_reason_names_no_warnings(
    status: RunStatus, reason: Reason | None
) -> None:
    world = World()
    counts = Counts(distinct=2, created=1, rejected=1)
    page = Browser(world).open(ended(world, status, reason=reason, counts=counts))
    assert "Why there are warnings" not in page.text


def test_of_many_findings_of_one_kind_the_page_shows_the_first_and_folds_the_others() -> None:
    world = World()
    gone = tuple(Finding(Severity.WARNING, "tagGone", values={"tag": f"Tag {n}"}) for n in range(8))
    repaired = tuple(
        Finding(Severity.INFO, "tagRepaired", {"tag": f"Old {n}", "added": "1", "removed": "0"})
        for n in range(290)
    )
    findings = (*gone, *repaired, NOTE)
    path = ended(world, WARNED, counts=Counts(distinct=1, created=1), findings=findings)
    page = Browser(world).open(path)
    assert "287 more of this kind" in page.text
    open_part = re.sub("<details>.*?</details>", "", page.html, flags=re.DOTALL)
    assert [f"Old {n} differed" in open_part for n in range(5)] == [True] * 3 + [False] * 2
    # The first three warnings are beside the status, and five are few enough to show all.
    assert all(f"Tag {n} was deleted" in open_part for n in range(8))
    assert "FNAME" in open_part
    assert all(page.html.count(f"Old {n} differed") == 1 for n in range(290))
    assert "같은 종류 287개 더 보기" in Browser(world, "ko").open(path).text
