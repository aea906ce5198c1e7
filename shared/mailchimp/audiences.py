"""Accounts, audiences, merge fields and tags.

Lists are read completely (the default page has 10 items). Names are compared case-insensitively and
as a whole: Mailchimp compares them the same way, but its tag search matches prefixes.
https://mailchimp.com/developer/marketing/api/lists/
https://mailchimp.com/developer/marketing/api/list-merges/
https://mailchimp.com/developer/marketing/api/list-segments/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from shared.errors import ConfigError, Conflict, Disconnected, NotFound, Refused, Unavailable
from shared.fields.merge_fields import proper_tag
from shared.mailchimp.calls import Calls, audience_path, within
from shared.mailchimp.response_values import list_in, object_in, text_in, total_in, whole_number_in
from shared.model.audience import (
    MERGE_FIELD_LIMITS,
    Account,
    Audience,
    Automation,
    MergeField,
    Tag,
)
from shared.model.source import plain_name
from shared.model.tag import same_name

T = TypeVar("T")

PAGE = 1000
# More pages than any audience has fields or tags, or any account has audiences.
_MOST_PAGES = 100
# What is read of a merge field.
_FIELD_PARTS = ("merge_id", "tag", "name", "type", "required", "options")


class AudienceCalls(Calls):
    """Calls about the account, its audiences, their merge fields and tags."""

    def ping(self) -> None:
        """Check that the grant works. Disconnected when it does not."""
        self._transport.get("/ping")

    def account(self) -> Account:
        """Read the account of the grant."""
        answer = self._transport.get("/", {"fields": "account_id,account_name,role"})
        return Account(
            text_in(answer, "account_id"), text_in(answer, "account_name"), text_in(answer, "role")
        )

    def audiences(self) -> list[Audience]:
        """Read all audiences of the account."""
        wanted = "lists.id,lists.name,lists.double_optin,lists.stats.member_count,total_items"
        return [_audience(item) for item in self._all("/lists", "lists", {"fields": wanted})]

    def audience(self, audience_id: str) -> Audience:
        """Read an audience. NotFound when it does not exist."""
        query = {"fields": "id,name,double_optin,stats.member_count"}
        with within(audience_id) as path:
            found = _audience(self._transport.get(path, query))
        if found.id != audience_id:
            raise Unavailable("answerBroken")
        return found

    def merge_fields(self, audience_id: str) -> list[MergeField]:
        """Read all merge fields of an audience, except the address."""
        fields = ",".join(f"merge_fields.{name}" for name in _FIELD_PARTS) + ",total_items"
        with within(audience_id) as path:
            found = self._all(f"{path}/merge-fields", "merge_fields", {"fields": fields})
        return [_merge_field(item) for item in found]

    def merge_field(self, audience_id: str, field_id: int) -> MergeField | None:
        """Read a merge field; None when it does not exist."""
        try:
            found = self._transport.get(
                f"{audience_path(audience_id)}/merge-fields/{int(field_id)}",
                {"fields": ",".join(_FIELD_PARTS)},
            )
        except NotFound:
            return None
        return _merge_field(found)

    def create_merge_field(
        self, audience_id: str, tag: str, name: str, field_type: str
    ) -> MergeField:
        """Create a merge field, or return the existing one with that name and type.

        The tag is normalized: at most 10 characters of A-Z, 0-9 and _, and unique. ConfigError when
        Mailchimp refuses the field, usually because the audience has the maximum of 30 (80 on the largest
        plan).
        """
        present = self.merge_fields(audience_id)
        while True:
            found = _same(present, name, field_type)
            if found:
                return found
            free_tag = proper_tag(tag or name, [field.tag for field in present])
            described = {"tag": free_tag, "name": name, "type": field_type}
            body = {**described, "required": False, "public": False}

            def create(body: Mapping[str, object] = body) -> MergeField:
                with within(audience_id) as path:
                    made = self._transport.write("POST", f"{path}/merge-fields", body, resend=False)
                return _merge_field(made)

            try:
                return _created(
                    create, lambda: _same(self.merge_fields(audience_id), name, field_type)
                )
            except Refused as error:
                if isinstance(error, Disconnected):
                    raise
                # Someone may have created it, or taken its tag, since the fields were read.
                before, present = present, self.merge_fields(audience_id)
                if len(present) > len(before):
                    continue
                # Mailchimp does not document how it reports the limit of fields. It may be a 403, as for limits of the plan.
                is_full = len(present) + 1 >= MERGE_FIELD_LIMITS[0]  # with EMAIL
                is_limit = is_full and error.status == HTTPStatus.FORBIDDEN
                if not (is_limit or _is_about_content(error)):
                    raise
                code = "mergeFieldLimit" if is_full else "mergeFieldNotCreated"
                raise ConfigError(code, tag=free_tag, fields=len(present)) from error

    def tags(self, audience_id: str) -> list[Tag]:
        """Read all tags (static segments) of an audience."""
        fields = "segments.id,segments.name,segments.member_count,segments.type,total_items"
        return [_tag(item) for item in self._segments(audience_id, "static", fields)]

    def tag(self, audience_id: str, tag_id: int) -> Tag | None:
        """Read a tag; None when it does not exist."""
        query = {"fields": "id,name,member_count,type"}
        path = f"{audience_path(audience_id)}/segments/{int(tag_id)}"
        try:
            answer = self._transport.get(path, query)
        except NotFound:
            return None
        return _tag(answer) if answer.get("type", "static") == "static" else None

    def saved_segments(self, audience_id: str) -> list[str]:
        """Read the names of saved segments. A tag cannot have the name of one."""
        found = self._segments(audience_id, "saved", "segments.name,segments.type,total_items")
        return [text_in(item, "name") for item in found]

    def create_tag(self, audience_id: str, name: str) -> Tag:
        """Create an empty tag. Conflict when the name is taken, in any case; ConfigError when Mailchimp refuses it."""
        body = {"name": name, "static_segment": []}

        def create() -> Tag:
            with within(audience_id) as path:
                return _tag(self._transport.write("POST", f"{path}/segments", body, resend=False))

        try:
            return _created(create, lambda: self._tag_named(audience_id, name))
        except Refused as error:
            if not _is_about_content(error):
                raise
            raise self._name_refused(audience_id, name) from error

    def rename_tag(self, audience_id: str, tag_id: int, name: str) -> Tag:
        """Rename a tag; its id stays. Conflict when the name is taken.

        A PATCH without `static_segment` keeps the members. NotFound when the tag does not exist.
        """
        path = f"{audience_path(audience_id)}/segments/{int(tag_id)}"
        try:
            return _tag(self._transport.write("PATCH", path, {"name": name}))
        except Refused as error:
            if not _is_about_content(error):
                raise
            raise self._name_refused(audience_id, name) from error

    def automations(self, audience_id: str) -> list[Automation]:
        """Read the active classic automations of an audience (customer journeys are in no list).

        https://mailchimp.com/developer/marketing/api/automation/list-automations/
        """
        part = "automations"
        wanted = ("recipients.list_id", "settings.title", "trigger_settings.workflow_type")
        fields = ",".join((*(f"{part}.{name}" for name in wanted), "total_items"))
        found = self._all("/automations", part, {"status": "sending", "fields": fields})
        return [
            Automation(
                text_in(object_in(item, "settings"), "title"),
                text_in(object_in(item, "trigger_settings"), "workflow_type"),
            )
            for item in found
            if text_in(object_in(item, "recipients"), "list_id") == audience_id
        ]

    def _tag_named(self, audience_id: str, name: str) -> Tag | None:
        return next((t for t in self.tags(audience_id) if same_name(t.name, name)), None)

    def _name_refused(self, audience_id: str, name: str) -> ConfigError:
        """Return why a name was refused. Mailchimp gives the reason as text only, so look it up."""
        if self._tag_named(audience_id, name):
            return Conflict("tagNameTaken", tag=name)
        if any(same_name(saved, name) for saved in self.saved_segments(audience_id)):
            return ConfigError("tagNameOfSegment", tag=name)
        return ConfigError("tagNameRefused", tag=name)

    def _segments(self, audience_id: str, kind: str, fields: str) -> list[dict[str, Any]]:
        with within(audience_id) as path:
            found = self._all(f"{path}/segments", "segments", {"type": kind, "fields": fields})
        return [item for item in found if item.get("type", kind) == kind]

    def _all(self, path: str, part: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Read all pages of a list.

        The total may be missing or too small. Then a page without new items is the last one, and a full page is not.
        """
        found: dict[str, dict[str, Any]] = {}
        reached = 0
        # A list that fills all pages ends with a page without items.
        for _ in range(_MOST_PAGES + 1):
            answer = self._transport.get(
                path, {**query, "count": str(PAGE), "offset": str(reached)}
            )
            items, total = list_in(answer, part), total_in(answer)
            reached, known = reached + len(items), len(found)
            found.update((str(item), item) for item in items)
            unknown = total is None or total < reached
            is_last = reached == total and len(items) < PAGE
            if not items or is_last or (unknown and len(found) == known):
                return list(found.values())
        if part == "segments" and reached > _MOST_PAGES * PAGE:
            raise ConfigError("tagsTooMany", most=_MOST_PAGES * PAGE)
        raise Unavailable("answerBroken")


