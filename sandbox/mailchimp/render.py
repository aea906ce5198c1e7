"""The JSON of audiences, members, segments and merge fields, in the published shapes.

A member takes about 4 kB, most of it links; the links are one text per audience with the subscriber hash filled in,
so that answers with 500 members cost milliseconds. Members are `bytes` of JSON here, everything else is a dict.
https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.mailchimp.state import (
    Account,
    Audience,
    Member,
    MergeField,
    Segment,
    contact_id,
    digest,
)

if TYPE_CHECKING:
    from sandbox.mailchimp.world import World

_DOC = "https://us1.api.mailchimp.com/schema/3.0"
_HASH = b"0123456789abcdef-HASH"


@lru_cache(maxsize=4096)
def moment(seconds: int) -> str:
    """Seconds since 1970 as Mailchimp writes a time."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def link(
    rel: str, url: str, method: str = "GET", shape: str = "", body: str = ""
) -> dict[str, str]:
    """One entry of `_links`."""
    entry = {"rel": rel, "href": url, "method": method}
    if shape:
        entry["targetSchema"] = f"{_DOC}/Definitions/{shape}.json"
    if body:
        entry["schema"] = f"{_DOC}/{body}.json"
    return entry


@lru_cache(maxsize=256)
def _member_links(url: str, audience_id: str) -> bytes:
    people = f"{url}/3.0/lists/{audience_id}/members"
    one = f"{people}/{_HASH.decode()}"
    shape = "Lists/Members/Response"
    write = "Definitions/Lists/Members"
    links = [
        link("self", one, "GET", shape),
        link(
            "parent",
            people,
            "GET",
            "Lists/Members/CollectionResponse",
            "Paths/Lists/Members/Collection",
        ),
        link("update", one, "PATCH", shape, f"{write}/PATCH"),
        link("upsert", one, "PUT", shape, f"{write}/PUT"),
        link("delete", one, "DELETE"),
        link("activity", f"{one}/activity", "GET", "Lists/Members/Activity/Response"),
        link("goals", f"{one}/goals", "GET", "Lists/Members/Goals/Response"),
        link("notes", f"{one}/notes", "GET", "Lists/Members/Notes/CollectionResponse"),
        link("events", f"{one}/events", "POST", "Lists/Members/Events/POST"),
        link("delete_permanent", f"{one}/actions/delete-permanent", "POST"),
    ]
    return b',"_links":' + orjson.dumps(links) + b"}"


def merge_values(audience: Audience, member: Member) -> dict[str, Any]:
    """All merge fields of the audience; "" where nothing is set."""
    values = orjson.loads(member.merge)
    return {field.tag: values.get(field.tag, "") for field in audience.merge_fields.values()}


def member_facts(audience: Audience, member: Member) -> dict[str, Any]:
    """A member without its links."""
    key = digest(member.address)
    merge = merge_values(audience, member)
    names = (merge.get("FNAME", ""), merge.get("LNAME", ""))
    evidence = audience.evidence.get(key, {})
    phone = member.phone
    facts = {
        "id": "" if phone else key.hex(),
        "email_address": "" if phone else member.address,
        "unique_email_id": key[:5].hex(),
        "contact_id": contact_id(member.number),
        "full_name": " ".join(str(name) for name in names if name),
        "web_id": member.number,
        "email_type": "html",
        "status": member.status,
        "consents_to_one_to_one_messaging": True,
        "sms_phone_number": phone,
        "sms_subscription_status": "subscribed" if phone else "nonsubscribed",
        "sms_subscription_last_updated": "",
        "merge_fields": merge,
        "interests": {},
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
        "ip_signup": evidence.get("ip_signup", ""),
        "timestamp_signup": evidence.get("timestamp_signup", moment(member.since)),
        "ip_opt": evidence.get("ip_opt", "127.0.0.1"),
        "timestamp_opt": evidence.get("timestamp_opt", moment(member.since)),
        "member_rating": 2,
        "last_changed": moment(member.changed),
        "language": "",
        "vip": False,
        "email_client": "",
        "location": {
            "latitude": 0,
            "longitude": 0,
            "gmtoff": 0,
            "dstoff": 0,
            "country_code": "",
            "timezone": "",
            "region": "",
        },
        "source": "API - Generic",
        "tags_count": len(member.tags),
        "tags": [{"id": tag, "name": audience.segments[tag].name} for tag in member.tags[:50]],
        "list_id": audience.id,
    }
    if member.status == "unsubscribed":
        facts["unsubscribe_reason"] = {
            "admin": "N/A (Unsubscribed by admin)",
            "review": "N/A (Compliance review)",
        }.get(member.cause, "No longer interested")
    return facts


