"""Database roles: who may do what in a city's database, and what each role is called.

A role belongs to one database and carries its name (``shenzhen_owner``), so that several cities can
share a server. A reader's value is also the name of the schema that it reads (``read_public``).
"""

from __future__ import annotations

from enum import StrEnum

from layers.access import Clearance
from layers.errors import InvalidParameter

_MAX_IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer names short without an error (NAMEDATALEN - 1)."""


class Role(StrEnum):
    """What one login role is for; the value is the end of its name."""

    OWNER = "owner"
    LOADER = "loader"
    INGEST = "ingest"
    DESK = "desk"
    GATE = "gate"
    READ_PUBLIC = "read_public"
    READ_ENTERPRISE = "read_enterprise"
    READ_GOVERNMENT = "read_government"
    READ_RESTRICTED = "read_restricted"

    @property
    def purpose(self) -> str:
        """What the role does, in half a sentence."""
        return _PURPOSES[self]


_PURPOSES = {
    Role.OWNER: "owns the database and its schemas; runs migrations, makes theme tables",
    Role.LOADER: "stages files; publishes loads, edits and undos",
    Role.INGEST: "writes observations",
    Role.DESK: "asks for loads; writes reports and subscriptions",
    Role.GATE: "reads API keys, to tell who is asking; hears which tiles changed",
    Role.READ_PUBLIC: "reads what the public may see",
    Role.READ_ENTERPRISE: "reads what enterprises may see",
    Role.READ_GOVERNMENT: "reads what the government may see",
    Role.READ_RESTRICTED: "reads everything",
}

READERS = tuple(Role(f"read_{level.label}") for level in Clearance)
"""The reader roles, ordered by clearance."""

MAX_DATABASE_NAME_BYTES = _MAX_IDENTIFIER_BYTES - 1 - max(len(role) for role in Role)


def reader_role(clearance: Clearance) -> Role:
    """The role that reads what one clearance may see."""
    return READERS[clearance]


def role_name(database: str, role: Role) -> str:
    """The name of a database's role on the server, such as ``shenzhen_read_public``.

    Raises:
        InvalidParameter: the database's name is empty, too long for its roles' names to fit into
            63 bytes, or holds a double quote or a control character.
    """
    check_database_name(database)
    return f"{database}_{role}"


def check_database_name(database: str) -> None:
    """Refuse a name from which role names cannot be made.

    Raises:
        InvalidParameter: see ``role_name``.
    """
    if not 1 <= len(database.encode()) <= MAX_DATABASE_NAME_BYTES:
        reason = f"a database's name has 1 to {MAX_DATABASE_NAME_BYTES} bytes"
        raise InvalidParameter("database", database, reason)
    if '"' in database or not database.isprintable():
        reason = "a database's name holds no double quotes and no control characters"
        raise InvalidParameter("database", database, reason)
