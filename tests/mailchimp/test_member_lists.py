"""All members are read exactly once while the audience changes."""

from __future__ import annotations

import datetime

import orjson
import pytest

from sandbox.mailchimp import Fault, Sandbox
from shared.errors import NotFound, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey, RetryPolicy
from tests.mailchimp.scripted_server import ScriptedServer, json, problem


def fill(audience, count, status="unsubscribed", start=0, **more):
    for number in range(start, start + count):
        audience.add(f"p{number}@example.org", status=status, **more)


def addresses(pages):
    return [person.address for page in pages for person in page]


def counts(sandbox):
    return [call.query["count"] for call in sandbox.calls.last if call.method == "GET"]


def test_members_in_a_status_are_read_in_pages_of_a_thousand(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 2300)
    audience.add("Someone@Example.org", status="subscribed")
    pages = list(session.members_with_status(audience.id, "unsubscribed"))
    assert [len(page) for page in pages] == [1000, 999, 301]
    assert set(addresses(pages)) == {f"p{n}@example.org" for n in range(2300)}
    assert addresses(session.members_with_status(audience.id, "subscribed")) == [
        "someone@example.org"
    ]
    assert addresses(session.members_with_status(audience.id, "cleaned")) == []


def test_members_listed_without_their_status_have_the_requested_one(transport):
    body = '{"members": [{"email_address": "ada@example.org"}], "total_items": 1}'
    with ScriptedServer(json(body)) as server:
        pages = MailchimpSession(transport(server.url)).members_with_status("a1", "cleaned")
        assert [person.status for page in pages for person in page] == ["cleaned"]


def test_only_the_needed_fields_are_requested(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 1)
    list(session.members_with_status(audience.id, "unsubscribed"))
    assert sandbox.calls.last[-1].query["fields"] == (
        "members.email_address,members.contact_id,members.status,total_items"
    )


def test_archived_people_are_found_by_their_status(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 2, status="archived")
    assert len(addresses(session.members_with_status(audience.id, "archived"))) == 2


def test_only_contacts_changed_since_a_time_are_read(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 3)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    assert (
        addresses(session.members_with_status(audience.id, "unsubscribed", soon.isoformat())) == []
    )
    ago = (soon - datetime.timedelta(hours=2)).isoformat()
    assert len(addresses(session.members_with_status(audience.id, "unsubscribed", ago))) == 3


@pytest.mark.parametrize("leavers", [1, 50, 1000])
@pytest.mark.parametrize("joiners", [0, 1, 50])
def test_no_member_is_missed_when_members_leave_during_the_read(sandbox, session, leavers, joiners):
    audience = sandbox.audience("News")
    fill(audience, 2500)
    pages = session.members_with_status(audience.id, "unsubscribed")
    seen = [next(pages)]
    # Those who were read already come back: the rest moves up, past the next page.
    for number in range(leavers):
        audience.add(f"p{number}@example.org", status="subscribed")
    # As many new ones hide it from the total.
    fill(audience, joiners, start=2500)
    seen.extend(pages)
    assert {f"p{n}@example.org" for n in range(2500)} <= set(addresses(seen))
    assert len(addresses(seen)) == len(set(addresses(seen)))


def test_no_member_is_missed_when_all_members_read_so_far_leave(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 1500)
    pages = session.members_with_status(audience.id, "unsubscribed")
    seen = [next(pages)]
    for number in range(1000):
        audience.add(f"p{number}@example.org", status="subscribed")
    seen.extend(pages)
    assert set(addresses(seen)) == {f"p{n}@example.org" for n in range(1500)}


def test_reading_a_list_that_becomes_empty_ends(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 1500)
    pages = session.members_with_status(audience.id, "unsubscribed")
    next(pages)
    for number in range(1500):
        audience.add(f"p{number}@example.org", status="subscribed")
    assert addresses(pages) == []


@pytest.mark.parametrize("changed", [1, 500, 1000])
def test_no_change_is_missed_when_contacts_that_were_read_change_again(changed, transport):
    """Changes are listed in their order, so contacts that change again move to the end of the list."""
    time = 1_000_000_000
    with Sandbox(now=lambda: time) as sandbox:
        session = MailchimpSession(transport(sandbox.api_url, ApiKey(sandbox.api_key)))
        audience = sandbox.audience("News")
        fill(audience, 1500)
        pages = session.status_changes(audience.id, "")
        seen = [next(pages)]
        time += 60
        fill(audience, changed, status="subscribed")
        seen.extend(pages)
    assert set(addresses(seen)) == {f"p{n}@example.org" for n in range(1500)}
    assert len(addresses(seen)) == 1500