def member_json(world: World, audience: Audience, member: Member) -> bytes:
    """A whole member, links included."""
    facts = member_facts(audience, member)
    links = _member_links(world.url, audience.id).replace(_HASH, facts["id"].encode())
    return orjson.dumps(facts)[:-1] + links


def array(items: Iterable[bytes]) -> bytes:
    """A JSON array of JSON texts."""
    return b"[" + b",".join(items) + b"]"


def segment(world: World, audience: Audience, found: Segment, include: set[str]) -> dict[str, Any]:
    """A segment; its count is of active subscribers and of the statuses in `include`."""
    url = f"{world.url}/3.0/lists/{audience.id}/segments"
    return {
        "id": found.id,
        "name": found.name,
        "member_count": member_count(world, audience, found, include),
        "type": found.type,
        "created_at": moment(found.created),
        "updated_at": moment(found.updated),
        "options": found.conditions or {"match": "any", "conditions": []},
        "list_id": audience.id,
        "_links": [
            link("self", f"{url}/{found.id}", "GET", "Lists/Segments/Response"),
            link("parent", url, "GET", "Lists/Segments/CollectionResponse"),
            link("delete", f"{url}/{found.id}", "DELETE"),
            link("update", f"{url}/{found.id}", "PATCH", "Lists/Segments/Response"),
            link("members", f"{url}/{found.id}/members", "GET"),
        ],
    }


def member_count(world: World, audience: Audience, found: Segment, include: set[str]) -> int:
    """The number of members of a segment, cached for `tag_count_cache_seconds`."""
    now = world.now()
    shown = found.count_shown
    if shown is None or now - shown[0] >= world.options.tag_count_cache_seconds:
        shown = found.count_shown = (now, sum(found.counts[status] for status in include))
        cached = world.options.tag_members_cached
        found.members_shown = (
            [one for one in audience.members.values() if found.id in one.tags] if cached else None
        )
    return shown[1]


def merge_field(world: World, audience: Audience, found: MergeField) -> dict[str, Any]:
    """A merge field."""
    url = f"{world.url}/3.0/lists/{audience.id}/merge-fields"
    return {
        "merge_id": found.merge_id,
        "tag": found.tag,
        "name": found.name,
        "type": found.type,
        "required": found.required,
        "default_value": found.default_value,
        "public": found.public,
        "display_order": found.display_order,
        "options": found.options,
        "help_text": found.help_text,
        "list_id": audience.id,
        "_links": [
            link("self", f"{url}/{found.merge_id}", "GET", "Lists/MergeFields/Response"),
            link("parent", url, "GET", "Lists/MergeFields/CollectionResponse"),
            link("update", f"{url}/{found.merge_id}", "PATCH"),
            link("delete", f"{url}/{found.merge_id}", "DELETE"),
        ],
    }


