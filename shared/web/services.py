"""The parts of the app that the web interface uses.

The composition root creates one `Services` and passes it in. A part that is not configured is None; its
routes are then neither served nor described.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.capacity.on_demand import OnDemandSessions
from shared.connections.connections import Connections
from shared.connections.entra import Entra
from shared.connections.sign_in import SignIns
from shared.connections.sign_in_state import SignedStates
from shared.errors import NotFound
from shared.exports.definitions import Definitions
from shared.finishing.differences import Difference
from shared.model.connection import Connection
from shared.model.consent import ConsentState
from shared.model.export import Export, Schedule
from shared.model.one_person import ChosenPerson, SentPerson
from shared.model.ports import Records, Secrets
from shared.model.preview import SamplePerson
from shared.model.run import Run, RunStatus
from shared.model.sign_in import ApiKeyChecker, OAuthSignIn
from shared.people.erasures import Erasure
from shared.people.exclusion_lists import ExclusionLists
from shared.people.search import Found
from shared.planning.hygiene import AudienceHygiene
from shared.runs.history import RunFilter
from shared.runs.outcomes import OutcomePage, OutcomeReason, OutcomeRow
from shared.segments.catalogue import Catalogue
from shared.segments.described import DescribedCatalogue
from shared.segments.rest import RefreshJob
from shared.web.audit_entry import AuditEntry
from shared.web.authentication import Authenticator

__all__ = ["Services"]


@dataclass(frozen=True)
class Services:
    """Everything the web interface works with.

    `run` gives current progress; `runs(export_id, status, top)` is newest first, None means any;
    `history` pages through them, and `last_runs` reads the newest run of each of these exports.
    `start` returns the active run while there is one. `disconnected` stops the runs of exports whose
    connection was disconnected; `disconnecting` ends, before that, what needs its grant. All raise the errors of errors.py.
    """

    authenticator: Authenticator
    connection_records: Records[Connection]
    export_records: Records[Export]
    audit_records: Records[AuditEntry]
    schedule_records: Records[Schedule]
    secrets: Secrets
    mailchimp: OnDemandSessions
    catalogue: Catalogue | DescribedCatalogue
    api_keys: ApiKeyChecker
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    start: Callable[..., Run]
    run: Callable[[str], Run]
    runs: Callable[[str | None, RunStatus | None, int], list[Run]]
    history: Callable[[RunFilter, int, str], list[Run]]
    last_run: Callable[[str], Run | None]
    last_runs: Callable[[Iterable[str]], Mapping[str, Run]]
    cancel: Callable[[str, str], Run]
    confirm: Callable[[str, str], Run]
    retry: Callable[[str, str], Run]
    undo: Callable[[str, str, bool], Run]
    can_undo: Callable[[Run], bool]
    outcomes: Callable[[str, str | None], Iterator[OutcomeRow]]
    has_outcomes: Callable[[str], bool]
    outcome_totals: Callable[[str], Sequence[tuple[str, str, str, int]]]
    samples: Callable[[str], Sequence[SamplePerson]]
    differences: Callable[[str], tuple[Sequence[str], Iterator[Difference]]]
    hygiene: Callable[[str, str], AudienceHygiene]
    archive_unused: Callable[[str, str, int], Run]
    send_person: Callable[[str, str, ChosenPerson], Run]
    sent_person: Callable[[str], Sequence[SentPerson]]
    outcome_reasons: Callable[[str, str, int], Sequence[OutcomeReason]]
    outcome_totals_and_reasons: Callable[
        [str, str, int], tuple[Sequence[tuple[str, str, str, int]], Sequence[OutcomeReason]]
    ]
    outcome_page: Callable[[str, str, str, str, int, int], OutcomePage]
    search: Callable[[str, str], Sequence[Found]]
    erase: Callable[[str, bool, str], Erasure]
    exclusions: ExclusionLists
    refresh_jobs: Callable[[], Sequence[RefreshJob]] | None = None
    export_removed: Callable[[str], object] = lambda _: None
    disconnected: Callable[[Collection[str]], object] = lambda _: None
    disconnecting: Callable[[str], object] = lambda _: None
    consent_states: Callable[[str], Sequence[ConsentState]] = lambda _: ()
    webhook_called: Callable[[str, bytes, str], bool] = lambda _token, _body, _signature: False
    sign_in_states: SignedStates | None = None
    mailchimp_sign_in: OAuthSignIn | None = None
    entra_sign_in: Entra | None = None
    public_url: str = ""
    max_profiles: int = 1_000_000

    @property
    def definitions(self) -> Definitions:
        """The export definitions."""
        return Definitions(
            self.export_records, self._is_busy, self.clock, self.new_id, self.export_removed
        )

    @property
    def connections(self) -> Connections:
        """The connections."""
        return Connections(
            self.connection_records, self.secrets, self.definitions, self.clock, self.new_id
        )

    @property
    def has_mailchimp_sign_in(self) -> bool:
        """Whether browsers can be sent to sign-in pages and come back."""
        return self.sign_in_states is not None

    @property
    def has_entra_sign_in(self) -> bool:
        """Whether an export user can be added."""
        return self.sign_in_states is not None and self.entra_sign_in is not None

    def sign_ins(self) -> SignIns:
        """The sign-ins of Mailchimp and Entra. NotFound when neither is configured."""
        if self.sign_in_states is None:
            raise NotFound("signInOff")
        return SignIns(
            self.connections,
            self.sign_in_states,
            self.public_url,
            self.mailchimp_sign_in,
            self.entra_sign_in,
        )

    def _is_busy(self, export_id: str) -> bool:
        run = self.last_run(export_id)
        return run is not None and run.is_active
