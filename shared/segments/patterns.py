"""Finds the files that match a partition pattern of a manifest.

A pattern is untrusted, and a regular expression can occupy a backtracking matcher for hours. DuckDB uses RE2,
which matches in linear time.
https://learn.microsoft.com/common-data-model/sdk/data-partition-patterns
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from shared.workspace import SqlFile, small_workspace

_LONGEST = 1_000
_SQL = SqlFile.of(__file__)


def matching(paths: Sequence[str], glob: str, expression: str) -> list[str]:
    """The paths (relative to the root of the pattern) that match a glob, or else an expression.

    The glob is used if both are given, as in Microsoft's SDK. Without either, and for an invalid expression,
    no path matches.
    """
    pattern = _from_glob(glob) if glob else expression
    if not paths or not 0 < len(pattern) <= _LONGEST:
        return []
    with small_workspace() as (connection, _):
        try:
            found = _SQL.rows(connection, "matching", paths=list(paths), pattern=pattern)
        except duckdb.Error:
            return []
    return [str(path) for (path,) in found]


def _from_glob(glob: str) -> str:
    parts = re.split(r"(\*\*|\*|\?)", glob)
    meant = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meant.get(part, re.escape(part)) for part in parts)
