"""The input of a plan: a run, its export as it is now, and the Mailchimp account behind it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.one_person import ChosenPerson
from shared.model.run import ADD_ARCHIVED, TAG_EXISTS, Mode, Run
from shared.planning.fingerprint import definition_fingerprint


@dataclass(frozen=True)
class PlanRequest:
    """A plan to make."""

    run: Run
    export: Export
    connection_id: str
    account_id: str
    # The only person to send, in a run of one person.
    person: ChosenPerson | None

    @property
    def is_preview(self) -> bool:
        """Whether nothing may be changed in Mailchimp."""
        return self.run.mode is Mode.PREVIEW

    @property
    def is_full(self) -> bool:
        """Whether people are sent although nothing changed, and everything is read again."""
        return self.run.mode is Mode.FULL

    @property
    def definition_fingerprint(self) -> str:
        """A fingerprint of the audience and of what the export sends, without the content of segments."""
        return definition_fingerprint(self.export)

    def is_of_audience(self, pointer: LedgerPointer) -> bool:
        """Whether a ledger is about the audience of the export."""
        return pointer.is_of(self.account_id, self.export.audience_id)

    @property
    def confirmed(self) -> tuple[str, ...]:
        """The codes that a person confirmed for the export as it is now; none if it was edited since."""
        is_unchanged = self.run.is_of_definition(self.definition_fingerprint)
        return self.run.confirmed if is_unchanged else ()

    @property
    def sends_unchanged(self) -> bool:
        """Whether people are sent although nothing changed, or Mailchimp refused them before."""
        return self.is_full or self.person is not None

    @property
    def takes_over_tags(self) -> bool:
        """Whether a person agreed to take over tags that were made outside the export."""
        return TAG_EXISTS in self.confirmed

    @property
    def adds_archived(self) -> bool:
        """Whether a person agreed to add contacts again that an undo archived."""
        return ADD_ARCHIVED in self.confirmed
