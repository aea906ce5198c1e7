"""A marketing department's app: 14 exports and 40 runs of every status, for looking at the pages."""

from __future__ import annotations

from datetime import timedelta

from shared.model.audience import CallCounts
from shared.model.figures import (
    AudienceSize,
    ConsentProof,
    Counts,
    Planning,
    PlanningStep,
    Progress,
    RunSegment,
)
from shared.model.finding import Finding, Reason, Severity
from shared.model.one_person import SentField, SentPerson
from shared.model.preview import SampleField, SampleKind, SamplePerson
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.people.search import PersonInExport
from shared.runs.outcomes import OutcomeRow
from tests.web.client import new_connection, new_export
from tests.web.world import NOW, World

__all__ = ["NAMES", "fill"]

NAMES = (
    "Weekly newsletter",
    "Win back: no purchase in 12 months",
    "Loyalty programme, gold and platinum members",
    "Seoul store openings",
    "서울 매장 오픈 안내",
    "Birthday voucher",
    "Abandoned basket",
    "B2B partners (DACH)",
    "Black Friday early access",
    "Product recall 2026-10",
    "Survey: Net Promoter Score",
    "Event: Contoso Connect",
    "Trial users, day 10",
    "Press and analysts",
)
_CODES = (
    ("addressMalformed", "mina.park@@example.com", "", ""),
    ("addressMissing", "", "", ""),
    (
        "fieldRefused",
        "j.doe@example.org",
        "BIRTHDAY",
        "ERROR_GENERIC: Your merge fields were invalid. Please enter a month and a day",
    ),
    (
        "addressThrottled",
        "test.account@example.net",
        "",
        "ERROR_GENERIC: […] has signed up to a lot of lists very recently; we're not allowing more "
        "signups for now",
    ),
)
# What became of the runs, again and again: mostly good, as in a real app.
_ENDS = (
    RunStatus.SUCCESSFUL,
    RunStatus.SUCCESSFUL,
    RunStatus.COMPLETED_WITH_WARNINGS,
    RunStatus.SUCCESSFUL,
    RunStatus.SKIPPED,
    RunStatus.SUCCESSFUL,
    RunStatus.FAILED,
    RunStatus.SUCCESSFUL,
    RunStatus.CANCELED,
)
_REASONS = {
    RunStatus.FAILED: Reason("attributeMissing", {"segment": "Gold", "attribute": "LoyaltyTier"}),
    RunStatus.SKIPPED: Reason("noNewData"),
    RunStatus.CANCELED: Reason("canceledBeforeSending"),
    RunStatus.AWAITING_CONFIRMATION: Reason("removalGuard", {"people": "18402"}),
}


def fill(world: World) -> dict[str, str]:
    """Fill a world. Returns the ids of the exports by name, and one run by each status."""
    shared = new_connection(world, "Contoso Mailchimp", sharedWith=["Contributor"])
    other = new_connection(world, "Contoso Korea")
    found = {}
    for number, name in enumerate(NAMES):
        found[name] = new_export(
            world,
            other if number in (3, 4) else shared,
            displayName=name,
            audienceId="a1b2c3d4e5",
            segments=[{"name": f"Segment_{number}", "tag": name[:40]}],
            mapping={
                "email": "EMailAddress1",
                "firstName": "FirstName",
                "lastName": "LastName",
                "attributes": [
                    {"attribute": "City", "mergeField": "CITY"},
                    {"attribute": "Birthdate", "mergeField": "BIRTHDAY", "dateOrder": "dayFirst"},
                ],
            },
            newContacts={"status": "pending", "consentAttribute": "MarketingOptIn"},
            schedule={"enabled": number % 4 != 3, **_schedule(number)},
        )
    names = list(NAMES[:13])  # the last one has never run
    for number in range(33):
        name = names[0] if number % 2 else names[number % 13]
        status = _ENDS[number % len(_ENDS)]
        found[status] = _ended(world, found[name], status, number).id
    for status, name in zip(_ACTIVE, names[1:], strict=False):
        found[status] = _active(world, found[name], status).id
    preview = _ended(world, found[names[8]], RunStatus.SUCCESSFUL, 34, Mode.PREVIEW)
    found["preview"] = world.runs.move(
        preview.id, audience_size=AudienceSize(598_400, 1180, budget=600_000)
    ).id
    world.outcomes.people = _samples()
    person = world.runs.start(found[names[8]], Trigger.ON_DEMAND, Mode.ONE_PERSON, "Ada Lovelace")
    world.one_person.results[person.id] = [_SENT]
    found["onePerson"] = world.runs.move(
        person.id,
        status=RunStatus.SUCCESSFUL,
        started_at=NOW - timedelta(minutes=9),
        queued_at=NOW - timedelta(minutes=9),
        finished_at=NOW - timedelta(minutes=8),
        counts=Counts(source_rows=1, distinct=1, updated=1),
    ).id
    world.outcomes.kept = [
        OutcomeRow(
            f"ce7592{number:026x}",
            address.replace("@", f".{number}@", 1) if address else "",
            ("Newsletter",),
            "rejected",
            code,
            field,
            answer=answer,
        )
        for code, address, field, answer in _CODES
        for number in range(130 if code == "addressMalformed" else 9)
    ]
    world.people.known["mina.park@example.com"] = [
        PersonInExport(
            found[names[0]],
            names[0],
            ("Segment_0", "Segment_12"),
            "subscribed",
            "updated",
            "",
            NOW - timedelta(days=1),
            "mina.park@example.com",
            "ce759201f786d590bf2134bff576c369",
            ("VIP", "Newsletter readers"),
            (("FNAME", "Mina"), ("LNAME", "Park"), ("CITY", "Seoul"), ("BIRTHDAY", "04/17")),
            NOW - timedelta(days=1),
        ),
        PersonInExport(
            found[names[2]],
            names[2],
            ("Segment_2",),
            "unsubscribed",
            "kept",
            "unsubscribed",
            NOW - timedelta(days=2),
            "mina.park@example.com",
            "ce759201f786d590bf2134bff576c369",
        ),
        PersonInExport(found[names[1]], names[1], (), "subscribed", "", "notInSegment", None),
    ]
    return found


