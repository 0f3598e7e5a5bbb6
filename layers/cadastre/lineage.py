"""What parcels came from and what became of them, as transactions say that were not undone.

Builders only; the caller runs the statements on a connection of the level's role, whose views show
the transactions of which the level may see every parcel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Select,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
    table,
    union_all,
)

from layers.access import Clearance
from layers.parcels import LAYER
from layers.versions import readable
from layers.views import PARCEL_KEYS, PARCEL_LINKS, PARCEL_TRANSACTIONS

MAX_TRANSACTIONS = 1_000
"""In one answer."""

_INSTANT = DateTime(timezone=True)
_KEYS = table(PARCEL_KEYS, column("code", Text), column("feature_id", BigInteger))
_TRANSACTIONS = table(
    PARCEL_TRANSACTIONS,
    column("transaction_id", BigInteger),
    column("kind", Text),
    column("recorded_at", _INSTANT),
    column("document_no", Text),
    column("reason", Text),
    column("made_by", BigInteger),
    column("predecessors", ARRAY(Text)),
    column("successors", ARRAY(Text)),
    column("is_undone", Boolean),
)


def select_transactions(began: datetime | None, ended: datetime | None) -> Select[Any]:
    """Transactions recorded in a half-open interval, oldest first, one more than are shown.

    Args:
        began: Aware, inside; None is without a beginning.
        ended: Aware, outside; None is without an end.
    """
    recorded = _TRANSACTIONS.c.recorded_at
    wanted = select(_TRANSACTIONS).order_by(recorded).limit(MAX_TRANSACTIONS + 1)
    if began is not None:
        wanted = wanted.where(recorded >= began)
    if ended is not None:
        wanted = wanted.where(recorded < ended)
    return wanted


def select_feature_id() -> Select[Any]:
    """The feature_id of the parcel with the bound ``code``, if it is or ever was there."""
    return select(_KEYS.c.feature_id).where(_KEYS.c.code == bindparam("code")).limit(1)


def select_links() -> Select[Any]:
    """The numbers of the transactions in which parcels of the bound ``codes`` have a part.

    It is that of successors or of predecessors, as the bound ``is_successor`` says.
    """
    links = table(
        PARCEL_LINKS,
        column("code", Text),
        column("transaction_id", BigInteger),
        column("is_successor", Boolean),
    )
    return select(links.c.transaction_id).where(
        links.c.code.in_(bindparam("codes", expanding=True)),
        links.c.is_successor == bindparam("is_successor"),
    )


def select_standing() -> Select[Any]:
    """The transactions with the bound ``numbers``, without those that were undone.

    The numbers are asked for before: a join is not carried out below a security barrier.
    """
    return select(_TRANSACTIONS).where(
        _TRANSACTIONS.c.transaction_id.in_(bindparam("numbers", expanding=True)),
        ~_TRANSACTIONS.c.is_undone,
    )


def select_periods(level: Clearance) -> Select[Any]:
    """When parcels of the bound ``codes`` are held to be there.

    Rows: ``code``, ``began`` and ``ended`` (null where it has no end); none of a parcel of which
    nothing is held any more.
    """
    view = readable(LAYER, level)
    numbers = select(_KEYS.c.feature_id).where(_KEYS.c.code.in_(bindparam("codes", expanding=True)))
    branches = union_all(
        *(
            select(view.c.code, view.c.valid_during).where(view.c.feature_id.in_(numbers), which)
            # Each has its own index by feature.
            for which in (
                func.upper_inf(view.c.valid_during),
                ~func.upper_inf(view.c.valid_during),
            )
        )
    ).subquery("held")
    ended = func.nullif(
        func.max(func.coalesce(func.upper(branches.c.valid_during), cast("infinity", _INSTANT))),
        cast("infinity", _INSTANT),
    )
    began = func.min(func.lower(branches.c.valid_during))
    return select(branches.c.code, began.label("began"), ended.label("ended")).group_by(
        branches.c.code
    )


def transaction_document(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A transaction as it is told; what the level may not know is left out."""
    document = dict(row)
    hidden = [name for name in ("document_no", "reason", "made_by") if document[name] is None]
    for name in hidden:
        del document[name]
    return document


def lineage_graph(transactions: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """The edges of a lineage, oldest first: from each predecessor to each successor."""
    return [
        {
            "from": predecessor,
            "to": successor,
            "kind": row["kind"],
            "transaction_id": row["transaction_id"],
            "recorded_at": row["recorded_at"],
        }
        for row in sorted(transactions, key=lambda row: row["transaction_id"])
        for predecessor in row["predecessors"]
        for successor in row["successors"]
    ]