def _is_about_content(error: Refused) -> bool:
    """Whether Mailchimp refused the content of a call, such as a name; not the call itself, such as for the user's role."""
    return error.status == HTTPStatus.BAD_REQUEST and not isinstance(error, Disconnected)


def _created(create: Callable[[], T], find: Callable[[], T | None]) -> T:
    """Create something once: after a lost response, look for it before sending again."""
    try:
        return create()
    except Unavailable as error:
        if not error.maybe_applied:
            raise
    return find() or create()


def _same(fields: list[MergeField], name: str, field_type: str) -> MergeField | None:
    wanted = plain_name(name)
    return next((f for f in fields if plain_name(f.name) == wanted and f.type == field_type), None)


def _audience(item: Mapping[str, Any]) -> Audience:
    double_opt_in = item.get("double_optin")
    return Audience(
        text_in(item, "id"),
        text_in(item, "name"),
        whole_number_in(object_in(item, "stats"), "member_count"),
        double_opt_in if isinstance(double_opt_in, bool) else None,
    )


def _merge_field(item: Mapping[str, Any]) -> MergeField:
    field_id, tag = whole_number_in(item, "merge_id"), text_in(item, "tag")
    if not (field_id and tag):
        raise Unavailable("answerBroken", maybe_applied=True)
    return MergeField(
        id=field_id,
        tag=tag,
        name=text_in(item, "name"),
        type=text_in(item, "type") or "text",
        required=item.get("required") in (True, "true"),
        options=object_in(item, "options"),
    )


def _tag(item: Mapping[str, Any]) -> Tag:
    tag_id, count = whole_number_in(item, "id"), whole_number_in(item, "member_count")
    if not tag_id:
        raise Unavailable("answerBroken", maybe_applied=True)
    return Tag(tag_id, text_in(item, "name"), count)