def stats(world: World, audience: Audience) -> dict[str, Any]:
    """The numbers of an audience, cached for as long as Mailchimp caches them."""
    now = world.now()
    shown = audience.stats_shown
    if shown is not None and now - shown[0] < world.options.stats_cache_seconds:
        return shown[1]
    counts = audience.counts
    numbers: dict[str, Any] = {
        "member_count": counts["subscribed"],
        "total_contacts": sum(counts.values()),
        "unsubscribe_count": counts["unsubscribed"],
        "cleaned_count": counts["cleaned"],
        "member_count_since_send": counts["subscribed"],
        "unsubscribe_count_since_send": counts["unsubscribed"],
        "cleaned_count_since_send": counts["cleaned"],
        "campaign_count": 0,
        "merge_field_count": len(audience.merge_fields),
        "avg_sub_rate": 0,
        "avg_unsub_rate": 0,
        "target_sub_rate": 0,
        "open_rate": 0,
        "click_rate": 0,
    }
    if audience.last_sub:
        numbers["last_sub_date"] = moment(audience.last_sub)
    if audience.last_unsub:
        numbers["last_unsub_date"] = moment(audience.last_unsub)
    audience.stats_shown = (now, numbers)
    return numbers


def audience(world: World, found: Audience, *, total_contacts: bool = False) -> dict[str, Any]:
    """An audience; `stats.total_contacts` only when asked for."""
    numbers = dict(stats(world, found))
    if not total_contacts:
        numbers.pop("total_contacts", None)
    url = f"{world.url}/3.0/lists"
    return {
        "id": found.id,
        "web_id": found.web_id,
        "name": found.name,
        "contact": {
            "company": "Sandbox Trading",
            "address1": "1 Example Street",
            "address2": "",
            "city": "Seoul",
            "state": "",
            "zip": "04524",
            "country": "KR",
            "phone": "",
        },
        "permission_reminder": "You signed up on our website.",
        "use_archive_bar": True,
        "campaign_defaults": {
            "from_name": "Sandbox",
            "from_email": "news@example.com",
            "subject": "",
            "language": "en",
        },
        "notify_on_subscribe": "",
        "notify_on_unsubscribe": "",
        "date_created": moment(found.created),
        "list_rating": 0,
        "email_type_option": False,
        "subscribe_url_short": f"{world.url}/signup/{found.id}",
        "subscribe_url_long": f"{world.url}/subscribe?id={found.id}",
        "beamer_address": f"{found.id}@inbound.example.com",
        "visibility": "prv",
        "double_optin": found.double_optin,
        "has_welcome": False,
        "marketing_permissions": found.marketing_permissions,
        "modules": [],
        "stats": numbers,
        "_links": [
            link("self", f"{url}/{found.id}", "GET", "Lists/Response"),
            link("parent", url, "GET", "Lists/CollectionResponse"),
            link("batch-sub-members", f"{url}/{found.id}", "POST", "Lists/BatchPOST-Response"),
            link("merge-fields", f"{url}/{found.id}/merge-fields", "GET"),
            link("segments", f"{url}/{found.id}/segments", "GET"),
            link("members", f"{url}/{found.id}/members", "GET"),
        ],
    }


def account(world: World, found: Account) -> dict[str, Any]:
    """The root of the API."""
    return {
        "account_id": found.id,
        "login_id": str(found.number),
        "account_name": found.name,
        "email": "owner@example.com",
        "first_name": "Sandbox",
        "last_name": "Owner",
        "username": "sandbox",
        "avatar_url": "",
        "role": "owner",
        "member_since": moment(found.created),
        "pricing_plan_type": "monthly",
        "first_payment": moment(found.created),
        "account_timezone": "Asia/Seoul",
        "account_industry": "Retail",
        "contact": {
            "company": "Sandbox Trading",
            "addr1": "1 Example Street",
            "addr2": "",
            "city": "Seoul",
            "state": "",
            "zip": "04524",
            "country": "KR",
        },
        "pro_enabled": False,
        "last_login": moment(world.seconds()),
        "total_subscribers": sum(a.counts["subscribed"] for a in found.audiences.values()),
        "industry_stats": {"open_rate": 0.2, "bounce_rate": 0.01, "click_rate": 0.02},
        "_links": [
            link("self", f"{world.url}/3.0/", "GET", "Root"),
            link("lists", f"{world.url}/3.0/lists", "GET", "Lists/CollectionResponse"),
            link("ping", f"{world.url}/3.0/ping", "GET", "Ping"),
        ],
    }
