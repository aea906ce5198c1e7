"""People are compared with the ledger."""

from __future__ import annotations

import pytest
from duckdb import DuckDBPyConnection

from shared.planning.checking.removal_guard import find_unconfirmed
from shared.planning.comparing.compare import Rules, count
from shared.planning.reading.ledger import forget_tags, tags_in_ledger
from tests.planning.plan_tables import (
    compare_all,
    kinds,
    ledger_of,
    no_one_unsubscribed,
    read_rows,
    segments_of,
    unsubscribed,
)


def test_every_kind_of_change_is_distinguished(db: DuckDBPyConnection) -> None:
    read_rows(
        db, segments_of(A="new same changed tagless kept refused moved", B="same keptandmoved")
    )
    unsubscribed(db, kept="unsubscribed", keptandmoved="pending", gone="cleaned")
    ledger_of(
        db,
        ("same", "x", [1, 2], None),
        ("changed", "y", [1], None),
        ("tagless", "x", [], None),
        ("refused", None, [], "fieldRefused"),
        ("moved", "x", [1, 2], None),
        ("keptandmoved", "x", [1], None),
        ("gone", "x", [2], None),
        ("longgone", "x", [], None),
    )

    compare_all(db, Rules(tag_ids=[1, 2], mapping=""))

    assert kinds(db) == {
        "new": ("add", None, None),
        "same": ("unchanged", None, None),
        "changed": ("update", None, None),
        "tagless": ("update", None, None),
        "kept": ("kept", "unsubscribed", None),
        "refused": ("rejected", "fieldRefused", None),
        "moved": ("unchanged", None, [2]),
        "keptandmoved": ("kept", "pending", [1]),
        "gone": ("left", None, [2]),
    }
    counts = count(db, 9).of_run
    assert (counts.distinct, counts.new, counts.changed, counts.unchanged) == (8, 1, 2, 2)
    assert (counts.left, counts.kept, counts.rejected) == (3, 2, 1)


def test_rules_affect_what_is_sent(db: DuckDBPyConnection) -> None:
    read_rows(db, segments_of(A="same refused"))
    no_one_unsubscribed(db)
    ledger_of(
        db, ("same", "x", [1], None), ("refused", None, [], "refused"), ("gone", "x", [1], None)
    )

    compare_all(
        db, Rules(tag_ids=[1], mapping="", everything=True, ask_again=True, remove_tags=False)
    )
    assert kinds(db) == {"same": ("update", None, None), "refused": ("add", None, None)}

    compare_all(db, Rules(tag_ids=[1], mapping="another mapping"))
    assert kinds(db)["same"] == ("update", None, None)
    assert kinds(db)["gone"] == ("left", None, [1])


def test_removing_from_a_deleted_tag_is_not_an_error(db: DuckDBPyConnection) -> None:
    read_rows(db, segments_of(A="ann"))
    no_one_unsubscribed(db)
    ledger_of(db, ("ann", "x", [1, 2], None), ("bob", "x", [1], None))

    deleted = tuple(tag for tag in tags_in_ledger(db) if tag not in {2, 3})
    forget_tags(db, deleted)
    compare_all(db, Rules(tag_ids=[3], mapping=""))

    assert deleted == (1,)
    assert kinds(db) == {"ann": ("update", None, [2])}


@pytest.mark.parametrize(("share", "stopped"), [(0.49, True), (0.5, False), (1.0, False)])
def test_the_removal_guard_checks_each_tag(
    db: DuckDBPyConnection, share: float, stopped: bool
) -> None:
    read_rows(db, segments_of(A="a b c d e f", B="a"))
    no_one_unsubscribed(db)
    others = [(name, "x", [1], None) for name in "cdef"]
    ledger_of(db, ("a", "x", [1, 2], None), ("b", "x", [1, 2], None), *others)
    compare_all(db, Rules(tag_ids=[1, 2], mapping=""))

    assert find_unconfirmed(db, share).removals is stopped
