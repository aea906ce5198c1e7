"""Records: one table of Table Storage per kind of record.

A record is JSON (record_entity.py has the format). It is created once and replaced only with its
ETag. The SDK retries a write whose response was lost, and the retry finds the record changed: every
write has an id, so that it recognizes its own result.
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
from shared.request_time import RequestThreads
from shared.storage.clients import StorageClients
from shared.storage.failures import azure_errors, error_code, read_pages
from shared.storage.record_entity import ALONE, COLUMN, WRITE, EntityForm, join_key, split_key

T = TypeVar("T")
R = TypeVar("R")

_AGAIN = {"retry_on_methods": ("GET", "POST")}
"""The SDK does not retry a POST by default; ours are safe to retry because of the write id."""

_TRANSACTION_ROWS = 100
_TRANSACTION_CHARACTERS = 600_000
"""A transaction has at most 100 entities and 4 MiB; the SDK may use 6 bytes per character."""
_TRANSACTIONS_AT_A_TIME = 4


def _no_columns(_value: object) -> Mapping[str, str]:
    return {}


def _random_id() -> str:
    return uuid.uuid4().hex


class TableRecords(Generic[T]):
    """Implements Records for one kind, in the table of that name (letters and digits).

    `columns` returns the strings that `all(where=...)` can compare. The first write creates the
    table; a missing table reads as empty.
    """

    def __init__(
        self,
        clients: StorageClients,
        table: str,
        value_type: type[T],
        columns: Callable[[T], Mapping[str, str]] = _no_columns,
    ) -> None:
        self._clients = clients
        self._kind = table
        self._form = EntityForm(table, value_type, columns)

    def create(self, key: str, value: T) -> Stored[T]:
        """Write a new record. Conflict when the key exists."""
        write = _random_id()
        entity = self._form.entity(key, value, write)
        with azure_errors(self._kind):
            try:
                answer = self._with_table(lambda table: table.create_entity(entity, **_AGAIN))
                return Stored(key, value, str(answer["etag"]))
            except HttpResponseError as error:
                if not _is_taken(error):
                    raise
        taken = Conflict("recordExists", record=f"{self._kind} {key}")
        return self._stored_by_this_write(key, value, write, taken)

    def create_many(self, items: Sequence[tuple[str, T]]) -> None:
        """Write many records of one partition; existing ones stay unchanged.

        If this fails or the process is killed, any of them may exist. Another call completes them.
        """
        write = _random_id()
        entities = {key: self._form.entity(key, value, write) for key, value in items}
        if len({entity["PartitionKey"] for entity in entities.values()}) > 1:
            raise InputError("recordsOfTwoPartitions", kind=self._kind)
        with RequestThreads(_TRANSACTIONS_AT_A_TIME) as threads:
            # After an error, those that have not begun are left out.
            list(threads.map(self._create_batch, _batches(list(entities.values()))))

    def read(self, key: str) -> Stored[T] | None:
        """Read a record, or None."""
        found = self._entity(key)
        return None if found is None else self._stored(key, found)

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        """Replace a record. Changed when it was written or deleted after it was read."""
        write = _random_id()
        entity = self._form.entity(key, value, write)
        with azure_errors(self._kind):
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
        return self._stored_by_this_write(key, value, write, changed)

    def delete(self, key: str, etag: str | None = None) -> None:
        """Delete a record, if it exists. Changed when `etag` is given and no longer matches."""
        parts = split_key(key)
        if parts is None:
            return
        condition = MatchConditions.IfNotModified if etag else MatchConditions.Unconditionally
        with azure_errors(self._kind):
            try:
                self._table.delete_entity(*parts, etag=etag, match_condition=condition)
            except ResourceNotFoundError:
                return

    def all(
        self,
        partition: str | None = None,
        where: Mapping[str, str] | None = None,
        *,
        after: str = "",
        last: str = "",
        page: int | None = None,
    ) -> Iterator[Stored[T]]:
        """Read records in key order, optionally of one partition or with equal columns.

        With `after` and `last`, only records with a greater key, and up to a key, of one part. An
        unreadable record is skipped, and its error raised after the last one.
        """
        unreadable: ConnectorError | None = None
        condition, values = _query(partition, where or {}, after, last)
        with azure_errors(self._kind):
            pages = self._table.query_entities(
                condition, parameters=values, results_per_page=page
            ).by_page()
        for entities in read_pages(pages, self._kind):
            for entity in entities:
                key = join_key(entity["PartitionKey"], entity["RowKey"])
                try:
                    stored = self._stored(key, entity)
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
        """Write; create the table and write again when it does not exist."""
        table = self._table
        try:
            return write(table)
        except HttpResponseError as error:
            # Only the table can be missing here; the error code is not always specific.
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
            # A transaction is all or nothing: retry without the existing records.
            existing = self._rows_between(wanted)
            missing = [entity for entity in wanted if entity["RowKey"] not in existing]
            if len(missing) == len(wanted):
                raise Changed("recordsUnstable", kind=self._kind)

    def _created(self, wanted: list[TableEntity]) -> bool:
        """Create all in one transaction; False, without a change, when one exists already."""
        operations = [("create", entity) for entity in wanted]
        with azure_errors(self._kind):
            try:
                self._with_table(lambda table: table.submit_transaction(operations, **_AGAIN))
            except HttpResponseError as error:
                if not _is_taken(error):
                    raise
                return False
        return True

    def _rows_between(self, entities: Sequence[TableEntity]) -> set[str]:
        rows = sorted(entity["RowKey"] for entity in entities)
        with azure_errors(self._kind):
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
        with azure_errors(self._kind):
            try:
                return self._table.get_entity(*parts)
            except ResourceNotFoundError:
                return None

    def _stored_by_this_write(
        self, key: str, value: T, write: str, lost: Conflict | Changed
    ) -> Stored[T]:
        """Return the record if this write left it; raise `lost` otherwise."""
        found = self._entity(key)
        if found is None or found.get(WRITE) != write:
            raise lost
        return Stored(key, value, _etag(found))

    def _stored(self, key: str, entity: TableEntity) -> Stored[T]:
        return Stored(key, self._form.value(key, entity), _etag(entity))


def _query(
    partition: str | None, where: Mapping[str, str], after: str, last: str
) -> tuple[str, dict[str, str]]:
    """The condition of a query, and the values of its parameters."""
    equal = {f"{COLUMN}{name}": text for name, text in where.items()}
    if partition is not None or after or last:
        equal["PartitionKey"] = ALONE if partition is None else partition
    compared = [(name, "eq", text) for name, text in equal.items()]
    compared += [("RowKey", "gt", after)] if after else []
    compared += [("RowKey", "le", last)] if last else []
    conditions = [f"{name} {how} @p{number}" for number, (name, how, _) in enumerate(compared)]
    values = {f"p{number}": text for number, (_, _, text) in enumerate(compared)}
    return " and ".join(conditions), values


def _is_taken(error: HttpResponseError) -> bool:
    """Whether the error means "exists already"; transactions raise their own exception type."""
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
        if batch and (len(batch) == _TRANSACTION_ROWS or size + length > _TRANSACTION_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(entity)
        size += length
    if batch:
        yield batch
