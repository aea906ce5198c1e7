"""Reads allowed.yml: the findings that the audit accepts, each with its reason.

A secret is listed by its SHA-256, so that the list contains no secret; an advisory by its id, with a
day after which it counts again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from pydantic import TypeAdapter

FILE = Path(__file__).with_name("allowed.yml")


@dataclass(frozen=True)
class AllowedSecret:
    """Something that looks like a secret but is not one."""

    sha256: str
    what: str
    why: str


@dataclass(frozen=True)
class AllowedAdvisory:
    """A known vulnerability that does not affect this app. It counts again after `until`."""

    id: str
    why: str
    until: date


@dataclass(frozen=True)
class Allowed:
    """All that is allowed."""

    secrets: tuple[AllowedSecret, ...] = ()
    advisories: tuple[AllowedAdvisory, ...] = ()

    def advisory_ids(self, today: date) -> set[str]:
        """The advisories that are allowed today."""
        return {one.id for one in self.advisories if today <= one.until}


def read_allowed(file: Path = FILE) -> Allowed:
    """Read the list. pydantic's ValidationError names what is missing."""
    return TypeAdapter(Allowed).validate_python(yaml.safe_load(file.read_text("utf-8")))


def sha256(secret: str) -> str:
    """Return the SHA-256 by which a secret is listed."""
    return hashlib.sha256(secret.encode()).hexdigest()
