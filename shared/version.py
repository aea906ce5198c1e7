"""The version of the app, from pyproject.toml, and the name by which it calls other services."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).parent.parent / "pyproject.toml"

VERSION: str = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]
USER_AGENT = f"customer-insights-mailchimp-export/{VERSION}"
