"""The plan's rules once more, in plain Python and row by row: what the SQL is compared with.

Written from the docstrings of shared/exports/plan, not from its SQL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.fields.contact import address_fault, normal_address
from shared.model.ledger import MAX_TRIES

YES = {"yes", "y", "true", "t", "1", "on", "ja", "oui", "si", "sí", "예", "네", "동의"}
_LONGEST_ID = 500


@dataclass(frozen=True)
class Row:
    """A source row."""

    seg: int
    line: int
    email: str | None
    id: str | None
    fields: tuple[str | None, ...] = ()
    consent: str | None = None

    @property
    def profile(self) -> str | None:
        """The id, unless it is none."""
        return self.id if self.id is not None and len(self.id.encode()) <= _LONGEST_ID else None


@dataclass(frozen=True)
class Known:
    """A row of the ledger."""

    address: str
    customer_id: str | None
    fingerprint: str | None
    tags: tuple[int, ...] = ()
    refused: str | None = None
    refused_code: str | None = None
    tries: int = 0


@dataclass
class People:
    """Everybody who is in a segment, and what became of the other rows."""

    winners: dict[str, Row] = field(default_factory=dict)
    masks: dict[str, int] = field(default_factory=dict)
    shared: Counter[tuple[str, str | None, int]] = field(default_factory=Counter)
    rejects: Counter[tuple[int, str | None, str | None, int, str]] = field(default_factory=Counter)


def people_of(rows: Iterable[Row]) -> People:
    """One person an address: the lowest id, then the first segment, then the first row."""
    found = People()
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        fault = address_fault(row.email)
        if fault:
            shown = row.email[:300] if row.email is not None else None
            found.rejects[(row.seg, row.profile, shown, row.line, fault)] += 1
        else:
            groups[normal_address(row.email) or ""].append(row)
    for address, group in groups.items():
        found.winners[address] = min(group, key=lambda r: (r.profile or "", r.seg, r.line))
        for row in group:
            found.masks[address] = found.masks.get(address, 0) | 1 << row.seg
        _share(found, address, group)
    return found


def _share(found: People, address: str, group: Sequence[Row]) -> None:
    ids = {row.profile for row in group if row.profile is not None}
    if len(ids) < 2 and len(group) <= found.masks[address].bit_count():
        return  # one profile, a row a segment
    nameless: Counter[int] = Counter()
    masks: dict[tuple[str, str | int], int] = defaultdict(int)
    winner = None
    for row in sorted(group, key=lambda r: r.line):
        if row.profile is None:
            # Nothing tells them apart but their place: the n-th of each segment are one profile.
            nameless[row.seg] += 1
            key: tuple[str, str | int] = ("row", nameless[row.seg])
        else:
            key = ("id", row.profile)
        masks[key] |= 1 << row.seg
        if row is found.winners[address]:
            winner = key
    for key, mask in masks.items():
        if key != winner:
            found.shared[(address, str(key[1]) if key[0] == "id" else None, mask)] += 1


def tags_of(mask: int, tag_ids: Sequence[int]) -> list[int]:
    """The tags of somebody who is in these segments."""
    return sorted({tag for seg, tag in enumerate(tag_ids) if mask >> seg & 1})


@dataclass(frozen=True)
class Change:
    """What is to happen with a person."""

    kind: str
    code: str | None
    customer_id: str | None
    tags: tuple[int, ...] | None
    lost: tuple[int, ...]


def change(
    person: Row | None,
    mask: int,
    print_: str,
    known: Known | None,
    held: str | None,
    tag_ids: Sequence[int],
    *,
    consent: bool,
    everything: bool,
    again: bool,
    remove: bool,
) -> Change | None:
    """What is to happen with one address; None for somebody who does not matter."""
    tags = tags_of(mask, tag_ids) if person else None
    had = list(known.tags) if known else []
    lost = [tag for tag in had if tag not in (tags or [])] if remove else []
    if person is None:
        if not lost or known is None:
            return None
        return Change("left", None, known.customer_id, None, tuple(lost))
    agreed = not consent or (person.consent or "").strip(" ").lower() in YES
    code = None
    kind = "update"
    sent = known.fingerprint if known else None
    if held:
        kind, code = "kept", held
    elif (
        known
        and not again
        and known.refused == print_
        and (known.tries == 0 or known.tries >= MAX_TRIES)
    ):
        kind, code = "rejected", known.refused_code
    elif sent is None:
        kind, code = ("add", None) if agreed else ("kept", "noConsent")
    elif not everything and sent == print_ and had and set(tags or []) <= set(had):
        kind = "unchanged"
    return Change(kind, code, person.profile, tuple(tags or []), tuple(lost))
