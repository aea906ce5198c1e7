"""The table of Mailchimp's traps names existing files and tests."""

from __future__ import annotations

import re


def test_every_documented_trap_has_existing_tests(project):
    table = (project / "docs" / "mailchimp-traps.md").read_text(encoding="utf-8")
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in project.glob("tests/*/test_*.py")
    )
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 20
    for row in rows:
        held_by = re.findall(r"`(test_\w+)`", row)
        assert held_by, row
        for name in held_by:
            assert f"def {name}(" in tests, name
        for path in re.findall(r"`(shared/[\w/]+\.py)`", row):
            assert (project / path).is_file(), path
