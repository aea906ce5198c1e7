"""outcomes.csv in a spreadsheet: no formulas, no hidden text, one row per row."""

import csv
import io
from urllib.parse import unquote

import pytest

from shared.model.run import Mode, RunStatus, Trigger
from shared.runs.outcomes import OutcomeRow
from shared.web.csv_files.file import csv_response, neutral
from shared.web.csv_files.outcomes import outcomes_csv
from tests.web.client import call, new_export
from tests.web.world import World


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("  =1", "'  =1"),
        ("\u00a0\ufeff=1", "'\u00a0\ufeff=1"),
        ("＝1", "'＝1"),
        ("\0=1", "\ufffd=1"),
        # Where semicolons divide cells
        ("Gold; =cmd", "Gold;' =cmd"),
        ("a;-1;@b", "a;'-1;'@b"),
        ("a|=1", "a|'=1"),
        ("x\n=1", "x\n'=1"),
        # Not a formula
        ("", ""),
        ("a=1", "a=1"),
        ("a@b.de", "a@b.de"),
        ("Gold; Silver", "Gold; Silver"),
        ("김철수", "김철수"),
        # What hides something
        ("gpj\u202eexe", "gpj\ufffdexe"),
        ("a\x07b\x85", "a\ufffdb\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_values_that_a_spreadsheet_would_evaluate_or_hide_are_text(cell: str, shown: str) -> None:
    assert neutral(cell) == shown


def test_every_row_is_one_row_regardless_of_its_cells() -> None:
    nasty = ['"', '","', "a\r\nb", "a\0b", "=1", ";=1", "\u2028", "\x1a", "x" * 300, "'"]
    rows = [OutcomeRow(cell, cell, (cell, cell), "rejected", "", "") for cell in nasty]
    data = outcomes_csv(iter(rows), "en")
    text = data.decode("utf-8-sig")
    header, *found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in found] == [len(header)] * len(nasty)
    assert [row[1] for row in found] == [neutral(cell) for cell in nasty]
    assert not set(text) & set("\0\x1a")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Weekly newsletter", "outcomes-Weekly newsletter-run-1.csv"),
        ("서울 매장 오픈 안내", "outcomes-서울 매장 오픈 안내-run-1.csv"),
        ("../../etc/passwd\r\nX: 1", "outcomes-.. .. etc passwd X 1-run-1.csv"),
        ('a"b;c\u202egpj', "outcomes-a b c gpj-run-1.csv"),
        ("x" * 200, "outcomes-" + "x" * 60 + "-run-1.csv"),
        ("", "outcomes-run-1.csv"),
    ],
)
def test_a_file_is_named_after_its_export(title: str, shown: str) -> None:
    header = csv_response(b"", "outcomes", "run-1", title).headers["Content-Disposition"]
    assert header.startswith("attachment; filename=\"outcomes-run-1.csv\"; filename*=UTF-8''")
    assert unquote(header.partition("UTF-8''")[2]) == shown
    assert header.isascii()
    assert header.isprintable()


def test_each_download_has_the_name_of_its_export() -> None:
    world = World()
    export = new_export(world, displayName="서울 매장")
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
    world.runs.move(run, status=RunStatus.SUCCESSFUL)
    world.outcomes.kept = [OutcomeRow("C1", "a@b.example", (), "created", "", "")]
    for path, name in (
        (f"/api/runs/{run}/outcomes.csv", f"outcomes-서울 매장-{run}.csv"),
        (f"/api/exports/{export}/exclusions.csv", f"exclusions-서울 매장-{export}.csv"),
    ):
        answer = call(world, "GET", path)
        assert answer.status == 200, answer.body
        assert unquote(answer.headers["Content-Disposition"]).endswith(name)
