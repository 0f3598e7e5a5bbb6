"""What was believed when: whether an instant of recorded time is settled.

A publication takes its recorded instant before it commits. Whoever asked meanwhile what was
believed at a later instant would get an answer that the commit makes wrong. So a publication marks,
before it takes its instant, the second in which it does so, and an instant that is not before the
mark of a publication under way has no answer yet. The mark is an advisory lock, which ends with the
transaction however that ends, and which every role can see.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from layers.errors import InvalidParameter, NotYetSettled

SETTLED = """
    SELECT statement_timestamp() < :as_recorded AS is_ahead,
           coalesce(bool_or(
               mod(CAST(objid AS bigint) + 2147483648, 4294967296)
                   <= extract(epoch FROM CAST(:as_recorded AS timestamptz))
           ), false) AS is_open
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = CAST(hashtext('publishing ' || CAST(:layer AS text)) AS oid)"""
"""Whether an instant is ahead of the clock, and whether a publication under way may lie before it.

To be asked before the rows are read: what begins later gets a later instant.
"""


def mark_publication(connection: Connection, layer_name: str) -> None:
    """Say until the transaction ends that a publication takes its instant from now on."""
    connection.execute(
        text(
            "SELECT pg_advisory_xact_lock(hashtext('publishing ' || CAST(:layer AS text)), "
            # A key is a signed integer, which ends in 2038 unless it begins below zero.
            "CAST(floor(extract(epoch FROM clock_timestamp())) - 2147483648 AS integer))"
        ),
        {"layer": layer_name},
    )


def refuse_unsettled(as_recorded: datetime, *, is_ahead: bool, is_open: bool) -> None:
    """Stop at an instant whose answer could still change.

    Args:
        as_recorded: The instant, aware.
        is_ahead: As ``SETTLED`` says.
        is_open: The same.

    Raises:
        InvalidParameter: the instant is ahead of the clock.
        NotYetSettled: a publication under way may lie before it.
    """
    if is_ahead:
        raise InvalidParameter("as_recorded", as_recorded, "lies in the future")
    if is_open:
        raise NotYetSettled(as_recorded)
