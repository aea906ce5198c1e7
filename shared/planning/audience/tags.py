"""The tags of an export: one for each segment, created or found before the first write, each with one owner.

Only tags that the export owns are changed. A tag that someone else made and that already has members
is never taken over silently: the run stops before its first write and asks. A tag that was renamed
in Mailchimp gets its name back, a deleted tag is created again, and a finding reports both.

Names are compared as in shared/model/tag.py.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.errors import Changed, ConfigError, Conflict
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Tag
from shared.model.export import Export, SegmentChoice
from shared.model.finding import Finding, Severity
from shared.model.ports import Records, Stored
from shared.model.source import plain_name
from shared.model.tag import TagOwner, owned_by_others, same_name, tags_of_audience


@dataclass(frozen=True)
class FoundTags:
    """The tags in the order of the export's segments.

    `foreign` has the ids, by name, of tags that exist, have members and are not ours; when there are any, nothing was
    created or taken over. `former_ids`: for each foreign tag whose name the export owns, the id of the tag before it
    was deleted. A call of a run may have created the tag again. Tags that do not exist yet have negative ids until they are created.
    `changes`: a tag must be created, renamed or recorded. `existing` has the names, by id, of the audience's
    tags, without those that another export owns now: that export decides who has them. `taken_over_ids` are the ids of tags that
    others made and that the run takes over.
    """

    tags: tuple[Tag, ...]
    findings: tuple[Finding, ...]
    foreign: Mapping[str, int]
    changes: bool
    existing: Mapping[int, str]
    former_ids: Mapping[str, int]
    taken_over_ids: tuple[int, ...]


@dataclass
class TagPreparation:
    """Finds or creates the tag of every segment of an export.

    With `create` false nothing is written. `take_over` returns whether the tag of others with a name may be taken over.
    `still_uses(export_id, tag_name)` returns whether another export still uses a tag it owns.
    """

    session: MailchimpSession
    owners: Records[TagOwner]
    export: Export
    account_id: str
    create: bool
    take_over: Callable[[str], bool]
    still_uses: Callable[[str, str], bool]

    def __post_init__(self) -> None:
        self.findings: list[Finding] = []
        self.foreign: dict[str, int] = {}
        self.former_ids: dict[str, int] = {}
        self.taken_over_ids: list[int] = []
        self.changes = False
        self._missing = 0
        self._saved: set[str] | None = None
        self._in_mailchimp: Sequence[Tag] = ()

    def prepare(self) -> FoundTags:
        """Find the tags, and create those that are missing.

        ConfigError names a tag that belongs to another export, or whose name a saved segment has.
        """
        export, self._in_mailchimp = self.export, self.session.tags(self.export.audience_id)
        tags = tuple(map(self._find, export.segments))
        if self.create and not self.foreign:
            tags = tuple(map(self._create_and_record, export.segments, tags))
        of_others = owned_by_others(self.owners, export.id, self.account_id, export.audience_id)
        return FoundTags(
            tags,
            tuple(self.findings),
            self.foreign,
            self.changes,
            {tag.id: tag.name for tag in self._in_mailchimp if tag.id not in of_others},
            self.former_ids,
            tuple(self.taken_over_ids),
        )

    def _find(self, choice: SegmentChoice) -> Tag:
        """Return the tag as it is or as it will be created. Records it when someone else made it."""
        name = choice.tag_name
        by_name = _named(self._in_mailchimp, name)
        owner = self._owner(name)
        if owner is not None and owner.value.export_id != self.export.id:
            if self.still_uses(owner.value.export_id, name):
                raise ConfigError("tagOwnedByOtherExport", tag=name)
            owner = None
        ours = None
        if owner is not None:
            ours = next((t for t in self._in_mailchimp if t.id == owner.value.tag_id), None)
            if ours is not None and same_name(ours.name, name):
                return ours
            self.changes = True
            if ours is not None and by_name is None:
                return self._rename(ours, name)
            if by_name is None:
                self._warn("tagRecreated", name)
                return self._new(name)
        self.changes = True
        if by_name is None:
            return self._new(name)
        # The count has active subscribers only.
        if by_name.member_count > 0 or any(
            self.session.members_with_tag(self.export.audience_id, by_name.id)
        ):
            if not self.take_over(name):
                self.foreign[name] = by_name.id
                if owner is not None and ours is None:
                    self.former_ids[name] = owner.value.tag_id
                return by_name
            self._warn("tagTakenOver", name)
            self.taken_over_ids.append(by_name.id)
        return by_name

    def _create_and_record(self, choice: SegmentChoice, tag: Tag) -> Tag:
        """Create the tag when it does not exist, and record that the export owns it."""
        stored = self._owner(choice.tag_name)
        key = stored.key if stored is not None else self._keys(choice.tag_name)[0]
        if (
            stored is not None
            and stored.value.export_id != self.export.id
            and self.still_uses(stored.value.export_id, choice.tag_name)
        ):
            raise _taken(choice)  # taken since `_find`
        if tag.id < 0:
            try:
                tag = self.session.create_tag(self.export.audience_id, choice.tag_name)
            except Conflict:
                # Our own earlier attempt created it and its response was lost, or someone else
                # created it just now. It is empty, or the next attempt reports it.
                tags = self.session.tags(self.export.audience_id)
                existing = _named(tags, choice.tag_name)
                if existing is None or existing.member_count > 0:
                    raise
                tag = existing
        mine = TagOwner(self.export.id, choice.name, tag.id)
        try:
            if stored is None:
                self.owners.create(key, mine)
            elif stored.value != mine:
                self.owners.replace(key, mine, stored.etag)
        except (Conflict, Changed) as taken:
            again = self.owners.read(key)
            if again is None or again.value != mine:  # planners of one run write the same
                raise _taken(choice) from taken
        return tag

    def _new(self, name: str) -> Tag:
        self._refuse_saved(name)
        self._missing += 1
        return Tag(-self._missing, name, 0)

    def _rename(self, tag: Tag, name: str) -> Tag:
        self._refuse_saved(name)
        self._warn("tagRenamedBack", name)
        if not self.create:
            return replace(tag, name=name)
        return self.session.rename_tag(self.export.audience_id, tag.id, name)

    def _refuse_saved(self, name: str) -> None:
        """ConfigError if a saved segment has the name: saved segments and tags share one set of names in an audience."""
        if self.create:
            return  # checked when the audience was read; if one was added since, Mailchimp refuses the name
        if self._saved is None:
            self._saved = {
                plain_name(one) for one in self.session.saved_segments(self.export.audience_id)
            }
        if plain_name(name) in self._saved:
            raise ConfigError("tagNameOfSegment", tag=name)

    def _warn(self, code: str, name: str) -> None:
        self.findings.append(Finding(Severity.WARNING, code, values={"tag": name}))

    def _owner(self, name: str) -> Stored[TagOwner] | None:
        """Return the record of the owner of a tag."""
        return next(filter(None, map(self.owners.read, self._keys(name))), None)

    def _keys(self, name: str) -> list[str]:
        """Return the keys of the records of a tag, of the name as it is written first.

        Earlier versions took the Unicode forms of a name for different tags, with a record each.
        """
        forms = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
        digests = (hashlib.sha256(f.strip().casefold().encode()).hexdigest()[:32] for f in forms)
        tags = tags_of_audience(self.account_id, self.export.audience_id)
        return list(dict.fromkeys(f"{tags}/{digest}" for digest in digests))


def _named(tags: Sequence[Tag], name: str) -> Tag | None:
    """Return the tag with this name, the one that is written in the same way if there are several."""
    same = [tag for tag in tags if same_name(tag.name, name)]
    return next((tag for tag in same if tag.name == name), next(iter(same), None))


def _taken(choice: SegmentChoice) -> ConfigError:
    return ConfigError("tagOwnedByOtherExport", tag=choice.tag_name)
