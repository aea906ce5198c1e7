"""People who change their address in Mailchimp are not added again under the former one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.mailchimp import Fault
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Member
from shared.model.export import OnWithdrawal
from shared.model.run import Mode, Run
from shared.sending import absent_people
from tests import reused_databases
from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.faults.simulated_deployment import CHUNK, EXPORT, NewDeployment, SimulatedDeployment
from tests.planning.row_deployment import codes, person

A, B = "p1@example.com", "new@example.com"


@dataclass(frozen=True)
class Afterwards:
    """What two runs did after contacts changed their addresses, and the audience and the table afterwards."""

    runs: tuple[Run, Run]
    outcomes: tuple[dict[str, tuple[str, str | None]], ...]
    contacts: dict[str, str]
    tagged: set[str]
    consent: dict[str, str]

    def is_kept(self, number: int, code: str) -> bool:
        """Whether neither run sent or added the person under their former address."""
        address = f"p{number}@example.com"
        found = [outcomes[address] for outcomes in self.outcomes]
        return address not in self.contacts and found == [("kept", code)] * 2


def address_of(number: int) -> str:
    return f"p{number}@example.com"


def deploy(deployment: SimulatedDeployment, count: int = 3) -> ConsentDeployment:
    """An app that has exported people 1 to `count`, and has read the audience afterwards."""
    made = ConsentDeployment(deployment)
    made.rows.define()
    made.rows.run(*(person(number) for number in range(1, count + 1)))
    made.sweep()
    return made


@pytest.fixture
def made(new_deployment: NewDeployment) -> ConsentDeployment:
    return deploy(new_deployment())


@pytest.fixture(scope="module")
def _cache() -> list[Afterwards]:
    return []


@pytest.fixture
def afterwards(new_deployment: NewDeployment, _cache: list[Afterwards]) -> Afterwards:
    """The result of one deployment in which each person has another history; computed once."""
    if not _cache:
        made = deploy(new_deployment(), 10)
        audience = made.audience
        audience.add(address_of(11))
        made.sweep()
        for number in (1, 2, 4, 5, 8, 9, 10):
            audience.change_address(address_of(number), f"new{number}@example.com")
        audience.unsubscribe("new1@example.com")
        # Two people swap their addresses.
        audience.change_address(address_of(6), "between@example.com")
        audience.change_address(address_of(7), address_of(6))
        audience.change_address("between@example.com", address_of(7))
        made.sweep()
        audience.unsubscribe("new2@example.com")
        audience.change_address("new4@example.com", "newer4@example.com")
        audience.change_address("new5@example.com", address_of(5))
        audience.unsubscribe(address_of(7))
        audience.add("new8@example.com", status="archived")
        audience.forget("new9@example.com")
        made.sweep()
        audience.unsubscribe("newer4@example.com")
        for _ in range(3):
            made.sweep()
        for number in (3, 11):
            audience.change_address(address_of(number), f"new{number}@example.com")
            audience.unsubscribe(f"new{number}@example.com")
        runs = []
        for name in ("Changed", "Changed again"):
            made.deployment.clock.forward(3600)
            rows = [person(number, FirstName=name) for number in range(1, 12)]
            made.rows.source.segments = {"People": [*rows, person(4, EMail="new4@example.com")]}
            runs.append(made.deployment.run(Mode.FULL if runs else Mode.EXPORT))
        made.sweep()
        contacts = {address: one.status for address, one in audience.members().items()}
        outcomes = tuple(made.rows.outcomes(run) for run in runs)
        tagged = {address for address, one in audience.members().items() if one.tags}
        _cache.append(Afterwards((runs[0], runs[1]), outcomes, contacts, tagged, made.statuses()))
    return _cache[0]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(1, id="the sweep read both changes at once"),
        pytest.param(2, id="the sweep read both changes one after the other"),
        pytest.param(3, id="no sweep read the changes"),
    ],
)
def test_a_person_who_unsubscribed_under_a_new_address_is_not_added_under_the_former_one(
    afterwards: Afterwards, number: int
) -> None:
    assert afterwards.is_kept(number, "unsubscribed")
    assert afterwards.contacts[f"new{number}@example.com"] == "unsubscribed"
    assert afterwards.consent[str(number)] == "unsubscribed"


def test_the_runs_report_people_whose_contact_has_another_address(afterwards: Afterwards) -> None:
    for run in afterwards.runs:
        assert codes(run)["addressChangedInMailchimp"] == {"people": "8"}
        assert run.consent_proof.statuses_changed == 0
    assert "contactsGone" not in codes(afterwards.runs[1])


def test_each_former_address_of_a_contact_counts(afterwards: Afterwards) -> None:
    assert afterwards.is_kept(4, "unsubscribed")
    assert afterwards.outcomes[1]["new4@example.com"] == ("kept", "unsubscribed")
    assert "new4@example.com" not in afterwards.contacts
    assert afterwards.consent["4"] == "unsubscribed"


def test_a_contact_that_has_its_first_address_again_is_updated(afterwards: Afterwards) -> None:
    assert afterwards.outcomes[0][address_of(5)] == ("updated", None)
    assert afterwards.contacts[address_of(5)] == "subscribed"


def test_an_address_that_another_contact_has_now_has_the_status_of_that_contact(
    afterwards: Afterwards,
) -> None:
    assert afterwards.outcomes[0][address_of(6)] == ("updated", None)
    assert afterwards.outcomes[0][address_of(7)] == ("kept", "unsubscribed")
    assert afterwards.contacts[address_of(6)] == "subscribed"
    assert afterwards.contacts[address_of(7)] == "unsubscribed"


def test_a_contact_that_was_archived_under_its_new_address_stays_archived(
    afterwards: Afterwards,
) -> None:
    assert afterwards.is_kept(8, "archived")


def test_after_the_contact_was_deleted_the_former_address_is_new(afterwards: Afterwards) -> None:
    assert afterwards.outcomes[0][address_of(9)] == ("created", None)


def test_a_person_who_stays_subscribed_is_not_added_under_the_former_address(
    afterwards: Afterwards,
) -> None:
    assert afterwards.is_kept(10, "addressChangedInMailchimp")
    assert afterwards.contacts["new10@example.com"] == "subscribed"
    # The full run compared all members of the tag.
    assert "new10@example.com" in afterwards.tagged
    assert afterwards.consent["10"] == "subscribed"


def test_a_contact_that_the_export_never_sent_counts_as_well(afterwards: Afterwards) -> None:
    assert afterwards.is_kept(11, "unsubscribed")


def test_a_preview_has_these_outcomes_and_the_new_address_in_the_source_updates_the_contact(
    made: ConsentDeployment,
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    preview = made.rows.preview(person(1, FirstName="Changed"), person(2))

    run = made.rows.run(person(1, FirstName="Changed"), person(2))

    assert made.rows.outcomes(run)[A] == ("kept", "addressChangedInMailchimp")
    assert codes(run)["addressChangedInMailchimp"] == {"people": "1"}
    # The person is subscribed.
    assert run.consent_proof.kept == 0
    assert made.rows.outcomes(preview) == made.rows.outcomes(run)
    members = made.audience.members()
    assert A not in members
    assert (members[B].status, members[B].tags) == ("subscribed", {"People"})
    assert made.statuses()["1"] == "subscribed"
    # The source has the new address.
    run = made.rows.run(person(1, EMail=B, FirstName="Changed"), person(2))
    assert made.rows.outcomes(run)[B] == ("updated", None)
    assert made.audience.members()[B].merge_fields["FNAME"] == "Changed"


def test_statuses_of_an_earlier_version_are_read_again_and_the_run_says_so_until_then(
    made: ConsentDeployment, tmp_path: Path
) -> None:
    use_statuses_of_version_1_0(made, tmp_path)
    run = made.rows.run(person(1), person(2))
    assert "contactIdsMissing" in codes(run)
    for _ in range(2):
        made.sweep()
    made.audience.change_address(A, B)
    made.audience.unsubscribe(B)

    made.deployment.clock.forward(3600)
    run = made.rows.run(person(1, FirstName="Changed"), person(2))

    assert "contactIdsMissing" not in codes(run)
    assert made.rows.outcomes(run)[A] == ("kept", "unsubscribed")


def use_statuses_of_version_1_0(made: ConsentDeployment, folder: Path) -> None:
    """Replace the stored statuses by those of a version that stored no contact ids."""
    (stored,) = made.app.consent_sweeps.all()
    local, older = folder / "statuses.parquet", folder / "older.parquet"
    made.app.files.download(stored.value.blob, local)
    with reused_databases.connect() as db:
        db.execute(
            f"COPY (SELECT * EXCLUDE (contact_id, former) FROM read_parquet('{local}')) TO '{older}'"
        )
    made.app.files.upload(older, stored.value.blob)
    state = replace(stored.value, unidentified=None)
    made.app.consent_sweeps.replace(stored.key, state, stored.etag)


def begin_to_send(made: ConsentDeployment, count: int) -> str:
    """Begin to send people 1 to `count`. Returns the id of the run."""
    rows = [person(number, FirstName="Changed") for number in range(1, count + 1)]
    made.rows.source.segments = {"People": rows}
    started = made.app.starter.start(EXPORT)
    made.deployment.plan(started.id)
    return str(started.id)


def unsubscribe_the_first_person_during_a_run(made: ConsentDeployment) -> str:
    """Begin to send three people; the first one changes the address and unsubscribes. Returns the id of the run."""
    run_id = begin_to_send(made, 3)
    made.audience.change_address(address_of(1), "new1@example.com")
    made.audience.unsubscribe("new1@example.com")
    return run_id


@pytest.mark.parametrize(("most", "is_swept"), [(20, False), (1, False), (20, True)])
def test_a_person_who_changes_the_address_during_a_run_is_not_added_under_the_former_one(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch, most: int, is_swept: bool
) -> None:
    monkeypatch.setattr(absent_people, "MOST_LOOKUPS", most)
    run_id = unsubscribe_the_first_person_during_a_run(made)
    made.audience.change_address(address_of(2), "new2@example.com")
    if is_swept:
        # A webhook during the run makes the app read who unsubscribed.
        assert made.app.consent_updates.request(made.key)
        made.deliver()

    run = made.deployment.run_to_end(run_id)

    outcomes = made.rows.outcomes(run)
    assert outcomes[address_of(1)] == ("kept", "unsubscribed")
    assert outcomes[address_of(3)] == ("updated", None)
    # With many absent people, only those who are not subscribed are looked up.
    expected = ("kept", "addressChangedInMailchimp") if most == 20 else ("created", None)
    assert outcomes[address_of(2)] == expected
    assert address_of(1) not in made.audience.members()
    assert run.consent_proof.statuses_changed == 0
    again = made.rows.run(*(person(n, FirstName="Changed again") for n in range(1, 4)))
    assert made.rows.outcomes(again)[address_of(1)] == ("kept", "unsubscribed")
    assert address_of(1) not in made.audience.members()


def test_a_contact_that_mailchimp_refuses_to_show_does_not_end_the_run(
    made: ConsentDeployment,
) -> None:
    run_id = unsubscribe_the_first_person_during_a_run(made)
    made.sandbox.arm(Fault("400-empty", "GET", "/members/[^/]+$", times=None))

    run = made.deployment.run_to_end(run_id)

    made.sandbox.disarm()
    outcomes = made.rows.outcomes(run)
    assert outcomes[address_of(1)] == ("notSent", "callFailed")
    assert outcomes[address_of(2)] == outcomes[address_of(3)] == ("updated", None)
    assert address_of(1) not in made.audience.members()
    again = made.rows.run(*(person(n, FirstName="Changed") for n in range(1, 4)))
    assert made.rows.outcomes(again)[address_of(1)] == ("kept", "unsubscribed")


@pytest.mark.parametrize("webhooks", ["in order", "in disorder", "lost"])
def test_the_table_has_the_status_under_the_new_address_whatever_webhooks_arrive(
    new_deployment: NewDeployment, webhooks: str
) -> None:
    made = ConsentDeployment(new_deployment())
    made.seed(2)
    made.sweep()
    world = made.sandbox.world
    world.webhooks.pending.clear()
    made.audience.change_address(A, B)
    made.audience.unsubscribe(B)
    assert len(world.webhooks.pending) == 2
    if webhooks == "in disorder":
        world.webhooks.pending.reverse()
    if webhooks == "lost":
        world.webhooks.pending.clear()
        made.sweep()
    else:
        assert world.webhooks.deliver(world) == 2
        assert made.requested() == 1
        made.deliver()

    assert made.statuses() == {"1": "unsubscribed", "2": "subscribed"}


@pytest.mark.parametrize("most", [20, 1])
def test_a_withdrawal_unsubscribes_the_contact_under_its_new_address(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(absent_people, "MOST_LOOKUPS", most)
    made.rows.change(on_withdrawal=OnWithdrawal.UNSUBSCRIBE, max_removal_share=1.0)
    made.audience.change_address(A, B)
    made.audience.change_address(address_of(2), "new2@example.com")
    made.sweep()

    run = made.rows.run(person(1, "no"), person(2, "no"), person(3))

    assert made.rows.outcomes(run)[A] == ("kept", "withdrawnUnsubscribed")
    assert made.audience.members()[B].status == "unsubscribed"
    assert made.audience.members()["new2@example.com"].status == "unsubscribed"
    assert A not in made.audience.members()
    assert (run.consent_proof.unsubscribed, run.consent_proof.statuses_changed) == (2, 0)
    # A later yes does not subscribe again.
    run = made.rows.run(person(1), person(2), person(3))
    assert made.rows.outcomes(run)[A][0] == "kept"
    assert A not in made.audience.members()
    assert made.audience.members()[B].status == "unsubscribed"


def test_a_withdrawal_unsubscribes_each_contact_that_had_the_address(
    made: ConsentDeployment,
) -> None:
    made.rows.change(on_withdrawal=OnWithdrawal.UNSUBSCRIBE, max_removal_share=1.0)
    made.audience.change_address(A, B)
    made.sweep()
    made.audience.add(A)
    made.sweep()
    made.audience.change_address(A, "second@example.com")
    made.sweep()

    run = made.rows.run(person(1, "no"), person(2), person(3))

    assert made.rows.outcomes(run)[A] == ("kept", "withdrawnUnsubscribed")
    members = made.audience.members()
    assert {members[B].status, members["second@example.com"].status} == {"unsubscribed"}
    assert run.consent_proof.statuses_changed == 0


@pytest.mark.parametrize("unsubscribed", [B, "second@example.com"])
def test_a_person_is_not_added_if_one_of_the_contacts_that_had_the_address_unsubscribed(
    made: ConsentDeployment, unsubscribed: str
) -> None:
    made.audience.change_address(A, B)
    made.sweep()
    made.audience.add(A)
    made.sweep()
    run_id = begin_to_send(made, 3)
    made.audience.change_address(A, "second@example.com")
    made.audience.unsubscribe("second@example.com")
    # A webhook makes the app read the new address during the run.
    assert made.app.consent_updates.request(made.key)
    made.deliver()
    made.audience.add("second@example.com", status="subscribed")
    made.audience.unsubscribe(unsubscribed)

    run = made.deployment.run_to_end(run_id)

    assert made.rows.outcomes(run)[A] == ("kept", "unsubscribed")
    assert A not in made.audience.members()


def test_a_run_downloads_the_stored_contacts_once_for_all_absent_people(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deploy(new_deployment(), 3 * CHUNK)
    run_id = begin_to_send(made, 3 * CHUNK)
    in_each_chunk = sorted(map(address_of, range(1, 3 * CHUNK + 1)))[::CHUNK]
    for address in in_each_chunk:
        made.audience.change_address(address, f"new-{address}")
    downloaded: list[str] = []
    download = made.app.files.download

    def counted(name: str, path: Path) -> str:
        downloaded.append(name)
        return download(name, path)

    monkeypatch.setattr(made.app.files, "download", counted)

    run = made.deployment.run_to_end(run_id)

    kept = [address for address, one in made.rows.outcomes(run).items() if one[0] == "kept"]
    assert sorted(kept) == in_each_chunk
    assert len([name for name in downloaded if name.startswith("consent/")]) == 1


def test_a_search_for_the_new_address_finds_what_is_stored_under_the_former_one(
    made: ConsentDeployment,
) -> None:
    made.audience.change_address(A, B)
    made.sweep()

    (found,) = made.app.search.find(B)

    assert (found.email, found.customer_id, found.tags) == (A, "1", ("People",))
    assert found.in_audience == "subscribed"
    (unknown,) = made.app.search.find("unknown@example.com")
    assert (unknown.email, unknown.code) == ("", "notInSegment")


def test_a_withdrawal_reaches_a_contact_whose_address_changes_between_its_two_calls(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.rows.change(on_withdrawal=OnWithdrawal.UNSUBSCRIBE, max_removal_share=1.0)
    subscribe = MailchimpSession.subscribe

    def subscribed(
        session: MailchimpSession, audience_id: str, members: Sequence[Member], **more: Any
    ) -> Any:
        is_second = any(one.status == "unsubscribed" for one in members)
        if is_second and made.audience.member(A) and not made.audience.member(B):
            made.audience.change_address(A, B)
        return subscribe(session, audience_id, members, **more)

    monkeypatch.setattr(MailchimpSession, "subscribe", subscribed)

    run = made.rows.run(person(1, "no"), person(2), person(3))

    assert made.audience.members()[B].status == "unsubscribed"
    assert made.audience.members()[A].status == "archived"
    assert made.rows.outcomes(run)[A] == ("kept", "withdrawnUnsubscribed")


def test_an_undo_takes_its_tag_from_a_contact_that_has_another_address_now(
    made: ConsentDeployment,
) -> None:
    run = made.rows.run(*(person(number) for number in range(1, 5)))
    made.sweep()
    made.audience.change_address(address_of(4), B)

    made.deployment.undo(run)

    members = made.audience.members()
    assert {address for address, member in members.items() if member.tags} == {
        address_of(number) for number in (1, 2, 3)
    }
    assert B in members
