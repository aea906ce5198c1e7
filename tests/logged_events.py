"""The events that the app logs, as tests read them."""

import json
from typing import Any

import pytest


def logged_events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The captured events, oldest first.

    Other loggers write into the same capture at any time, also those of libraries that a finished test has left running.
    """
    return [
        json.loads(record.getMessage())
        for record in caplog.records
        if record.name == "shared.events"
    ]
