"""Sample segments of any size, and the contacts that must be in Mailchimp after an export of them.

A sample is a value: equal samples give equal rows. The expected contacts are computed from the same value and not from
the files, so that they can check a reader.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox import cdm
from sandbox.cdm import Entity, Format, PartitionWriter
from sandbox.persons import COLUMNS, DEMO_SEED, Person, mixed, person

_FULL = 1 << 64
_MALFORMED = ("not-an-address", "two@@example.com", "no-domain@", "spaces in@example.com", "@")
_EMAIL = [name for name, _ in COLUMNS].index("EMail")

GOOD, MISSING, MALFORMED, SHORT, LONG, BROKEN = (
    "good",
    "missing",
    "malformed",
    "short",
    "long",
    "broken",
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: every person is in it with this probability, independently of the others."""

    name: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Flaws:
    """Shares of people whose rows are not clean."""

    missing: float = 0.0
    """No address."""
    malformed: float = 0.0
    """Something that is not an address."""
    short: float = 0.0
    """A row with too few columns (never in Parquet)."""
    long: float = 0.0
    """A row with too many columns (never in Parquet)."""
    broken: float = 0.0
    """A row with text after a closing quote (never in Parquet). Some readers accept it, some refuse it, so the
    truth does not expect these people; a test must accept both."""
    untidy: float = 0.0
    """Capitals and spaces around a good address; the person must arrive nevertheless."""
    shared: float = 0.0
    """A second profile with the address of the one before."""


_CLEAN = Flaws()


@dataclass(frozen=True, slots=True)
class Step:
    """The changes of a later refresh: shares of people changed or moved, numbers of people new and removed."""

    changed: float = 0.0
    arriving: int = 0
    leaving: int = 0
    moving: float = 0.0
    """Share of people who change sides: into a segment, or out of it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """People, segments, flaws, and the refreshes since the first."""

    people: int
    segments: tuple[Segment, ...] = (Segment("Customers"),)
    flaws: Flaws = _CLEAN
    seed: int = 1
    steps: tuple[Step, ...] = ()

    def later(
        self,
        *,
        changed: float = 0.0,
        arriving: int = 0,
        leaving: int = 0,
        moving: float = 0.0,
    ) -> Sample:
        """The same people at the next refresh."""
        step = Step(changed, arriving, leaving, moving)
        return dataclasses.replace(self, steps=(*self.steps, step))

    @property
    def numbers(self) -> range:
        """The numbers of the people after all refreshes."""
        gone = sum(step.leaving for step in self.steps)
        return range(gone, self.people + sum(step.arriving for step in self.steps))

    def member_of(self, number: int) -> tuple[str, ...]:
        """The names of the segments that a person is in now."""
        return tuple(
            segment.name
            for index, segment in enumerate(self.segments)
            if self._is_in(number, index, segment)
        )

    def _is_in(self, number: int, index: int, segment: Segment) -> bool:
        member = segment.share >= 1 or _draw(self.seed, number, 100 + index) < segment.share
        for refresh, step in enumerate(self.steps):
            if step.moving and _draw(self.seed, number, 1000 * (refresh + 1) + index) < step.moving:
                member = not member
        return member

    def version(self, number: int) -> int:
        """The last refresh that changed a person; 0 without one."""
        for refresh in range(len(self.steps), 0, -1):
            share = self.steps[refresh - 1].changed
            if share and _draw(self.seed, number, 1000 * refresh + 999) < share:
                return refresh
        return 0

    def flaw(self, number: int) -> str:
        """The flaw of a person's row: GOOD and so on."""
        if self.flaws == _CLEAN:
            return GOOD
        draw = _draw(self.seed, number, 1)
        for name in (MISSING, MALFORMED, SHORT, LONG, BROKEN):
            draw -= getattr(self.flaws, name)
            if draw < 0:
                return name
        return GOOD

    def address(self, number: int) -> str:
        """The address under which a good row must arrive: lower case, no spaces."""
        return self._profile(number).email

    def _profile(self, number: int) -> Person:
        who = person(self.seed, number, self.version(number))
        if self._shares(number):
            who = who._replace(email=person(self.seed, number - 1).email)
        return who

    def _shares(self, number: int) -> bool:
        # Only odd numbers share an address, with the even number before: so two people are enough to compute the result.
        shared = self.flaws.shared
        return bool(shared and number % 2 and _draw(self.seed, number, 2) < shared)

    def row(self, number: int) -> tuple[str, Person]:
        """A person's row as written, and its flaw."""
        who, flaw = self._profile(number), self.flaw(number)
        if flaw == MISSING:
            return flaw, who._replace(email="")
        if flaw == MALFORMED:
            return flaw, who._replace(email=_MALFORMED[number % len(_MALFORMED)])
        if self.flaws.untidy and _draw(self.seed, number, 3) < self.flaws.untidy:
            who = who._replace(email=f" {who.email.title()} ")
        return flaw, who


