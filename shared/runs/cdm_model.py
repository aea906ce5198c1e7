"""The `model.json` of a folder in the Common Data Model that has one table of CSV files.

https://learn.microsoft.com/common-data-model/model-json
https://learn.microsoft.com/dynamics365/customer-insights/data/connect-common-data-model
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = ["CdmTable"]


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
