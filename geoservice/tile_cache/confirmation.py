"""Waiting until every worker has heard of a change: what is reported done is seen by all."""

from __future__ import annotations

import time

from sqlalchemy import text

from geoservice.db import DatabaseAddress
from layers.roles import Role
from layers.tables import SCHEMA

_EVERY_S = 0.02

_LONGEST_S = 10.0
"""Longer than any lease: a worker that does not answer answers nobody from its cache by then."""

_UNHEARD = text(
    f"""
    SELECT EXISTS (
        SELECT FROM {SCHEMA}.tile_readers r
        JOIN {SCHEMA}.tile_changes c
          ON NOT pg_visible_in_snapshot(CAST(CAST(c.xid AS text) AS xid8),
                                        CAST(r.reached AS pg_snapshot))
        WHERE r.lease_until > clock_timestamp()
          AND c.changed_at > clock_timestamp() - interval '1 hour')"""
)


def wait_for_readers(address: DatabaseAddress) -> None:
    """Wait until no worker answers from a cache that lacks what was committed until now."""
    deadline = time.monotonic() + _LONGEST_S
    with address.connect(Role.LOADER) as connection:
        while connection.execute(_UNHEARD).scalar_one() and time.monotonic() < deadline:
            connection.rollback()
            time.sleep(_EVERY_S)
