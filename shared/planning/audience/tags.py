"""The tags of an export: one for each segment, created or found before the first write, each with one owner.

Only tags that the export owns are changed. A tag that someone else made and that already has members
is never taken over silently: the run stops before its first write and asks. A tag that was renamed
in Mailchimp gets its name back, a deleted tag is created again, and a finding reports both.

Names are compared case-insensitively, as in Mailchimp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.errors import Changed, ConfigError, Conflict
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Tag
from shared.model.export import Export, SegmentChoice
from shared.model.ports import Records
from shared.model.run import Finding, Severity
from shared.model.tag import TagOwner, folded, owned_by_others, same_name, tags_of_audience


@dataclass(frozen=True)
class FoundTags:
    """The tags in the order of the export's segments.

    `foreign` names tags that exist, have members and are not ours; when there are any, nothing was
    created or taken over. `former_ids`: for each foreign tag whose name the export owns, the id of the tag before it
    was deleted. A call of a run may have created the tag again. Tags that do not exist yet have negative ids until they are created.
    `changes`: a tag must be created, renamed or recorded. `existing` are the ids of the audience's
    tags, without those that another export owns now: that export decides who has them.
    """

    tags: tuple[Tag, ...]
    findings: tuple[Finding, ...]
    foreign: tuple[str, ...]
    changes: bool = False
    existing: frozenset[int] = frozenset()
    former_ids: Mapping[str, int] = field(default_factory=dict)


def prepare_tags(
    session: MailchimpSession,
    owners: Records[TagOwner],
    export: Export,
    account_id: str,
    *,
    create: bool,
    take_over: Callable[[str], bool],
    still_uses: Callable[[str, str], bool],
) -> FoundTags:
    """Find or create the tag of every segment.

    With `create` false nothing is written. `take_over` returns whether the tag of others with a name may be taken over.
    `still_uses(export_id, tag_name)` returns whether another export still uses a tag it owns.
    ConfigError names a tag that belongs to another export, or whose name a saved segment has.
    """
    in_mailchimp = session.tags(export.audience_id)
    preparation = _TagPreparation(
        session, owners, export, account_id, in_mailchimp, create, take_over, still_uses
    )
    tags = tuple(preparation.find(choice) for choice in export.segments)
    if create and not preparation.foreign:
        tags = tuple(preparation.own(c, t) for c, t in zip(export.segments, tags, strict=True))
    return FoundTags(
        tags,
        tuple(preparation.findings),
        tuple(preparation.foreign),
        preparation.changes,
        frozenset(tag.id for tag in in_mailchimp)
        - owned_by_others(owners, export.id, account_id, export.audience_id),
        preparation.former_ids,
    )


@dataclass
class _TagPreparation:
    session: MailchimpSession
    owners: Records[TagOwner]
    export: Export
    account_id: str
    in_mailchimp: Sequence[Tag]
    create: bool
    take_over: Callable[[str], bool]
    still_uses: Callable[[str, str], bool]

    def __post_init__(self) -> None:
        self.findings: list[Finding] = []
        self.foreign: list[str] = []
        self.former_ids: dict[str, int] = {}
        self.changes = False
        self._missing = 0
        self._saved: set[str] | None = None

    def find(self, choice: SegmentChoice) -> Tag:
        """Return the tag as it is or as it will be created. Records it when someone else made it."""
        name = choice.tag_name
        by_name = next((t for t in self.in_mailchimp if same_name(t.name, name)), None)
        owner = self.owners.read(self._key(name))
        if owner is not None and owner.value.export_id != self.export.id:
            if self.still_uses(owner.value.export_id, name):
                raise ConfigError("tagOwnedByOtherExport", tag=name)
            owner = None
        ours = None
        if owner is not None:
            ours = next((t for t in self.in_mailchimp if t.id == owner.value.tag_id), None)
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
                self.foreign.append(name)
                if owner is not None and ours is None:
                    self.former_ids[name] = owner.value.tag_id
                return by_name
            self._warn("tagTakenOver", name)
        return by_name

    def own(self, choice: SegmentChoice, tag: Tag) -> Tag:
        """Create the tag when it does not exist, and record that the export owns it."""
        key = self._key(choice.tag_name)
        stored = self.owners.read(key)
        if (
            stored is not None
            and stored.value.export_id != self.export.id
            and self.still_uses(stored.value.export_id, choice.tag_name)
        ):
            raise _taken(choice)  # taken since `find`
        if tag.id < 0:
            try:
                tag = self.session.create_tag(self.export.audience_id, choice.tag_name)
            except Conflict:
                # Our own earlier attempt created it and its response was lost, or someone else
                # created it just now. It is empty, or the next attempt reports it.
                now = self.session.tags(self.export.audience_id)
                there = next((t for t in now if same_name(t.name, choice.tag_name)), None)
                if there is None or there.member_count > 0:
                    raise
                tag = there
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
        """Saved segments and tags share one set of names in an audience."""
        if self._saved is None:
            self._saved = {
                folded(one) for one in self.session.saved_segments(self.export.audience_id)
            }
        if folded(name) in self._saved:
            raise ConfigError("tagNameOfSegment", tag=name)

    def _warn(self, code: str, name: str) -> None:
        self.findings.append(Finding(Severity.WARNING, code, values={"tag": name}))

    def _key(self, name: str) -> str:
        digest = hashlib.sha256(folded(name).encode()).hexdigest()[:32]
        return f"{tags_of_audience(self.account_id, self.export.audience_id)}/{digest}"


def _taken(choice: SegmentChoice) -> ConfigError:
    return ConfigError("tagOwnedByOtherExport", tag=choice.tag_name)
