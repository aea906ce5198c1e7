"""Sample people of a preview: what the run would send, beside what Mailchimp has now.

The same people are chosen in every attempt, spread over all by a hash of their address.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.model.audience import MemberState
from shared.model.chunk import CONTACT_TAGS, ChunkKind
from shared.model.plan import Plan
from shared.model.ports import MailchimpSession
from shared.model.preview import SampleField, SampleKind, SamplePerson
from shared.sending.chunk_payload import ChunkPayload
from shared.sending.write import Person

__all__ = ["MOST_SAMPLES", "Samples"]

MOST_SAMPLES = 20
_KINDS = {ChunkKind.ADD: SampleKind.NEW, ChunkKind.UPDATE: SampleKind.CHANGED}
_Ranked = tuple[str, str, Person | None]


@dataclass
class Samples:
    """Collects sample people from the chunks of a plan, in their order: removals come last."""

    plan: Plan
    chosen: dict[SampleKind, list[_Ranked]] = field(default_factory=dict)
    removed: dict[str, set[str]] = field(default_factory=dict)

    def add(self, payload: ChunkPayload) -> None:
        """Consider the people of a chunk."""
        tag_id = payload.chunk.tag_id
        if tag_id is None:
            kind = _KINDS.get(payload.chunk.kind, SampleKind.CHANGED)
            self._keep(kind, [(_rank(p.address), p.address, p) for p in payload.people])
        elif tag_id not in CONTACT_TAGS:
            self._remove(tag_id, payload.addresses)

    def _remove(self, tag_id: int, addresses: Iterable[str]) -> None:
        name = next((t.tag for t in self.plan.tags if t.tag_id == tag_id), "")
        sent = {
            address for people in self.chosen.values() for _, address, person in people if person
        }
        leaving: list[_Ranked] = []
        for address in addresses:
            if address in sent:
                self.removed.setdefault(address, set()).add(name)
            else:
                leaving.append((_rank(address), address, None))
        self._keep(SampleKind.LEAVING, leaving)
        for _, address, _ in self.chosen.get(SampleKind.LEAVING, ()):
            if address in addresses:
                self.removed.setdefault(address, set()).add(name)

    def _keep(self, kind: SampleKind, people: list[_Ranked]) -> None:
        known = self.chosen.get(kind, [])
        present = {address for _, address, _ in known}
        more = [each for each in people if each[1] not in present]
        self.chosen[kind] = heapq.nsmallest(MOST_SAMPLES, [*known, *more], key=lambda one: one[:2])

    def compare(self, session: MailchimpSession) -> list[SamplePerson]:
        """Read at most MOST_SAMPLES people from the audience, and return both sides."""
        found = []
        for kind, person in self._spread():
            state = session.member(self.plan.audience_id, person.address)
            found.append(self._compared(kind, person, state))
        return found

    def _spread(self) -> list[tuple[SampleKind, Person]]:
        """An equal number of each kind; what one kind lacks goes to the others."""
        queues = {kind: list(self.chosen.get(kind, ())) for kind in SampleKind}
        taken: list[tuple[SampleKind, Person]] = []
        while len(taken) < MOST_SAMPLES and any(queues.values()):
            for kind, waiting in queues.items():
                if waiting and len(taken) < MOST_SAMPLES:
                    _, address, person = waiting.pop(0)
                    taken.append((kind, person or Person(address, (), {}, (), ())))
        return sorted(taken, key=lambda one: list(SampleKind).index(one[0]))

    def _compared(
        self, kind: SampleKind, person: Person, state: MemberState | None
    ) -> SamplePerson:
        before: Mapping[str, object] = state.fields if state else {}
        tags = state.tags if state else ()
        lost = {name.casefold() for name in self.removed.get(person.address, ())}
        have = {name.casefold() for name in tags}
        after = [name for name in tags if name.casefold() not in lost]
        after += [name for name in person.tags if name.casefold() not in have]
        shown = sorted({*before, *person.fields})
        return SamplePerson(
            kind=kind,
            address=person.address,
            status=state.status if state else "",
            status_after=state.status if state else self.plan.status,
            fields=tuple(
                SampleField(
                    tag, _text(before.get(tag)), _text(person.fields.get(tag, before.get(tag)))
                )
                for tag in shown
            ),
            tags=tuple(sorted(tags)),
            tags_after=tuple(sorted(after)),
        )


def _rank(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part)
    return value if isinstance(value, str) else json.dumps(value)
