"""What a plan is made for: a run, its export as it is now, and the Mailchimp account behind it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.export import Export
from shared.model.run import Mode, Run
from shared.planning.tags import TAG_EXISTS

__all__ = ["PlanRequest"]


@dataclass(frozen=True)
class PlanRequest:
    """A plan that is to be made."""

    run: Run
    export: Export
    connection_id: str
    account_id: str

    @property
    def only_looks(self) -> bool:
        """Whether nothing may be changed in Mailchimp."""
        return self.run.mode is Mode.PREVIEW

    @property
    def everything(self) -> bool:
        """Whether people are sent although nothing changed, and all is read anew."""
        return self.run.mode is Mode.FULL

    @property
    def takes_over(self) -> bool:
        """Whether a person agreed to take over tags that were made outside the export."""
        return TAG_EXISTS in self.run.confirmed
