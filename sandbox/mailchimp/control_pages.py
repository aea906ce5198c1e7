"""The HTML pages of the control API; all values are escaped."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

from sandbox.mailchimp.faults import KINDS
from sandbox.mailchimp.render import merge_values
from sandbox.mailchimp.state import STATUSES, Audience
from sandbox.mailchimp.world import World

_SHOWN = 100
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.9em}.scroll{overflow-x:auto}
"""


def overview(world: World) -> bytes:
    """Accounts, audiences, calls, faults."""
    parts = ["<p>A sandbox Mailchimp on this machine. It sends no mail.</p>"]
    for account in world.accounts.values():
        state = "disabled" if account.disabled else "active"
        parts.append(f"<h2>Account {escape(account.name)} ({state})</h2>")
        parts.append(
            _table(
                ("API key", "Data centre", "#Peak in flight", "#Throttled"),
                [
                    (key, account.dc, account.peak, account.throttled)
                    for key in sorted(account.keys)
                ],
            )
        )
        rows = []
        for audience in account.audiences.values():
            link = f'<a href="/sandbox/audiences/{escape(audience.id)}">{escape(audience.name)}</a>'
            counts = [audience.counts[status] for status in STATUSES]
            rows.append((_Raw(link), audience.id, len(audience.segments), *counts))
        heads = ("Audience", "Id", "#Tags", *(f"#{status}" for status in STATUSES))
        parts.append(_table(heads, rows))
    calls = world.calls.summary()
    parts.append("<h2>Calls</h2>")
    parts.append(
        _table(("Call", "#Times"), [(route, number) for route, number in calls["byRoute"].items()])
    )
    facts = (
        ("Members carried", "membersCarried"),
        ("Largest call", "largestCall"),
        ("Largest number of simultaneous calls", "peakInFlight"),
        ("Throttled", "throttled"),
        ("Calls with another status than the contact had", "statusesContradicted"),
        ("Statuses changed by calls", "statusesChanged"),
        ("Calls with sync_tags", "syncTags"),
    )
    parts.append(_table(("Fact", "#Number"), [(label, calls[name]) for label, name in facts]))
    armed = world.faults.listing()
    if armed:
        parts.append("<h2>Armed faults</h2>")
        rows = [(f["kind"], KINDS[f["kind"]], f["affected"]) for f in armed]
        parts.append(_table(("Kind", "What it does", "#Struck"), rows))
    parts.append(
        '<p>As JSON: <a href="/sandbox/audiences">audiences</a>, '
        '<a href="/sandbox/calls">calls</a>, <a href="/sandbox/faults">faults</a>, '
        '<a href="/sandbox/options">options</a>.</p>'
    )
    return _page("Sandbox Mailchimp", "".join(parts))


def audience(shown: Audience) -> bytes:
    """One audience: tags with their people, and the first hundred members."""
    with shown.lock:
        tags = [
            (s.name, s.id, s.counts.total(), s.counts["subscribed"])
            for s in shown.segments.values()
        ]
        names = {segment.id: segment.name for segment in shown.segments.values()}
        people = [
            (
                member.address,
                member.status,
                ", ".join(f"{k}: {v}" for k, v in merge_values(shown, member).items() if v != ""),
                ", ".join(names[tag] for tag in member.tags),
            )
            for member in itertools.islice(shown.members.values(), _SHOWN)
        ]
        total = len(shown.members)
    body = (
        '<p><a href="/sandbox/">All accounts</a></p><h2>Tags</h2>'
        + _table(("Tag", "#Id", "#People", "#Subscribed"), tags)
        + f"<h2>People ({len(people)} of {total})</h2>"
        + _table(("Address", "Status", "Merge fields", "Tags"), people)
        + f'<p><a href="/sandbox/audiences/{escape(shown.id)}/members">All of them, one JSON '
        "object per line</a></p>"
    )
    return _page(f"Audience {shown.name}", body)


class _Raw(str):
    """HTML that is already escaped."""


def _table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    numeric = [head.startswith("#") for head in heads]
    mark = [' class="n"' if number else "" for number in numeric]
    top = "".join(
        f"<th{m}>{escape(head.lstrip('#'))}</th>" for head, m in zip(heads, mark, strict=True)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td{m}>{cell if isinstance(cell, _Raw) else escape(str(cell))}</td>"
            for cell, m in zip(row, mark, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    ).encode()