def _draw(*numbers: int) -> float:
    return mixed(*numbers) / _FULL


@dataclass(frozen=True, slots=True)
class Expected:
    """One address that must arrive: its tags, and every profile that has it (one, unless shared)."""

    address: str
    segments: frozenset[str]
    profiles: tuple[Person, ...]


def truth(sample: Sample) -> Iterator[Expected]:
    """The expected contacts, in the order of their numbers."""
    numbers = sample.numbers
    number = numbers.start
    while number < numbers.stop:
        pair = [number]
        if number % 2 == 0 and number + 1 < numbers.stop and sample._shares(number + 1):
            pair.append(number + 1)
        number += len(pair)
        good = [(n, sample.member_of(n)) for n in pair if sample.flaw(n) == GOOD]
        profiles = tuple(sample._profile(n) for n, segments in good if segments)
        if profiles:
            names = frozenset(name for _, segments in good for name in segments)
            yield Expected(profiles[0].email, names, profiles)


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of a sample. `rows` and `rejected` count rows per segment (and flaw), `people` addresses per segment."""

    distinct: int
    shared: int
    rows: Counter[str]
    rejected: Counter[tuple[str, str]]
    people: Counter[str]


def totals(sample: Sample) -> Totals:
    """Count the rows and the expected contacts of a sample."""
    distinct = shared = 0
    people: Counter[str] = Counter()
    for expected in truth(sample):
        distinct += 1
        shared += len(expected.profiles) > 1
        people.update(expected.segments)
    rows: Counter[str] = Counter()
    rejected: Counter[tuple[str, str]] = Counter()
    for number in sample.numbers:
        segments = sample.member_of(number)
        rows.update(segments)
        if (flaw := sample.flaw(number)) != GOOD:
            rejected.update((name, flaw) for name in segments)
    return Totals(distinct, shared, rows, rejected, people)


def write(
    sample: Sample,
    root: Path,
    when: datetime,
    *,
    how: Format = Format(),  # noqa: B008 - frozen
    partitions: int = 3,
    base: str = cdm.SANDBOX_BASE,
) -> list[Entity]:
    """Write the sample as a CDM folder below `root`: a new timestamped folder per segment, then model.json."""
    entities: list[Entity] = []
    with contextlib.ExitStack() as stack:
        writers: dict[str, list[PartitionWriter]] = {}
        for segment in sample.segments:
            opened = cdm.entity_writers(root, segment.name, COLUMNS, when, how, partitions)
            entity, writers[segment.name] = stack.enter_context(opened)
            entities.append(entity)
        numbers = sample.numbers
        for index, number in enumerate(numbers):
            names = sample.member_of(number)
            if names:
                flaw, who = sample.row(number)
                partition = index * partitions // len(numbers)
                for name in names:
                    _write_row(writers[name][partition], flaw, who, how)
    cdm.write_model(root, entities, when, base)
    return entities


def _write_row(writer: PartitionWriter, flaw: str, who: Person, how: Format) -> None:
    if flaw in (GOOD, MISSING, MALFORMED):
        writer.row(who)
    elif how.kind == "parquet":
        return
    elif flaw == SHORT:
        writer.row(who[: _EMAIL - 1])
    elif flaw == LONG:
        writer.row((*who, "one", "too many"))
    else:
        plain = [value.replace('"', "").replace("\n", " ") for value in who]
        plain[1] = f'"{plain[1]}" and more'
        writer.line(how.delimiter.join(v if how.delimiter not in v else f'"{v}"' for v in plain))


DEMO = Sample(
    people=64_500,
    segments=(
        Segment("HighValueCustomers", 0.3),
        Segment("NewsletterReaders", 0.6),
        Segment("SeoulLoyalty", 0.2),
    ),
    flaws=Flaws(
        missing=0.002,
        malformed=0.001,
        short=0.0003,
        long=0.0003,
        untidy=0.01,
        shared=0.004,
    ),
    seed=DEMO_SEED,
)
"""Three overlapping segments with about 50,000 distinct people, some rows of which are no good."""
