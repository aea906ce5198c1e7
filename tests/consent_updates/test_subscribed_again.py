"""People whom Mailchimp refused are sent again once they have subscribed themselves."""

from __future__ import annotations

from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import person

# The second address of person 1.
_OTHER = "other@example.com"


def test_people_who_were_refused_are_sent_again_after_they_subscribed_themselves(
    new_deployment: NewDeployment,
) -> None:
    made = ConsentDeployment(new_deployment())
    audience, rows = made.audience, made.rows
    rows.define()
    made.sandbox.set(refused_addresses=frozenset({"p3@example.com"}))
    rows.run(person(1), person(2))
    made.sweep()
    for number in (1, 2):
        audience.forget(f"p{number}@example.com")
    source = [person(number, FirstName="Changed") for number in (1, 2, 3)]
    source.append(person(1, EMail=_OTHER))

    refused = rows.outcomes(rows.run(*source))

    assert refused["p1@example.com"] == refused["p2@example.com"] == ("rejected", "forgotten")
    assert refused["p3@example.com"] == ("rejected", "addressRefused")
    # The statuses that were stored before still have the deleted contacts.
    again = rows.run(*source)
    assert rows.outcomes(again) == {**refused, _OTHER: ("kept", "forgotten")}
    assert not again.calls.write

    made.sandbox.set(refused_addresses=frozenset())
    for number in (1, 3):
        audience.add(f"p{number}@example.com")
    made.sweep()
    outcomes = rows.outcomes(rows.run(*source))

    for number in (1, 3):
        address = f"p{number}@example.com"
        assert outcomes[address] == ("updated", None)
        assert rows.tags(number) == {"People"}
        assert audience.members()[address].merge_fields["FNAME"] == "Changed"
    assert outcomes[_OTHER] == ("unchanged", None)
    assert outcomes["p2@example.com"] == ("rejected", "forgotten")
