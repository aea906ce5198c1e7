"""Postal addresses in Mailchimp have the country that the segment has."""

from __future__ import annotations

from shared.model.export import AttributeMapping, Mapping
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

PARTS = {"Street": "addr1", "City": "city", "State": "state", "Code": "zip", "Country": "country"}


def test_an_address_has_the_country_of_the_segment_or_is_not_sent(
    new_deployment: NewDeployment,
) -> None:
    columns = ("CustomerId", "EMail", "FirstName", "Consent", *PARTS)
    rows = RowDeployment(new_deployment(), columns)
    attributes = tuple(AttributeMapping(name, "ADDRESS", part=part) for name, part in PARTS.items())
    rows.define(mapping=Mapping("EMail", attributes=attributes))
    seoul = {"Street": "세종대로 1", "City": "종로구", "State": "서울특별시", "Code": "03154"}

    run = rows.run(
        person(0, Country="대한민국", **seoul),
        person(1, Country="Korea, Republic of", **seoul),
        person(2, Country="Atlantis", **seoul),
    )

    addresses = [rows.values(number).get("ADDRESS") for number in range(3)]
    assert [each and each["country"] for each in addresses] == ["KR", "KR", None]
    assert codes(run)["valuesDropped"]["dropped"] == "1"
    assert (run.counts.created, run.counts.rejected) == (3, 0)
