"""Finds the files that match a partition pattern of a manifest.

A pattern is untrusted, and a regular expression can occupy a backtracking matcher for hours. DuckDB uses RE2,
which matches in linear time.
https://learn.microsoft.com/common-data-model/1.0om/api-reference/cdm/datapartitionpattern
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from shared.workspace import SqlFile, small_workspace

_LONGEST = 1_000
# In an expression, a plain point is any character.
_HIDDEN_IN_GLOB = re.compile(r"(?:^|[/\\])[_.]")
_HIDDEN_IN_EXPRESSION = re.compile(r"(?:^|/)\^?(?:_|\\\.)")
_SQL = SqlFile.of(__file__)


def matching_paths(paths: Sequence[str], glob: str, expression: str) -> list[str]:
    """The paths (relative to the root of the pattern) that match a glob, or else an expression.

    The glob is used if both are given, as in Microsoft's SDK. ValueError when there is neither, and for an expression
    that RE2 cannot read: without it, no path would match, and the segment would seem to be empty.
    """
    pattern = _from_glob(glob) if glob else expression
    if not 0 < len(pattern) <= _LONGEST:
        raise ValueError
    with small_workspace() as (connection, _):
        try:
            found = _SQL.rows(connection, "matching", paths=["", *paths], pattern=pattern)
        except duckdb.Error:
            raise ValueError from None
    return [str(path) for (path,) in found if path]


def matches_hidden(glob: str, expression: str) -> bool:
    """Whether a pattern itself has a name that begins with `_` or `.`, as hidden files do."""
    found = _HIDDEN_IN_GLOB.search(glob) if glob else _HIDDEN_IN_EXPRESSION.search(expression)
    return found is not None


def _from_glob(glob: str) -> str:
    """The expression for a glob. `**/` stands for any number of folders, also for none."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.replace("\\", "/"))
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meant.get(part, re.escape(part)) for part in parts)