_SENT = SentPerson(
    "mina.park@example.com",
    "ce759201f786d590bf2134bff576c369",
    "updated",
    "valueDropped",
    "BIRTHDAY",
    (
        SentField("FNAME", "Mina", "Mina"),
        SentField("LNAME", "Park", "Park"),
        SentField("CITY", "Seoul", "Seoul"),
        SentField("BIRTHDAY", None, "04/17", "dateAmbiguous"),
    ),
    ("Birthday voucher",),
    (),
    "subscribed",
    ("Birthday voucher", "Weekly newsletter"),
)


def _samples() -> list[SamplePerson]:
    """One person of each kind that a preview shows."""
    return [
        SamplePerson(
            kind,
            f"{name}@example.com",
            "" if kind is SampleKind.NEW else "subscribed",
            "pending" if kind is SampleKind.NEW else "subscribed",
            (SampleField("FNAME", "" if kind is SampleKind.NEW else "Mina", "Mina"),),
            () if kind is SampleKind.NEW else ("Weekly newsletter",),
            () if kind is SampleKind.LEAVING else ("Weekly newsletter",),
        )
        for kind, name in zip(SampleKind, ("j.doe", "mina.park", "a.lovelace"), strict=True)
    ]


_ACTIVE = (
    RunStatus.SENDING,
    RunStatus.PLANNING,
    RunStatus.QUEUED,
    RunStatus.FINISHING,
    RunStatus.AWAITING_CONFIRMATION,
)


def _schedule(number: int) -> dict[str, object]:
    if number % 3 == 0:
        return {"repeat": "everyRefresh"}
    if number % 3 == 1:
        return {"repeat": "daily", "times": ["06:00"], "timeZone": "Asia/Seoul"}
    return {
        "repeat": "weekly",
        "days": ["monday", "thursday"],
        "times": ["07:30"],
        "timeZone": "Europe/Berlin",
    }


def _ended(
    world: World, export: str, status: RunStatus, number: int, mode: Mode = Mode.EXPORT
) -> Run:
    trigger = (Trigger.REFRESH, Trigger.SCHEDULE, Trigger.ON_DEMAND)[number % 3]
    by = "Ada Lovelace" if trigger is Trigger.ON_DEMAND else ""
    run = world.runs.start(export, trigger, mode, by)
    at = NOW - timedelta(hours=9 * (36 - number))
    people = 612_000 + 900 * number
    rejected = 157 if status is RunStatus.COMPLETED_WITH_WARNINGS else 0
    ran = status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)
    counts = Counts(
        source_rows=people + 21_400,
        distinct=people,
        new=1180,
        changed=5391,
        unchanged=people - 1180 - 5391 - 18_230 - (18 if rejected else 0),
        created=0 if mode is Mode.PREVIEW else 1180,
        updated=0 if mode is Mode.PREVIEW else 5391,
        kept=18_230,
        rejected=rejected,
        left=310,
        removed=310,
        shared_address=12,
    )
    return world.runs.move(
        run.id,
        status=status,
        reason=_REASONS.get(status),
        audience_name="Newsletter",
        queued_at=at,
        started_at=at + timedelta(seconds=2),
        finished_at=at + timedelta(seconds=190 + 7 * number),
        counts=counts if ran else Counts(),
        consent_proof=ConsentProof(kept=18_230 if ran else 0),
        calls=CallCounts(write=14, read=41, throttled=1, retried=1) if ran else CallCounts(),
        progress=Progress(6571, 6571, 14, 14, 100) if ran else Progress(),
        segments=(RunSegment("Segment_Newsletter", "Newsletter", people, people - 18_230),)
        if ran
        else (),
        findings=(
            Finding(Severity.INFO, "tagRepaired", {"tag": "VIP", "added": "3", "removed": "1"}),
        )
        if rejected
        else (),
    )


def _active(world: World, export: str, status: RunStatus) -> Run:
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada Lovelace")
    waits = status is RunStatus.AWAITING_CONFIRMATION
    return world.runs.move(
        run.id,
        status=status,
        queued_at=NOW - timedelta(minutes=3),
        started_at=None if status is RunStatus.QUEUED else NOW - timedelta(minutes=3),
        reason=_REASONS.get(status),
        counts=Counts(
            source_rows=30_544,
            distinct=30_102,
            new=2100,
            changed=820,
            unchanged=27_182,
            created=2100 if waits else 0,
            updated=820 if waits else 0,
            left=18_402,
        ),
        planning=Planning(PlanningStep.READING, 1, 3, 128_400)
        if status is RunStatus.PLANNING
        else None,
        progress=Progress(1500, 2920, 3, 6, 51, 34, 1494, 41.6),
        calls=CallCounts(write=3, read=12, throttled=2),
    )
