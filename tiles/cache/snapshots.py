"""Snapshots of the database: which transactions a statement saw."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def _parsed(snapshot: str) -> tuple[int, int, frozenset[int]]:
    lowest, next_one, under_way = snapshot.split(":")
    return int(lowest), int(next_one), frozenset(int(xid) for xid in under_way.split(",") if xid)


def is_visible(xid: int, snapshot: str) -> bool:
    """Whether a committed transaction is seen by a snapshot (``pg_visible_in_snapshot``).

    Args:
        snapshot: The text of a ``pg_snapshot``: ``xmin:xmax:xip,...``.
    """
    lowest, next_one, under_way = _parsed(snapshot)
    return xid < lowest or (xid < next_one and xid not in under_way)


def next_transaction(snapshot: str) -> int:
    """The number of the first transaction that had not begun when a snapshot was taken."""
    return _parsed(snapshot)[1]


def first_under_way(snapshot: str) -> int:
    """The number of the first transaction that a snapshot may not see."""
    return _parsed(snapshot)[0]
