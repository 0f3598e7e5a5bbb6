"""API keys: made once, shown once, kept as a hash.

A key is 32 random bytes, so a plain SHA-256 is a sufficient hash: there is nothing to guess.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, Select, func, insert, or_, select, update

from layers.access import Clearance, Grant
from layers.system_tables import api_keys

PREFIX = "gsk_"


@dataclass(frozen=True)
class KeyRecord:
    """What is kept of a key; never the key."""

    key_id: int
    label: str
    clearance: Clearance
    grants: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def hash_key(key: str) -> str:
    """The hash by which a key is found, hexadecimal."""
    return sha256(key.encode()).hexdigest()


def create_key(
    connection: Connection,
    *,
    label: str,
    clearance: Clearance,
    grants: Sequence[Grant] = (),
    expires_at: datetime | None = None,
) -> str:
    """Make a key and return it, this once; the caller commits."""
    key = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        insert(api_keys).values(
            label=label,
            key_hash=hash_key(key),
            clearance=int(clearance),
            grants=[str(grant) for grant in grants],
            expires_at=expires_at,
        )
    )
    return key


def list_keys(connection: Connection) -> list[KeyRecord]:
    """All keys ever made, oldest first."""
    columns = [c for c in api_keys.c if c.name != "key_hash"]
    rows = connection.execute(select(*columns).order_by(api_keys.c.key_id)).mappings()
    return [
        KeyRecord(
            **{
                **row,
                "clearance": Clearance(row["clearance"]),
                "grants": tuple(row["grants"]),
            }
        )
        for row in rows
    ]


def revoke_key(connection: Connection, key_id: int) -> bool:
    """Make a key worthless from now on; False if there is no such key in force."""
    found = connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    return found.rowcount == 1


def select_key(key_hash: str) -> Select[tuple[int, int, list[str]]]:
    """The statement that finds a key in force: key_id, clearance, grants."""
    return select(api_keys.c.key_id, api_keys.c.clearance, api_keys.c.grants).where(
        api_keys.c.key_hash == key_hash,
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
    )
