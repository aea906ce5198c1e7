"""Check a run against Mailchimp, before its ledger is stored.

The tags of a run that sent everyone, or of an undo, are compared with the ledger, and its contacts are
counted by status. Of a run of one person, Mailchimp's values are read. A check that fails is a finding: the run
itself is correct without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from duckdb import DuckDBPyConnection

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, ConnectorError, Disconnected, NotFound, Refused
from shared.finishing.mailchimp_counts import MailchimpCounts, count_in_mailchimp
from shared.finishing.read_back import read_back
from shared.finishing.status_proof import prove
from shared.finishing.tag_check import TagCheck, tags_to_check
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk
from shared.model.figures import RunSegment, StatusProof
from shared.model.finding import Finding, Severity
from shared.model.names import audience_key
from shared.model.one_person import SENT_JSON
from shared.model.plan import Plan
from shared.model.ports import Files
from shared.model.run import Mode, Run
from shared.model.tag import same_name
from shared.people.stored_contacts import StoredContacts
from shared.sending.chunk_payload import ChunkPayloads


@dataclass(frozen=True)
class Checked:
    """The segments with Mailchimp's own counts, findings, contacts by status, and the calls made."""

    segments: tuple[RunSegment, ...]
    findings: tuple[Finding, ...] = ()
    proof: tuple[StatusProof, ...] = ()
    calls: CallCounts = field(default_factory=CallCounts)


class _CallFailedError(Exception):
    """Mailchimp did not answer or refused; the cause is the error of the call."""


@dataclass(frozen=True)
class MailchimpCheck:
    """Checks runs. `payloads_of` returns the reader of a plan's chunks."""

    sessions: OnDemandSessions
    files: Files
    payloads_of: Callable[[Plan], ChunkPayloads]
    connection_lost: Callable[[str], None]
    contacts: StoredContacts

    def count(self, run: Run, plan: Plan) -> MailchimpCounts | None:
        """Read Mailchimp's counts; None for a run that was stopped, and for a run of one person.

        Unavailable when no connection is free, or storage is unavailable.
        """
        if run.is_stopped or run.mode is Mode.ONE_PERSON:
            return None
        compares_tags = _compares_tags(run, plan)
        return count_in_mailchimp(self.sessions, plan, compares_tags=compares_tags)

    def check(
        self,
        db: DuckDBPyConnection,
        run: Run,
        plan: Plan,
        chunks: Sequence[Chunk],
        counts: MailchimpCounts | None,
    ) -> Checked:
        """Check a run whose outcomes are in `next`, with the result of `count`.

        Unavailable when no connection is free, or storage is unavailable.
        """
        checked = Checked(plan.run_segments())
        if run.is_stopped:
            return checked
        calls: list[CallCounts] = []
        try:
            if counts is None:
                with self._session(plan, calls) as session:
                    self._read_back(db, session, plan, chunks)
            else:
                calls.append(counts.calls)
                segments, findings = self._check_tags(db, run, plan, counts, calls)
                # Without Mailchimp's counts the run is not proved, but it is correct.
                checked = Checked(segments, findings, prove(db, counts, plan))
        except (Refused, ConfigError, _CallFailedError) as error:
            if isinstance(error, Disconnected) or isinstance(error.__cause__, Disconnected):
                self.connection_lost(plan.connection_id)
            one_person = run.mode is Mode.ONE_PERSON
            code = "personNotReadBack" if one_person else "tagsNotChecked"
            checked = replace(checked, findings=(Finding(Severity.WARNING, code),))
        lost = _lost_fields(counts) if counts is not None else ()
        return replace(checked, findings=(*checked.findings, *lost), calls=sum(calls, CallCounts()))

    def _check_tags(
        self,
        db: DuckDBPyConnection,
        run: Run,
        plan: Plan,
        counts: MailchimpCounts,
        calls: list[CallCounts],
    ) -> tuple[tuple[RunSegment, ...], tuple[Finding, ...]]:
        if counts.error is not None:
            raise _CallFailedError from counts.error
        gone = {tag_id for tag_id, tag in counts.tags.items() if tag is None}
        if gone and self._is_audience_deleted(plan, calls):
            return plan.run_segments(), (Finding(Severity.WARNING, "audienceDeleted"),)
        findings = [
            Finding(Severity.WARNING, "tagGone", values={"tag": tag.tag})
            for tag in plan.tags
            if tag.tag_id in gone
        ]
        for planned in plan.tags:
            tag_now = counts.tags.get(planned.tag_id)
            if tag_now is not None and not same_name(tag_now.name, planned.tag):
                values = {"tag": planned.tag}
                findings.append(Finding(Severity.WARNING, "tagRenamed", values=values))
        counted = {tag_id: tag.member_count for tag_id, tag in counts.tags.items() if tag}
        to_check = tags_to_check(db, counts.tags, plan, read_back=run.mode is Mode.FULL)
        if to_check:
            key = audience_key(plan.account_id, plan.audience_id)
            contact_ids = partial(self.contacts.ids, key)
            with self._session(plan, calls) as session:
                for tag in to_check:
                    check = TagCheck(
                        db, session, plan.audience_id, tag, contact_ids, run.undo_of is not None
                    )
                    count, found = check.run()
                    counted[tag.planned.tag_id] = count
                    findings += found
        return plan.run_segments(counted), tuple(findings)

    def _is_audience_deleted(self, plan: Plan, calls: list[CallCounts]) -> bool:
        try:
            with self._session(plan, calls) as session:
                session.audience(plan.audience_id)
        except _CallFailedError as error:
            if isinstance(error.__cause__, NotFound):
                return True
            raise
        return False

    def _read_back(
        self,
        db: DuckDBPyConnection,
        session: MailchimpSession,
        plan: Plan,
        chunks: Sequence[Chunk],
    ) -> None:
        """Store what was sent of one person, beside what Mailchimp has now."""
        # The tags of everyone else are checked by the runs that send everyone.
        contacts = read_back(db, session, plan, self.payloads_of(plan), chunks)
        self.files.write(plan.sent_person, SENT_JSON.dump_json(contacts))

    @contextmanager
    def _session(self, plan: Plan, calls: list[CallCounts]) -> Iterator[MailchimpSession]:
        """Open a session and add its calls to `calls`. _CallFailedError when a call fails."""
        with self.sessions.session(plan.connection_id, plan.account_id, patience=0.0) as session:
            try:
                yield session
            except ConnectorError as error:
                raise _CallFailedError from error
            finally:
                calls.append(session.calls)


def _compares_tags(run: Run, plan: Plan) -> bool:
    """Whether the tags of a run are compared and repaired. After an undo, only those of its people are.

    A retry, a run without a usable row and a run that only carries out withdrawals of consent leave other people as they
    are. People who are neither in the ledger nor in the segments may be among them: a ledger does not have everyone who has
    a tag until a run has sent everyone.
    """
    return run.undo_of is not None or (plan.source_fingerprint != "" and plan.reason is None)


def _lost_fields(counts: MailchimpCounts) -> tuple[Finding, ...]:
    return tuple(
        Finding(Severity.WARNING, "mergeFieldGone", values={"tag": tag})
        for tag in counts.lost_fields
    )
