"""Publishes the table `MailchimpConsent` for Customer Insights: the status of each profile in each audience.

The container of the outcome files (runs/outcome_file.py) has the folder `consent/` with

    model.json                                            lists the current file of each audience
    <account>/<audience>/<version>/MailchimpConsent.csv   never changed, except for an erasure

Publishing uploads a new version, names it in the record of the audience, and then replaces `model.json` by a
conditional write that lists the versions of all records. So a reader only finds complete files, and two audiences
that are published at the same time are both listed. A file that is no longer listed is kept for two hours, because
a reader may be using it.

Statuses come from the last sweep (sweep.py), profiles from the ledgers of the audience's exports. The files contain
no addresses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Changed, Conflict, NotFound
from shared.model.clocks import WRONG_CLOCK
from shared.model.consent import ConsentSweep, PublishedConsent
from shared.model.names import audience_in, audience_key
from shared.model.ports import Files, Records, create_or_replace, delete_all, update
from shared.people.erasures import Erasures
from shared.people.stored_contacts import open_contacts
from shared.runs.cdm_model import CdmTable
from shared.workspace import SqlFile, small_workspace

_FOLDER = "consent/"
_MODEL = f"{_FOLDER}model.json"
_STAMP = "%Y%m%dT%H%M%SZ"
_GRACE = timedelta(hours=2)
# The pause between two versions is the number of rows divided by this, so that a large table is not written all day.
ROWS_A_SECOND = 20_000
_TABLE = CdmTable(
    "MailchimpConsent",
    "The status of every exported person in every audience.",
    "Consent as Mailchimp has it.",
    (
        ("MailchimpConsentId", "string"),
        ("CustomerId", "string"),
        ("audienceId", "string"),
        ("audienceName", "string"),
        ("status", "string"),
        ("since", "dateTime"),
        ("reason", "string"),
        ("campaignId", "string"),
    ),
)
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class ConsentTable:
    """Publishes the table. `files` is the container at `url`, `state` the state container."""

    records: Records[PublishedConsent]
    files: Files
    url: str
    state: Files
    erasures: Erasures
    now: Callable[[], datetime]
    token: Callable[[], str]

    def publish(
        self,
        account_id: str,
        audience_id: str,
        audience_name: Callable[[], str],
        sweep: ConsentSweep,
        ledgers: Sequence[str],
    ) -> float:
        """Publish the statuses of a sweep for the people of these ledgers, unless they are published already.

        Returns 0, or the seconds after which to try again because the last version is too recent.
        `audience_name` is called only for a new version. Changed when another process published first, or a
        ledger was replaced meanwhile.
        """
        key = audience_key(account_id, audience_id)
        stored = self.records.read(key)
        published = stored.value if stored else PublishedConsent()
        erased = sorted(erasure.key for erasure in self.erasures.records.all())
        fingerprint = _fingerprint([sweep.blob, sorted(ledgers), erased])
        if published.fingerprint != fingerprint:
            if (seconds := self._too_recent(published)) > 0:
                return seconds
            version = f"{self.now().astimezone(UTC).strftime(_STAMP)}-{self.token()}"
            name = audience_name()
            statuses = self._write(key, version, name, sweep.blob, ledgers, erased)
            published = replace(
                published,
                version=version,
                rows=sum(statuses.values()),
                statuses=statuses,
                audience_name=name,
                fingerprint=fingerprint,
                published_at=self.now(),
            )
            try:
                create_or_replace(self.records, key, published, stored)
            except Changed:
                self.files.delete(_csv(key, version))
                raise
        if published.described != published.version:
            self._describe(key, published.version)
        self._delete_old(key, published.version)
        return 0

    def _too_recent(self, published: PublishedConsent) -> float:
        if published.published_at is None:
            return 0
        pause = published.rows / ROWS_A_SECOND
        left = pause - (self.now() - published.published_at).total_seconds()
        # A time of publication in the future was written by a wrong clock.
        return left if left <= pause + WRONG_CLOCK.total_seconds() else 0

    def remove(self, key: str) -> None:
        """Remove an audience from the table. May be repeated."""
        stored = self.records.read(key)
        if stored is None:
            return
        if stored.value.version:
            self.records.replace(key, PublishedConsent(), stored.etag)
        self._describe(key, "")
        delete_all(self.files, _folder(key))
        self.records.delete(key)

    def remove_profiles(self, key: str, customers: Collection[str]) -> int:
        """Remove profiles from all files of an audience, or of all audiences if the key is empty.

        Returns the number of removed rows.
        """
        if not customers:
            return 0
        folder = _folder(key) if key else _FOLDER
        names = [name for name in self.files.names(folder) if name != _MODEL]

        def without(db: DuckDBPyConnection) -> int:
            return _SQL.number(db, "remove_profiles", customers=list(customers))

        return sum(_TABLE.rewrite(self.files, name, without) for name in names)

    def _write(
        self,
        key: str,
        version: str,
        audience_name: str,
        statuses: str,
        ledgers: Sequence[str],
        erased: Collection[str],
    ) -> dict[str, int]:
        """Upload a version. Returns the number of its rows by status."""
        with small_workspace() as (db, folder):
            _SQL.run(db, "create")
            for blob in ledgers:
                _SQL.run(db, "ledger", file=str(self._download(blob, folder / "ledger.parquet")))
            if statuses:
                open_contacts(db, self._download(statuses, folder / "statuses.parquet"))
                _SQL.run(db, "statuses")
            if erased:
                _SQL.run(db, "candidates")
                self.erasures.marker_for_tokens(erased)(db)
                _SQL.run(db, "erased")
            audience_id = audience_in(key)
            _SQL.run(db, "mailchimp_consent", audience_id=audience_id, audience_name=audience_name)
            _SQL.run(db, "write", file=str(folder / "consent.csv"))
            self.files.upload(folder / "consent.csv", _csv(key, version))
            return dict(_SQL.rows(db, "count"))

    def _download(self, blob: str, local: Path) -> Path:
        try:
            self.state.download(blob, local)
        except NotFound:
            raise Changed("recordContended") from None
        return local

    def _describe(self, key: str, version: str) -> None:
        """Replace `model.json` by one that lists the current versions of all audiences."""
        try:
            self.files.update(_MODEL, lambda _: self._model())
        except NotFound:
            try:
                self.files.write(_MODEL, self._model(), once=True)
            except Conflict:
                # Another audience wrote the first one, perhaps from older records.
                self.files.update(_MODEL, lambda _: self._model())

        def described(current: PublishedConsent) -> PublishedConsent | None:
            return replace(current, described=version) if current.version == version else None

        update(self.records, key, described)

    def _model(self) -> bytes:
        current = sorted((one.key, one.value.version) for one in self.records.all())
        locations = [f"{self.url}/{_csv(key, version)}" for key, version in current if version]
        return _TABLE.model(locations, self.now())

    def _delete_old(self, key: str, current: str) -> None:
        """Delete files that were replaced more than two hours ago, and those of a killed publication."""
        names = [name for name in self.files.names(_folder(key)) if _version(name) <= current]
        for name, successor in pairwise(names):
            replaced = datetime.strptime(_version(successor)[:16], _STAMP).replace(tzinfo=UTC)
            if self.now() - replaced > _GRACE:
                self.files.delete(name)


def _folder(key: str) -> str:
    return f"{_FOLDER}{key}/"


def _csv(key: str, version: str) -> str:
    return f"{_folder(key)}{version}/{_TABLE.name}.csv"


def _version(name: str) -> str:
    return name.split("/")[-2]


def _fingerprint(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
