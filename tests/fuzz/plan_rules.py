"""The rules of the plan in plain Python, row by row, for comparison with the SQL.

Written from docs/tables.md and the comments of the rules, not from the SQL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.fields.address import BLANKS, address_fault, normal_address
from shared.model.ledger import MAX_TRIES

YES = {"yes", "y", "true", "t", "1", "on", "ja", "oui", "si", "sí", "예", "네", "동의"}
_LONGEST_ID = 500
MALFORMED = "addressMalformed"


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
        """Return a valid id, or None."""
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
    """Return the people of a segment, and the outcomes of the other rows."""

    winners: dict[str, Row] = field(default_factory=dict)
    masks: dict[str, int] = field(default_factory=dict)
    shared: Counter[tuple[str, str | None, int]] = field(default_factory=Counter)
    rejects: Counter[tuple[int, str | None, str | None, int, str]] = field(default_factory=Counter)


def people_of(rows: Iterable[Row]) -> People:
    """One person for each address: the lowest id, then the first segment, then the first row."""
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
            # Without ids, the n-th such rows of each segment are one profile.
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
    """Return the tags of a person in these segments."""
    return sorted({tag for seg, tag in enumerate(tag_ids) if mask >> seg & 1})


@dataclass(frozen=True)
class Change:
    """What happens to a person."""

    kind: str
    code: str | None
    customer_id: str | None
    tags: tuple[int, ...] | None
    removed: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """Everything that decides about people: rows, ledger, statuses, settings of the run."""

    rows: Sequence[Row]
    known: Mapping[str, Known]
    statuses: Mapping[str, str]
    tag_ids: Sequence[int]
    new_status: str
    with_consent: bool
    everything: bool
    ask_again: bool
    remove_tags: bool

    def _addresses_of(self, profile: str) -> set[str]:
        found = {a for a, each in self.known.items() if each.customer_id == profile}
        rows = (row for row in self.rows if row.profile == profile)
        return found | {a for row in rows if (a := normal_address(row.email))}

    def _profiles_of(self, address: str) -> set[str]:
        rows = (row for row in self.rows if normal_address(row.email) == address)
        known = self.known.get(address)
        profiles = {row.profile for row in rows} | {known.customer_id if known else None}
        return {profile for profile in profiles if profile is not None}

    def _decision(self, address: str) -> str | None:
        """What a person decided under an address."""
        status = self.statuses.get(address)
        known = self.known.get(address)
        found = []
        if status == "unsubscribed" or (status == "pending" and self.new_status != "pending"):
            found.append(status)
        if known and known.refused_code in ("complianceState", "forgotten"):
            found.append(known.refused_code)
        return min(found, default=None)

    def _says_no(self, row: Row) -> bool:
        return self.with_consent and (row.consent or "").strip(BLANKS).lower() not in YES

    def withdrawn(self, address: str) -> bool:
        """Whether the consent attribute is false for an address or one of its people."""
        profiles = self._profiles_of(address)
        return any(
            self._says_no(row) and (normal_address(row.email) == address or row.profile in profiles)
            for row in self.rows
        )

    def do_not_send(self, address: str) -> str | None:
        """Why an address gets nothing, if so."""
        status, known = self.statuses.get(address), self.known.get(address)
        sent = bool(known and known.fingerprint is not None)
        if status and not (status == "transactional" and sent):
            return status
        decisions = [
            decision
            for profile in self._profiles_of(address)
            for other in self._addresses_of(profile) - {address}
            if (decision := self._decision(other))
        ]
        if decisions:
            return min(decisions)
        if self.withdrawn(address):
            return "consentWithdrawn" if sent else "noConsent"
        return None

    def change(
        self, person: Row | None, mask: int, fingerprint: str, address: str
    ) -> Change | None:
        """What happens to one address; None if nothing does."""
        known = self.known.get(address)
        tags = tags_of(mask, self.tag_ids) if person else None
        carried = list(known.tags) if known else []
        keep = set(tags or [])
        if known and known.customer_id is not None:
            for row in self.rows:
                if row.profile == known.customer_id and address_fault(row.email) == MALFORMED:
                    keep.add(self.tag_ids[row.seg])
        removed = [tag for tag in carried if tag not in keep] if self.remove_tags else []
        if self.withdrawn(address):
            removed = carried
        if person is None:
            if not removed or known is None:
                return None
            return Change("left", None, known.customer_id, None, tuple(removed))
        code = self.do_not_send(address)
        sent = known.fingerprint if known else None
        kind = "update"
        if code:
            kind = "kept"
        elif (
            known
            and not self.ask_again
            and known.refused == fingerprint
            and (known.tries == 0 or known.tries >= MAX_TRIES)
        ):
            kind, code = "rejected", known.refused_code
        elif sent is None:
            kind = "add"
        elif (
            not self.everything
            and sent == fingerprint
            and carried
            and set(tags or []) <= set(carried)
        ):
            kind = "unchanged"
        return Change(kind, code, person.profile, tuple(tags or []), tuple(removed))
