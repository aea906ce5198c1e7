"""Fingerprints that tell whether anything is left to be sent.

Two runs with the same fingerprint read the same files with the same mapping for the same audience,
so the second has nothing to do unless the first left something undone.
"""

from __future__ import annotations

import hashlib
import json

from shared.exports.definition import Export, Mapping
from shared.exports.fields.merge_fields import chosen_fields
from shared.exports.source import Snapshot

__all__ = ["fields_mark", "mapping_mark", "settled_mark"]


def mapping_mark(export: Export) -> str:
    """A fingerprint of the mapping: where it changes, every row is sent again."""
    return fields_mark(export.mapping)


def fields_mark(mapping: Mapping) -> str:
    """The same of a mapping alone."""
    fields = [(c.attribute, c.tag.upper()) for c in chosen_fields(mapping)]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def settled_mark(export: Export, snapshot: Snapshot) -> str:
    """A fingerprint of all that decides what a run sends."""
    parts = [
        mapping_mark(export),
        export.mapping.email,
        export.audience_id,
        export.connection_id,
        export.new_contacts.status.value,
        export.new_contacts.consent_attribute,
        export.leavers.value,
        [(choice.name, choice.tag_name) for choice in export.segments],
        sorted(snapshot.etags.items()),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
