"""Count the values that do not fit their merge field, and report them by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.fields.evidence import EVIDENCE, is_evidence
from shared.model.audience import DELETED_FIELD, MergeField
from shared.model.finding import Finding, Severity


@dataclass
class DroppedValues:
    """Counts values of the people of a run, both by merge tag: `dropped` those that do not fit, `given` all."""

    merge_fields: Sequence[MergeField]
    dropped: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)

    @property
    def required(self) -> set[str]:
        """The tags of the required merge fields, in upper case."""
        return {each.tag.upper() for each in self.merge_fields if each.required}

    def findings(self) -> list[Finding]:
        """A finding per field: a warning when at least half of the values do not fit."""
        types = {each.tag.upper(): each.type for each in self.merge_fields}
        required = self.required
        return [
            _deleted_field(tag, number)
            if types.get(tag.upper()) == DELETED_FIELD
            else Finding(
                Severity.WARNING if 2 * number >= self.given[tag] else Severity.INFO,
                "valuesDropped",
                values={
                    "field": EVIDENCE.get(tag, tag),
                    "type": "evidence" if is_evidence(tag) else types.get(tag.upper(), "text"),
                    "required": "yes" if tag in required else "no",
                    "dropped": str(number),
                    "people": str(max(number, self.given[tag])),
                },
            )
            for tag, number in sorted(self.dropped.items())
        ]


def _deleted_field(tag: str, values: int) -> Finding:
    return Finding(
        Severity.WARNING, "mergeFieldDeleted", values={"field": tag, "values": str(values)}
    )
