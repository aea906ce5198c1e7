"""Records: one table of Table storage per kind of record.

Rules: a record is JSON (record_entity.py says how it lies in an entity); it is created once and
replaced only by its ETag. A write whose answer was lost is tried again by the SDK and would then
lose against itself: every write carries an id of its own, so it knows itself again.
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Generic, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableEntity, UpdateMode

from shared.errors import Changed, Conflict, ConnectorError, InputError
from shared.model.ports import Stored
from shared.storage.clients import StorageClients
from shared.storage.failures import error_code, told
from shared.storage.record_entity import COLUMN, WRITE, EntityForm, join_key, split_key

__all__ = ["TableRecords"]

T = TypeVar("T")
R = TypeVar("R")

_AGAIN = {"retry_on_methods": ("GET", "POST")}
"""The SDK would not try a POST again; ours may be, for a write knows itself again."""

TRANSACTION_ROWS = 100
TRANSACTION_CHARACTERS = 600_000
"""A transaction takes 100 entities and 4 MiB; the SDK may write a character in 6 bytes."""


def _no_columns(_value: object) -> Mapping[str, str]:
    return {}


def _random_id() -> str:
    return uuid.uuid4().hex


class TableRecords(Generic[T]):
    """The Records of one kind: `table` names the table (letters and digits) and the kind.

    `columns` are the texts of a value that `all(where=...)` can compare. A table that is missing
    is created when it is first written to; reading finds nothing in it.
    """

    def __init__(
        self,
        clients: StorageClients,
        table: str,
        value_type: type[T],
        columns: Callable[[T], Mapping[str, str]] = _no_columns,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self._clients = clients
        self._kind = table
        self._form = EntityForm(table, value_type, columns)
        self._new_id = new_id

    def create(self, key: str, value: T) -> Stored[T]:
        """Write a new record. Conflict when the key is taken."""
        write = self._new_id()
        entity = self._form.entity(key, value, write)
        with told(self._kind):
            try:
                answer = self._with_table(lambda table: table.create_entity(entity, **_AGAIN))
                return Stored(key, value, str(answer["etag"]))
            except HttpResponseError as error:
                if not _is_taken(error):
                    raise
        taken = Conflict("recordExists", record=f"{self._kind} {key}")
        return self._own(key, value, write, taken)

    def create_many(self, items: Sequence[tuple[str, T]]) -> None:
        """Write many records of one partition; those that are there already stay as they are."""
        write = self._new_id()
        entities = {key: self._form.entity(key, value, write) for key, value in items}
        if len({entity["PartitionKey"] for entity in entities.values()}) > 1:
            raise InputError("recordsOfTwoPartitions", kind=self._kind)
        for batch in _batches(list(entities.values())):
            self._create_batch(batch)

    def read(self, key: str) -> Stored[T] | None:
        """The record, or None."""
        found = self._entity(key)
        return None if found is None else self._stored(key, found)

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        """Write over what was read. Changed when someone else wrote or deleted meanwhile."""
        write = self._new_id()
        entity = self._form.entity(key, value, write)
        with told(self._kind):
            try:
                answer = self._table.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
                return Stored(key, value, str(answer["etag"]))
            except (ResourceModifiedError, ResourceNotFoundError):
                pass
        changed = Changed("recordChanged", record=f"{self._kind} {key}")
        return self._own(key, value, write, changed)

    def delete(self, key: str, etag: str | None = None) -> None:
        """Delete; gone already is fine. Changed when `etag` is given and no longer true."""
        parts = split_key(key)
        if parts is None:
            return
        condition = MatchConditions.IfNotModified if etag else MatchConditions.Unconditionally
        with told(self._kind):
            try:
                self._table.delete_entity(*parts, etag=etag, match_condition=condition)
            except ResourceNotFoundError:
                return

    def all(
        self, partition: str | None = None, where: Mapping[str, str] | None = None
    ) -> Iterator[Stored[T]]:
        """Records in key order, optionally of one partition, optionally with equal columns.

        One that cannot be read keeps nobody from the others: it is raised when they are through.
        """
        unreadable: ConnectorError | None = None
        asked = {f"{COLUMN}{name}": text for name, text in (where or {}).items()}
        if partition is not None:
            asked["PartitionKey"] = partition
        condition = " and ".join(f"{name} eq @p{place}" for place, name in enumerate(asked))
        values = {f"p{place}": text for place, text in enumerate(asked.values())}
        with told(self._kind):
            pages = self._table.query_entities(condition, parameters=values).by_page()
        while True:
            # Only the page is read here: an error inside the caller's loop is the caller's own.
            with told(self._kind):
                try:
                    page = next(pages, None)
                    entities = [] if page is None else list(page)
                except ResourceNotFoundError:
                    return
            if page is None:
                break
            for entity in entities:
                try:
                    stored = self._stored(
                        join_key(entity["PartitionKey"], entity["RowKey"]), entity
                    )
                except ConnectorError as error:
                    unreadable = unreadable or error
                    continue
                yield stored
        if unreadable is not None:
            raise unreadable

    @property
    def _table(self) -> TableClient:
        return self._clients.table(self._kind)

    def _with_table(self, write: Callable[[TableClient], R]) -> R:
        """Create something, and again after creating the table when there is none yet."""
        table = self._table
        try:
            return write(table)
        except HttpResponseError as error:
            # Nothing but the table can be missing here; the answer does not always say so.
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
        try:
            table.create_table(**_AGAIN)
        except HttpResponseError as error:
            if not _is_taken(error):
                raise
        return write(table)

    def _create_batch(self, batch: list[TableEntity]) -> None:
        missing = batch
        while missing:
            wanted = missing
            if self._created(wanted):
                return
            # A transaction is all or nothing: leave out what is there, and try the rest.
            there = self._rows_between(wanted)
            missing = [entity for entity in wanted if entity["RowKey"] not in there]
            if len(missing) == len(wanted):
                raise Changed("recordsUnstable", kind=self._kind)

    def _created(self, wanted: list[TableEntity]) -> bool:
        """Create all of them; false, and none created, when one is there already."""
        operations = [("create", entity) for entity in wanted]
        with told(self._kind):
            try:
                self._with_table(lambda table: table.submit_transaction(operations, **_AGAIN))
            except HttpResponseError as error:
                if not _is_taken(error):
                    raise
                return False
        return True

    def _rows_between(self, entities: Sequence[TableEntity]) -> set[str]:
        rows = sorted(entity["RowKey"] for entity in entities)
        with told(self._kind):
            found = self._table.query_entities(
                "PartitionKey eq @partition and RowKey ge @first and RowKey le @last",
                parameters={
                    "partition": entities[0]["PartitionKey"],
                    "first": rows[0],
                    "last": rows[-1],
                },
                select=["RowKey"],
            )
            return {entity["RowKey"] for entity in found}

    def _entity(self, key: str) -> TableEntity | None:
        parts = split_key(key)
        if parts is None:
            return None
        with told(self._kind):
            try:
                return self._table.get_entity(*parts)
            except ResourceNotFoundError:
                return None

    def _own(self, key: str, value: T, write: str, lost: Conflict | Changed) -> Stored[T]:
        """The record as this very write left it, or raise that the write lost."""
        found = self._entity(key)
        if found is None or found.get(WRITE) != write:
            raise lost
        return Stored(key, value, _etag(found))

    def _stored(self, key: str, entity: TableEntity) -> Stored[T]:
        return Stored(key, self._form.value(key, entity), _etag(entity))


def _is_taken(error: HttpResponseError) -> bool:
    """Whether what should be created is there already; transactions raise a type of their own."""
    return error.status_code == HTTPStatus.CONFLICT and not error_code(error).endswith(
        "BeingDeleted"
    )


def _etag(entity: TableEntity) -> str:
    return str(entity.metadata["etag"])


def _batches(entities: Sequence[TableEntity]) -> Iterator[list[TableEntity]]:
    batch: list[TableEntity] = []
    size = 0
    for entity in entities:
        length = sum(len(text) for text in entity.values() if isinstance(text, str))
        if batch and (len(batch) == TRANSACTION_ROWS or size + length > TRANSACTION_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(entity)
        size += length
    if batch:
        yield batch
