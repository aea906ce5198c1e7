"""Single members are read, archived and deleted permanently, without leaking the subscriber hash."""

from __future__ import annotations

import hashlib

import pytest

from shared.errors import ConfigError, Refused

ADA = "ada@example.org"


def test_the_current_status_of_a_person_is_read(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("Ada@Example.org", status="unsubscribed", cause="self")

    assert session.status_of(audience.id, ADA) == "unsubscribed"
    assert session.status_of(audience.id, "nobody@example.org") is None


def test_a_person_is_archived_once(sandbox, session):
    audience = sandbox.audience("News")
    audience.add(ADA)

    assert session.archive(audience.id, ADA) is True
    assert audience.member(ADA).status == "archived"
    with pytest.raises(Refused) as refused:
        session.archive(audience.id, ADA)
    assert refused.value.status == 405
    assert session.archive(audience.id, "nobody@example.org") is False


def test_a_person_that_mailchimp_cannot_archive_stays(sandbox, session):
    audience = sandbox.audience("News")
    audience.add(ADA, status="cleaned")

    with pytest.raises(Refused):
        session.archive(audience.id, ADA)

    assert audience.member(ADA).status == "cleaned"


def test_a_permanently_deleted_person_cannot_be_imported(sandbox, session):
    from shared.model.audience import Member
    from shared.model.outcome import Code

    audience = sandbox.audience("News")
    audience.add(ADA)

    assert session.delete_for_good(audience.id, ADA) is True
    assert audience.member(ADA) is None
    assert session.delete_for_good(audience.id, ADA) is False
    answer = session.subscribe(
        audience.id, [Member(ADA, {}, (), "subscribed")], update_existing=False
    )
    assert answer.refused[ADA].code == Code.FORGOTTEN


def test_a_person_with_an_international_domain_is_found_in_both_forms(sandbox, session):
    audience = sandbox.audience("News")
    audience.add("info@bücher.de", status="unsubscribed", cause="self")
    address = "info@xn--bcher-kva.de"

    assert session.status_of(audience.id, address) == "unsubscribed"
    assert session.member(audience.id, address).status == "unsubscribed"
    audience.add(address)
    assert session.status_of(audience.id, address) == "subscribed"
    assert session.archive(audience.id, address) is True
    assert {a: m.status for a, m in audience.members().items()} == {
        "info@bücher.de": "unsubscribed",
        address: "archived",
    }
    assert session.delete_for_good(audience.id, address) is True
    assert audience.members() == {}
    assert session.delete_for_good(audience.id, address) is False


def test_no_error_contains_personal_data(sandbox, session):
    audience = sandbox.audience("News")
    audience.add(ADA, status="cleaned")
    with pytest.raises(Refused) as refused:
        session.archive(audience.id, ADA)
    digest = hashlib.md5(ADA.encode(), usedforsecurity=False).hexdigest()
    assert ADA not in repr(refused.value)
    assert digest not in repr(refused.value)
    with pytest.raises(ConfigError):
        session.status_of("../x", ADA)
