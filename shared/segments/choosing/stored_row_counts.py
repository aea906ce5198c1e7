"""Stores the row counts of files in one blob: reading it costs the same for one segment and for hundreds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import orjson

from shared.errors import NotFound
from shared.model.ports import Files

_BLOB = "segments/row-counts.json"
# About 400 KB. A file whose count is gone is counted again.
_MOST = 5_000


@dataclass(frozen=True)
class StoredRowCounts:
    """The stored counts. Two processes that write at the same time lose some of them."""

    files: Files

    def read(self) -> dict[str, int]:
        """The counts by the keys of their files."""
        try:
            found = orjson.loads(self.files.read(_BLOB))
        except (NotFound, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, counts: Mapping[str, int]) -> None:
        """Replace the counts; of very many, the last ones are kept."""
        first = max(0, len(counts) - _MOST)
        self.files.write(_BLOB, orjson.dumps(dict(islice(counts.items(), first, None))))
