"""Every call of a session and its response match Mailchimp's API description."""

from __future__ import annotations

import datetime

import pytest

from sandbox.mailchimp import Options, Sandbox
from shared.errors import Conflict, NotFound
from shared.http_session import BearerToken
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey
from shared.model.audience import Member
from tests.contract.prism import PrismProxy, description, prism_command


def every_call(session, audience_id):
    """Call all methods of a session; other tests check what they do."""
    session.ping()
    session.account()
    session.audiences()
    session.audience(audience_id)
    with pytest.raises(NotFound):
        session.audience("0123456789")
    session.create_merge_field(audience_id, "COLOUR", "Colour", "text")
    session.merge_fields(audience_id)
    tag = session.create_tag(audience_id, "VIP")
    with pytest.raises(Conflict):
        session.create_tag(audience_id, "vip")
    session.rename_tag(audience_id, tag.id, "VIPs")
    session.tags(audience_id)
    session.tag(audience_id, tag.id)
    session.tag(audience_id, 77)
    people = [
        Member(f"p{number}@example.org", {"FNAME": "A", "COLOUR": ""}, ("VIPs",), "subscribed")
        for number in range(500)
    ]
    session.subscribe(audience_id, people, update_existing=False, skip_merge_validation=True)
    unmarked = [Member(person.address, {}, (), None) for person in people]
    session.subscribe(audience_id, unmarked, update_existing=True)
    addresses = [person.address for person in people]
    session.untag(audience_id, tag.id, addresses)
    session.retag(audience_id, tag.id, addresses)
    made = session.create_webhook(audience_id, "https://app.example.com/hook")
    assert made in session.webhooks(audience_id)
    session.delete_webhook(audience_id, made.id)
    session.delete_webhook(audience_id, made.id)
    session.count(audience_id, None)
    session.unsubscribe_campaign(audience_id, "p1@example.org")
    list(session.status_changes(audience_id, ""))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    for status in ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"):
        session.count(audience_id, status)
        list(session.members_with_status(audience_id, status))
        list(session.members_with_status(audience_id, status, now))
    list(session.members_with_tag(audience_id, tag.id))


def test_every_call_and_its_response_match_mailchimps_description(transport):
    description()
    prism_command()
    with Sandbox(Options()) as sandbox, PrismProxy(sandbox.url) as proxy:
        sandbox.world.webhooks.fetch = lambda *_: 200
        token = BearerToken(sandbox.token(sandbox.app("http://127.0.0.1:7071/back")))
        for auth in (ApiKey(sandbox.api_key), token):
            audience = sandbox.audience("News")
            every_call(MailchimpSession(transport(f"{proxy.url}/3.0", auth)), audience.id)
        assert proxy.violations == []
        assert sandbox.calls.count("POST", "/lists/{list_id}") == 4