def add_phones(audience, count):
    for number in range(count):
        audience.add(f"+1212555{number:04}", status="unsubscribed")


@pytest.mark.parametrize("phones", [1, 999, 1000, 2500])
def test_contacts_without_an_address_hide_no_one_behind_them(sandbox, session, phones):
    audience = sandbox.audience("News")
    fill(audience, 999)
    add_phones(audience, phones)
    fill(audience, 1100, start=1000)
    found = addresses(session.members_with_status(audience.id, "unsubscribed"))
    assert sorted(found) == sorted(f"p{n}@example.org" for n in range(2100) if n != 999)


def test_a_page_that_only_has_contacts_without_an_address_is_not_the_last_one(transport):
    """Pages may be shorter than requested."""
    people = [{"email_address": "", "status": "unsubscribed"}] * 25
    people.append({"email_address": "a@b.org", "status": "unsubscribed"})

    def page(asked):
        offset = int(asked.query["offset"])
        answer = {"members": people[offset : offset + 7], "total_items": len(people)}
        return json(orjson.dumps(answer))

    with ScriptedServer(page) as server:
        session = MailchimpSession(transport(server.url))
        assert addresses(session.members_with_status("abc", "unsubscribed")) == ["a@b.org"]


def test_no_member_is_missed_when_members_leave_a_list_with_contacts_without_an_address(
    sandbox, session
):
    audience = sandbox.audience("News")
    fill(audience, 990)
    add_phones(audience, 10)
    fill(audience, 1500, start=990)
    pages = session.members_with_status(audience.id, "unsubscribed")
    seen = [next(pages)]
    for number in range(500):
        audience.add(f"p{number}@example.org", status="subscribed")
    seen.extend(pages)
    assert sorted(addresses(seen)) == sorted(f"p{n}@example.org" for n in range(2490))


