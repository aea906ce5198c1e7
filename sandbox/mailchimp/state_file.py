"""The state of a sandbox in one file of JSON lines, written at its end and read at its start.

It contains accounts, keys, apps, tokens and audiences with all members; no calls, faults and options.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from sandbox.mailchimp.state import (
    Account,
    Audience,
    Automation,
    Member,
    MergeField,
    Segment,
    Webhook,
)
from sandbox.mailchimp.world import OAuthApp, World

_VERSION = 1
_AUDIENCE = ("id", "web_id", "name", "created", "double_optin", "marketing_permissions")
_MARKS = ("last_sub", "last_unsub", "next_merge_id")


def save(world: World, path: Path) -> None:
    """Write everything to `path`, which is replaced in one step."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as lines:
        for line in _lines(world):
            lines.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    os.replace(fresh, path)


def _lines(world: World) -> Iterator[dict[str, Any]]:
    yield {
        "version": _VERSION,
        "apps": [dataclasses.asdict(app) for app in world.apps.values()],
        "tokens": [[*key, token] for key, token in world.token_of.items()],
    }
    for account in world.accounts.values():
        names = ("id", "name", "dc", "number", "created", "disabled")
        facts = {name: getattr(account, name) for name in names}
        automations = [dataclasses.asdict(automation) for automation in account.automations]
        yield {"account": facts | {"keys": sorted(account.keys), "automations": automations}}
        for audience in account.audiences.values():
            yield {
                "audience": {name: getattr(audience, name) for name in _AUDIENCE + _MARKS},
                "fields": [dataclasses.asdict(f) for f in audience.merge_fields.values()],
                "segments": [
                    [s.id, s.name, s.type, s.created, s.updated, s.conditions]
                    for s in audience.segments.values()
                ],
                "forgotten": [key.hex() for key in audience.forgotten],
                "webhooks": [dataclasses.asdict(w) for w in audience.webhooks.values()],
            }
            for m in audience.members.values():
                merge = orjson.Fragment(m.merge)
                facts_of_one = [m.address, m.number, m.status, m.cause, merge, m.tags]
                yield {"m": [*facts_of_one, m.changed, m.since]}


def load(world: World, path: Path) -> None:
    """Replace the state of the world by what `save` wrote; ValueError for another file."""
    with path.open("rb") as lines:
        head = orjson.loads(next(lines, b"{}"))
        if head.get("version") != _VERSION:
            message = "this is not the state of a sandbox"
            raise ValueError(message)
        world.accounts.clear()
        world.keys.clear()
        account: Account | None = None
        audience: Audience | None = None
        for line in map(orjson.loads, lines):
            if "m" in line and audience is not None:
                _read_member(audience, line["m"])
            elif "audience" in line and account is not None:
                audience = _read_audience(line)
                account.audiences[audience.id] = audience
            else:
                keys = line["account"].pop("keys")
                made = [Automation(**one) for one in line["account"].pop("automations", ())]
                account = Account(**line["account"], automations=made)
                world.accounts[account.id] = account
                for key in keys:
                    world.add_key(account, key)
    for app in head["apps"]:
        world.apps[app["client_id"]] = OAuthApp(**app)
    for client_id, account_id, token in head["tokens"]:
        world.token_of[(client_id, account_id)] = token
        world.tokens[token] = world.accounts[account_id]
    _continue_ids(world)


def _read_audience(line: dict[str, Any]) -> Audience:
    audience = Audience(**line["audience"])
    audience.merge_fields = {f["merge_id"]: MergeField(**f) for f in line["fields"]}
    for facts in line["segments"]:
        segment = Segment(*facts)
        audience.segments[segment.id] = segment
        audience.names[segment.name.casefold()] = segment.id
    audience.forgotten = {bytes.fromhex(key) for key in line["forgotten"]}
    audience.webhooks = {w["id"]: Webhook(**w) for w in line.get("webhooks", ())}
    return audience


def _read_member(audience: Audience, facts: list[Any]) -> None:
    address, number, status, cause, merge, tags, changed, since = facts
    member = Member(address, number, since)
    member.merge = orjson.dumps(merge)[:-1] + b"}"
    audience.add(member, status, cause)
    updated = [audience.segments[tag].updated for tag in tags]
    audience.set_tags(member, set(tags), changed)
    for tag, moment in zip(tags, updated, strict=True):
        audience.segments[tag].updated = moment
    member.changed = changed


def _continue_ids(world: World) -> None:
    """Continue ids after the largest that are used."""
    audiences = [a for account in world.accounts.values() for a in account.audiences.values()]
    others = [account.number for account in world.accounts.values()]
    others += [audience.web_id for audience in audiences]
    segments = [number for audience in audiences for number in audience.segments]
    members = [m.number for audience in audiences for m in audience.members.values()]
    world.start_numbers(
        max(others, default=1000) + 1,
        max(segments, default=200_000) + 1,
        max(members, default=500_000) + 1,
    )
    # Keys and ids are drawn from the seed: without this, the first new id would be an old one.
    world.reseed(len(audiences) + len(world.accounts) + world.seconds())
