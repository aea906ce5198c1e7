"""Sample people of a preview: what the run would send, beside what Mailchimp has now.

The same people are chosen in every attempt, spread over all by a hash of their address.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field

from shared.fields.evidence import EVIDENCE
from shared.finishing.shown_values import shown_values, value_text
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import MemberState
from shared.model.chunk import CONTACT_TAGS, ChunkKind
from shared.model.plan import Plan
from shared.model.preview import SampleField, SampleKind, SamplePerson
from shared.model.source import plain_name
from shared.sending.chunk_payload import ChunkPayload
from shared.sending.result import Person

_MOST_SAMPLES = 20
_KINDS = {ChunkKind.ADD: SampleKind.NEW, ChunkKind.UPDATE: SampleKind.CHANGED}
_Ranked = tuple[str, str, Person | None]


@dataclass
class Samples:
    """Collects sample people from the chunks of a plan, in their order: removals come last."""

    plan: Plan
    chosen: dict[SampleKind, list[_Ranked]] = field(default_factory=dict)
    removed: dict[str, set[str]] = field(default_factory=dict)
    # What happens to the contacts themselves: unsubscribe or archiveFormer.
    contacts: dict[str, ChunkKind] = field(default_factory=dict)
    # Everyone who is sent, as 64-bit hashes: a million take about 70 MB.
    sent: set[int] = field(default_factory=set)

    def add(self, payload: ChunkPayload) -> None:
        """Consider the people of a chunk."""
        tag_id = payload.chunk.tag_id
        if tag_id is None:
            kind = _KINDS.get(payload.chunk.kind, SampleKind.CHANGED)
            ranked: list[_Ranked] = [(_rank(p.address), p.address, p) for p in payload.people]
            self.sent.update(_short(rank) for rank, _, _ in ranked)
            self._keep(kind, ranked)
            return
        ranks = {address: _rank(address) for address in payload.addresses}
        leaving: list[_Ranked] = [
            (r, address, None) for address, r in ranks.items() if _short(r) not in self.sent
        ]
        self._keep(SampleKind.LEAVING, leaving)
        shown = [
            address
            for people in self.chosen.values()
            for _, address, _ in people
            if address in ranks
        ]
        if tag_id in CONTACT_TAGS:
            self.contacts.update(dict.fromkeys(shown, payload.chunk.kind))
            return
        name = self.plan.tag_names.get(tag_id, "")
        for address in shown:
            self.removed.setdefault(address, set()).add(name)

    def _keep(self, kind: SampleKind, people: list[_Ranked]) -> None:
        known = self.chosen.get(kind, [])
        present = {address for _, address, _ in known}
        more = [each for each in people if each[1] not in present]
        self.chosen[kind] = heapq.nsmallest(_MOST_SAMPLES, [*known, *more], key=lambda one: one[:2])

    def compare(self, session: MailchimpSession) -> list[SamplePerson]:
        """Read the chosen people from the audience, and return both sides."""
        found = []
        for kind, person in self._spread():
            state = session.member(self.plan.audience_id, person.address)
            found.append(self._compared(kind, person, state))
        return found

    def _spread(self) -> list[tuple[SampleKind, Person]]:
        """An equal number of each kind; other kinds fill up what one kind lacks."""
        queues = {kind: list(self.chosen.get(kind, ())) for kind in SampleKind}
        taken: list[tuple[SampleKind, Person]] = []
        while len(taken) < _MOST_SAMPLES and any(queues.values()):
            for kind, waiting in queues.items():
                if waiting and len(taken) < _MOST_SAMPLES:
                    _, address, person = waiting.pop(0)
                    taken.append((kind, person or Person(address, (), {})))
        return sorted(taken, key=lambda one: list(SampleKind).index(one[0]))

    def _compared(
        self, kind: SampleKind, person: Person, state: MemberState | None
    ) -> SamplePerson:
        before = shown_values(self.plan, state)
        tags = state.tags if state else ()
        lost = set(map(plain_name, self.removed.get(person.address, ())))
        have = set(map(plain_name, tags))
        after = [name for name in tags if plain_name(name) not in lost]
        after += [name for name in person.tags if plain_name(name) not in have]
        shown = sorted({*before, *person.fields})
        return SamplePerson(
            kind=kind,
            address=person.address,
            status=state.status if state else "",
            status_after=self._status_after(kind, person.address, state),
            fields=tuple(
                SampleField(
                    EVIDENCE.get(tag, tag),
                    value_text(before.get(tag)),
                    value_text(person.fields.get(tag, before.get(tag))),
                )
                for tag in shown
            ),
            tags=tuple(sorted(tags)),
            tags_after=tuple(sorted(after)),
        )

    def _status_after(self, kind: SampleKind, address: str, state: MemberState | None) -> str:
        """The status after the run, which unsubscribes and archives subscribers only."""
        if state is None:
            return "" if kind is SampleKind.LEAVING else self.plan.status
        change = self.contacts.get(address)
        if change is None or state.status != "subscribed":
            return state.status
        if change is ChunkKind.UNSUBSCRIBE:
            return "unsubscribed"
        own = {plain_name(tag.tag) for tag in self.plan.tags}
        by_others = set(map(plain_name, state.tags)) - own
        return state.status if by_others else "archived"


def _rank(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def _short(rank: str) -> int:
    return int(rank[:16], 16)