def test_an_international_domain_is_read_in_the_form_in_which_it_is_sent(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("Info@Bücher.de", status="unsubscribed")
    (unsubscribed,) = addresses(session.members_with_status(audience.id, "unsubscribed"))
    ((changed,),) = session.status_changes(audience.id, "")
    assert unsubscribed == changed.address == "info@xn--bcher-kva.de"


@pytest.mark.parametrize("call", ["changes", "status", "contacts", "count", "webhooks"])
def test_an_audience_that_does_not_exist_is_named(call, sandbox, session):
    since = "2026-01-01T00:00:00+00:00"
    calls = {
        "changes": lambda: list(session.status_changes("gone1", "")),
        "status": lambda: list(session.members_with_status("gone1", "pending")),
        "contacts": lambda: list(session.contacts("gone1", since)),
        "count": lambda: session.count("gone1", "pending"),
        "webhooks": lambda: session.webhooks("gone1"),
    }
    with pytest.raises(NotFound) as caught:
        calls[call]()
    assert (caught.value.code, caught.value.values["audience"]) == ("audienceNotFound", "gone1")


@pytest.mark.parametrize("call", ["field", "tag", "webhook"])
def test_an_audience_that_is_deleted_while_something_is_created_is_named(call, transport):
    def page(asked):
        if asked.target.partition("?")[0].endswith("merge-fields") and asked.method == "GET":
            return json(b'{"merge_fields": [], "total_items": 0}')
        return problem(404, "Resource Not Found")

    with ScriptedServer(page) as server:
        session = MailchimpSession(transport(server.url))
        calls = {
            "field": lambda: session.create_merge_field("gone1", "COLOUR", "Colour", "text"),
            "tag": lambda: session.create_tag("gone1", "VIP"),
            "webhook": lambda: session.create_webhook("gone1", "https://example.org/hook"),
        }
        with pytest.raises(NotFound) as caught:
            calls[call]()
    assert (caught.value.code, caught.value.values["audience"]) == ("audienceNotFound", "gone1")


def test_reading_with_a_wrong_total_ends(transport):
    answer = {"members": [{"email_address": "a@b.org", "status": "pending"}], "total_items": 2}
    with ScriptedServer(json(orjson.dumps(answer))) as server:
        found = addresses(MailchimpSession(transport(server.url)).members_with_tag("abc", 1))
        assert len(server.asked) == 2
    assert found == ["a@b.org"]


@pytest.mark.parametrize("joining", [0, 999, 499])
@pytest.mark.parametrize(
    ("most", "total"),
    [(1000, "right"), (1000, "missing"), (1000, "first page"), (500, "right")],
)
def test_no_member_is_missed_when_the_total_is_wrong_or_pages_are_short(
    transport, joining, most, total
):
    """People who join at the beginning of a list move those who were read to the next page."""
    people = [f"p{number}@example.org" for number in range(2100)]
    joined: list[str] = []

    def page(asked):
        now = [*joined, *people]
        found = now[int(asked.query["offset"]) :][: min(int(asked.query["count"]), most)]
        answer = {"members": [{"email_address": one, "status": "cleaned"} for one in found]}
        totals = {"right": len(now), "first page": 1000}
        answer |= {"total_items": totals[total]} if total in totals else {}
        joined[:] = [f"j{number}@example.org" for number in range(joining)]
        return json(orjson.dumps(answer))

    with ScriptedServer(page) as server:
        session = MailchimpSession(transport(server.url))
        found = addresses(session.members_with_status("abc", "cleaned"))
    assert len(found) == len(set(found))
    assert set(people) <= set(found)


def test_no_member_is_missed_when_many_members_leave_a_long_list_without_a_total(transport):
    """The reader steps back over many pages, so it reads many known members before the next new one."""
    people = [{"email_address": f"p{number}@example.org"} for number in range(36_000)]
    pages_read = 0

    def page(asked):
        nonlocal pages_read
        pages_read += 1
        now = people if pages_read < 36 else people[2000:]
        offset = int(asked.query["offset"])
        return json(orjson.dumps({"members": now[offset : offset + 1000]}))

    with ScriptedServer(page) as server:
        session = MailchimpSession(transport(server.url))
        found = addresses(session.members_with_status("abc", "cleaned"))
    assert len(found) == len(set(found)) == 36_000


@pytest.mark.parametrize("total", ["right", "missing"])
@pytest.mark.parametrize("phone", [False, True])
def test_a_list_whose_offset_is_ignored_ends_with_the_people_of_the_first_page(
    transport, total, phone
):
    people = [{"email_address": f"p{number}@example.org"} for number in range(1000)]
    if phone:
        people[-1] = {"email_address": ""}
    answer = {"members": people} | ({"total_items": 1000} if total == "right" else {})
    with ScriptedServer(json(orjson.dumps(answer))) as server:
        session = MailchimpSession(transport(server.url))
        found = addresses(session.members_with_status("abc", "cleaned"))
        assert len(server.asked) == 4
    assert len(found) == len(set(found)) == 1000 - phone


def test_an_audience_that_changes_all_the_time_is_retried_later(transport):
    number = 0

    def page(asked):
        nonlocal number
        people = []
        for _ in range(10):
            number += 1
            people.append({"email_address": f"p{number}@b.org", "status": "pending"})
        return json(orjson.dumps({"members": people, "total_items": 1000}))

    with ScriptedServer(page) as server, pytest.raises(Unavailable) as caught:
        list(MailchimpSession(transport(server.url)).members_with_status("abc", "pending"))
    assert caught.value.code == "audienceMoves"


def test_pages_that_mailchimp_cannot_deliver_are_requested_in_smaller_sizes(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 1200)
    sandbox.arm(Fault(kind="504", method="GET", times=4))
    assert len(addresses(session.members_with_status(audience.id, "unsubscribed"))) == 1200
    assert counts(sandbox) == ["1000"] * 2 + ["500"] * 2 + ["250"] * 5


def test_throttling_reduces_neither_the_page_size_nor_the_tries(sandbox, session):
    audience = sandbox.audience("News")
    fill(audience, 5)
    sandbox.arm(Fault(kind="429", method="GET", times=50))
    with pytest.raises(Unavailable) as caught:
        list(session.members_with_status(audience.id, "unsubscribed"))
    assert caught.value.throttled
    assert counts(sandbox) == ["1000"] * RetryPolicy().tries


def test_a_page_without_members_is_not_an_empty_page(transport):
    with ScriptedServer(json('{"total_items": 0}')) as server, pytest.raises(Unavailable):
        list(MailchimpSession(transport(server.url)).members_with_status("abc", "pending"))


def test_members_with_a_tag_are_read_in_any_status(sandbox, session):
    audience = sandbox.audience("News")
    for status in ("subscribed", "unsubscribed", "cleaned", "transactional"):
        audience.add(f"{status}@example.org", status=status, tags=["VIP"])
    audience.add("other@example.org")
    tag = session.tags(audience.id)[0]
    assert tag.member_count == 1
    found = {
        person.address: person.status
        for page in session.members_with_tag(audience.id, tag.id)
        for person in page
    }
    assert found == {
        f"{status}@example.org": status
        for status in ("subscribed", "unsubscribed", "cleaned", "transactional")
    }


def test_members_of_a_deleted_tag_are_not_found(sandbox, session):
    audience = sandbox.audience("News")
    with pytest.raises(NotFound):
        list(session.members_with_tag(audience.id, 77))
