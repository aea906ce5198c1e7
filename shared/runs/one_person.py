"""Sends one person of an export: starts the run, and reads what came of it.

The person is stored in a file of the run, which exists before the run's first message is sent. A run
without that file (its start was killed, or the person was erased) sends no one.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import NotFound
from shared.model.names import person_blob
from shared.model.one_person import PERSON_JSON, SENT_JSON, ChosenPerson, SentPerson
from shared.model.ports import Files
from shared.model.run import Mode, Run
from shared.runs.plan_store import read_plan
from shared.runs.start import Starter


@dataclass(frozen=True)
class OnePerson:
    """Starts runs of one person and reads their results."""

    starter: Starter
    files: Files

    def start(self, export_id: str, by: str, person: ChosenPerson) -> Run:
        """Start a run that sends one person. Conflict while another run is active or waits."""

        def store(run: Run) -> None:
            self.files.write(person_blob(run.id), PERSON_JSON.dump_json(person))

        return self.starter.start_partial(export_id, Mode.ONE_PERSON, by, before_planning=store)

    def sent(self, run_id: str) -> list[SentPerson]:
        """What was sent, beside what Mailchimp has. NotFound when it is not stored (yet, or any more)."""
        try:
            plan = read_plan(self.files, run_id)
            return SENT_JSON.validate_json(self.files.read(plan.sent_person))
        except (NotFound, ValueError):
            raise NotFound("sentPersonGone") from None


def chosen_person(files: Files, run_id: str) -> ChosenPerson:
    """The person that a run sends. NotFound when the file is missing or damaged."""
    try:
        return PERSON_JSON.validate_json(files.read(person_blob(run_id)))
    except (NotFound, ValueError):
        raise NotFound("personGone") from None
