"""The parts of the app that plans use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.capacity.on_demand import OnDemandSessions
from shared.model.audience import NotSubscribedPointer
from shared.model.export import Export
from shared.model.ports import Files, Records, SegmentSource
from shared.model.tag import TagOwner
from shared.people.erasures import Erasures
from shared.people.stored_contacts import StoredContacts


@dataclass(frozen=True)
class PlanDependencies:
    """The parts of the app that plans use, and the most people that a run may have."""

    exports: Records[Export]
    owners: Records[TagOwner]
    not_subscribed: Records[NotSubscribedPointer]
    contacts: StoredContacts
    erasures: Erasures
    segments: SegmentSource
    files: Files
    sessions: OnDemandSessions
    max_profiles: int
    now: Callable[[], datetime]
    token: Callable[[], str]
