"""Create, change, duplicate, detach and remove export definitions.

A tag of an audience belongs to one export: two exports with the same tag would remove it from each other's
members. Names of tags are compared as in model/tag.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import Changed, ConfigError, Conflict, Fault, NotFound
from shared.exports.draft import Draft
from shared.exports.validation import LONGEST_TAG, faults
from shared.fields.definition_findings import definition_findings
from shared.model.export import Export, SegmentChoice
from shared.model.finding import Finding, Severity
from shared.model.ports import Records, Stored, readable
from shared.model.source import composed, plain_name

_TRIES = 5
# If two requests took the same tag, one of them waits until the other one has undone its write. Seconds before each check.
_WAITS = (0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Definitions:
    """Reads and changes export definitions.

    `is_busy` returns whether a run of an export is active; `now` returns UTC times;
    `delete_data` deletes what belonged to a removed export; `sleep` takes seconds.
    """

    exports: Records[Export]
    is_busy: Callable[[str], bool]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    delete_data: Callable[[str], object]
    sleep: Callable[[float], object]

    def read(self, export_id: str) -> Stored[Export]:
        """Read a definition. NotFound when it does not exist."""
        stored = self.exports.read(export_id)
        if stored is None:
            raise NotFound("exportNotFound")
        return stored

    def find(self, export_id: str) -> Export | None:
        """Read a definition that may have been removed."""
        stored = self.exports.read(export_id)
        return stored.value if stored else None

    def all(self) -> list[Stored[Export]]:
        """Read all definitions, sorted by name."""
        return sorted(readable(self.exports.all()), key=lambda stored: stored.value.sort_key)

    def create(
        self,
        draft: Draft,
        by: str,
        connections: Collection[str],
        before_write: Callable[[str], object] = lambda _: None,
    ) -> Stored[Export]:
        """Create an export with a new id, with which `before_write` is called.

        ConfigError lists all faults; Conflict names the export that owns a tag already.
        """
        _refuse_faults(draft, connections)
        now = self.now()
        export = replace(
            draft.export,
            id=self.new_id(),
            created_at=now,
            created_by=by,
            updated_at=now,
            updated_by=by,
        )
        self._refuse_taken_tags(export)
        before_write(export.id)
        stored = self.exports.create(export.id, export)
        try:
            self._refuse_tags_taken_meanwhile(export)
        except Conflict:
            self.exports.delete(export.id)
            raise
        return stored

    def change(
        self,
        export_id: str,
        draft: Draft,
        by: str,
        connections: Collection[str],
        etag: str | None = None,
    ) -> Stored[Export]:
        """Change a definition. ConfigError lists all faults; Changed when `etag` no longer matches."""
        before = self.read(export_id).value
        export = _with_stored_tags(draft.export, before)
        # The current connection may stay, even if it is no longer shared with the caller.
        current_connection = {before.connection_id} if before.connection_id else set()
        _refuse_faults(replace(draft, export=export), {*connections, *current_connection})

        def changed(current: Export) -> Export:
            return replace(
                export,
                id=current.id,
                created_at=current.created_at,
                created_by=current.created_by,
            )

        has_same_tags = export.audience_id == before.audience_id and _tags(export) == _tags(before)
        if has_same_tags:
            # Each check reads all exports, and a person may change the schedule of thousands at once.
            return self._write(export_id, changed, by, etag)
        self._refuse_taken_tags(replace(export, id=export_id))
        stored = self._write(export_id, changed, by, etag)
        try:
            self._refuse_tags_taken_meanwhile(stored.value)
        except Conflict:
            self.exports.replace(export_id, before, stored.etag)
            raise
        return stored

    def duplicate(
        self,
        export_id: str,
        by: str,
        suffix: str,
        before_write: Callable[[str], object] = lambda _: None,
    ) -> Stored[Export]:
        """Copy an export under a new name, with its schedule switched off.

        The tags of the copy get the suffix too, because a tag belongs to one export. `before_write` is called with the
        id of the copy.
        """
        original = self.read(export_id).value
        exports = self._to_audience(original.audience_id)
        taken = {tag for export in exports for tag in _tags(export)}
        number = 1
        while True:
            ending = f" ({suffix})" if number == 1 else f" ({suffix} {number})"
            copied = tuple(
                replace(s, tag=s.tag_name[: LONGEST_TAG - len(ending)] + ending)
                for s in original.segments
            )
            if not taken & {plain_name(segment.tag_name) for segment in copied}:
                break
            number += 1
        copy = replace(
            original,
            display_name=original.display_name[: 200 - len(ending)] + ending,
            segments=copied,
            schedule=replace(original.schedule, enabled=False),
        )
        connections = [copy.connection_id] if copy.connection_id else []
        return self.create(Draft(copy), by, connections, before_write)

    def detach(self, export_id: str, by: str, etag: str | None = None) -> Stored[Export]:
        """Remove the connection from an export, which stops until it has another."""
        self.refuse_busy(self.read(export_id).value)
        return self._write(export_id, lambda e: replace(e, connection_id=None), by, etag)

    def remove(
        self,
        export_id: str,
        etag: str | None = None,
        removed: Callable[[Export], object] = lambda _: None,
    ) -> None:
        """Remove an export. Its contacts and tags stay in Mailchimp.

        `removed` is called before the data of the export is deleted, which may fail: the timer deletes it then.
        """
        stored = self.read(export_id)
        self.refuse_busy(stored.value)
        try:
            self.exports.delete(export_id, etag)
        except Changed:
            raise Changed("exportChanged") from None
        removed(stored.value)
        self.delete_data(export_id)

    def using(self, connection_id: str, *, complete: bool = False) -> list[Export]:
        """Return the exports that use a connection, sorted by name.

        An export that this version cannot read is ignored, or an error with `complete`.
        """
        stored = self.exports.all() if complete else readable(self.exports.all())
        found = [s.value for s in stored if s.value.connection_id == connection_id]
        return sorted(found, key=lambda export: export.sort_key)

    def refuse_busy(self, export: Export) -> None:
        """Raise Conflict while a run of the export is active."""
        if self.is_busy(export.id):
            raise Conflict("exportRunning", export=export.display_name)

    def _to_audience(self, audience_id: str) -> Iterator[Export]:
        """The exports to an audience."""
        # An export that this version cannot read is ignored: a run checks the owner of each tag again.
        exports = (stored.value for stored in readable(self.exports.all()))
        return (export for export in exports if export.audience_id == audience_id)

    def _refuse_tags_taken_meanwhile(self, export: Export) -> None:
        """Raise Conflict if another request took a tag between the check and the write.

        If two requests write at the same moment, such as those of a double click, each one finds the export of the other.
        The export with the smaller id stays, and the write of the other one is undone. Without this rule, both would be undone.
        """
        for seconds in _WAITS:
            others = self._with_same_tags(export)
            if not others:
                return
            if min(other.id for other in others) < export.id:
                break
            self.sleep(seconds)
        self._refuse_taken_tags(export)

    def _with_same_tags(self, export: Export) -> list[Export]:
        """The other exports to the audience that have a tag of this export."""
        tags = _tags(export)
        exports = self._to_audience(export.audience_id)
        return [other for other in exports if other.id != export.id and tags & _tags(other)]

    def _refuse_taken_tags(self, export: Export) -> None:
        found: list[Fault] = []
        for other in self._with_same_tags(export):
            owned = _tags(other)
            for index, segment in enumerate(export.segments):
                if plain_name(segment.tag_name) in owned:
                    values = {"tag": segment.tag_name, "export": other.display_name}
                    found.append(Fault(f"segments[{index}].tag", code="tagTaken", values=values))
        if found:
            first = found[0].values
            raise Conflict("tagTaken", faults=found, tag=first["tag"], export=first["export"])

    def _write(
        self, export_id: str, change: Callable[[Export], Export], by: str, etag: str | None
    ) -> Stored[Export]:
        for _ in range(_TRIES):
            stored = self.read(export_id)
            if etag is not None and stored.etag != etag:
                break
            new = replace(change(stored.value), updated_at=self.now(), updated_by=by)
            try:
                return self.exports.replace(export_id, new, stored.etag)
            except Changed:
                continue
        raise Changed("exportChanged")


def export_findings(
    export: Export, exports: Iterable[Export], plain: Iterable[str]
) -> tuple[Finding, ...]:
    """Return findings about an export and the others: segments and fields that two of them send.

    `plain` are the names of its segments that no `model.json` lists (see definition_findings).
    """
    exports = list(exports)
    shared = (
        Finding(
            Severity.WARNING,
            "segmentShared",
            values={"segment": segment.name, "export": other.display_name},
        )
        for other in exports
        if other.audience_id == export.audience_id and other.id != export.id
        for segment in export.segments
        if segment.name in {choice.name for choice in other.segments}
    )
    return (*shared, *definition_findings(export, exports, plain))


def _refuse_faults(draft: Draft, connections: Collection[str]) -> None:
    if found := faults(draft, connections):
        raise ConfigError("exportFaults", faults=found)


def _tags(export: Export) -> set[str]:
    return {plain_name(segment.tag_name) for segment in export.segments}


def _with_stored_tags(changed: Export, before: Export) -> Export:
    """Keep the spelling of each tag whose Unicode form alone would change.

    Versions up to 1.0 took the other form for another tag, and would create a second one that looks the same.
    """
    stored_tags = {composed(segment.name): segment.tag_name for segment in before.segments}

    def with_stored_tag(segment: SegmentChoice) -> SegmentChoice:
        tag, stored = segment.tag_name, stored_tags.get(composed(segment.name), "")
        differs_in_form = tag != stored and composed(tag) == composed(stored)
        return replace(segment, tag=stored) if differs_in_form else segment

    return replace(changed, segments=tuple(map(with_stored_tag, changed.segments)))
