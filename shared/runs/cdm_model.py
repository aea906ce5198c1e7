"""A table for Customer Insights: a folder in the Common Data Model with `model.json` and CSV files.

https://learn.microsoft.com/common-data-model/model-json
https://learn.microsoft.com/dynamics365/customer-insights/data/connect-common-data-model
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from shared.model.ports import Files, download_if_exists, repeat_if_changed
from shared.workspace import SqlFile, small_workspace

_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class CdmTable:
    """A table: its name, what it contains, and the names and types of its columns."""

    name: str
    description: str
    folder_description: str
    columns: Sequence[tuple[str, str]]

    def model(self, locations: Sequence[str], written: datetime) -> bytes:
        """Return a `model.json` that lists these CSV files, one partition each."""
        at = written.isoformat(timespec="seconds").replace("+00:00", "Z")
        partitions = [
            {
                "name": f"{self.name}_{number}",
                "refreshTime": at,
                "location": location,
                "fileFormatSettings": {
                    "$type": "CsvFormatSettings",
                    "columnHeaders": True,
                    "delimiter": ",",
                    "quoteStyle": "QuoteStyle.Csv",
                    "csvStyle": "CsvStyle.QuoteAlways",
                    "encoding": "UTF-8",
                },
            }
            for number, location in enumerate(locations, start=1)
        ]
        entity = {
            "$type": "LocalEntity",
            "name": self.name,
            "description": self.description,
            "attributes": [{"name": name, "dataType": kind} for name, kind in self.columns],
            "partitions": partitions,
        }
        model = {
            "name": self.name,
            "description": self.folder_description,
            "version": "1.0",
            "modifiedTime": at,
            "entities": [entity],
        }
        return json.dumps(model, indent=2).encode()

    def rewrite(self, files: Files, blob: str, change: Callable[[DuckDBPyConnection], int]) -> int:
        """Change the rows of a CSV file of this table, which are in the table `cdm_rows`.

        `change` returns the number of removed rows, and so does this method; with 0 the file stays as it is.
        """

        def rewrite() -> int:
            with small_workspace() as (db, folder):
                before, after = folder / "before.csv", folder / "after.csv"
                etag = download_if_exists(files, blob, before)
                if etag is None:
                    return 0
                columns = dict.fromkeys((name for name, _ in self.columns), "VARCHAR")
                _SQL.run(db, "read", file=str(before), columns=columns)
                removed = change(db)
                if removed:
                    _SQL.run(db, "write", file=str(after))
                    files.upload(after, blob, etag)
                return removed

        return repeat_if_changed(rewrite)
