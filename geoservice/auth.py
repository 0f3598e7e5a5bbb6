"""Who is asking: a bearer key becomes an ``Access``. No key is public; a wrong one is refused."""

from __future__ import annotations

import re
import time
from collections import OrderedDict

from starlette.requests import Request

from geoservice.db import Database
from geoservice.keys import hash_key, select_key
from layers.access import PUBLIC_ACCESS, Access, Clearance, Grant
from layers.errors import NotAuthenticated
from layers.roles import Role

REMEMBER_S = 2.0
"""How long a key is believed without asking again: the longest that a revoked key still works."""

_REMEMBER_AT_MOST = 1_000
_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{1,200})")


class Gate:
    """Turns credentials into access, asking the database at most every two seconds for a key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, tuple[float, Access]] = OrderedDict()

    async def access_of(self, authorization: str | None) -> Access:
        """The access that an ``Authorization`` header gives.

        Raises:
            NotAuthenticated: the header is no bearer key, or the key is not in force.
        """
        if authorization is None:
            return PUBLIC_ACCESS
        match = _BEARER.fullmatch(authorization.strip())
        if match is None:
            message = "send the key as 'Authorization: Bearer KEY'"
            raise NotAuthenticated(message)
        known = self.known(authorization.encode("latin-1"))
        if known is not None:
            return known
        key_hash = hash_key(match[1])
        access = await self._ask(key_hash)
        self._known[key_hash] = (time.monotonic(), access)
        while len(self._known) > _REMEMBER_AT_MOST:
            self._known.popitem(last=False)
        return access

    def known(self, authorization: bytes | None) -> Access | None:
        """What ``access_of`` would give without asking anybody; None if it would ask or refuse."""
        if authorization is None:
            return PUBLIC_ACCESS
        match = _BEARER.fullmatch(authorization.decode("latin-1").strip())
        if match is None:
            return None
        known = self._known.get(hash_key(match[1]))
        if known is None or time.monotonic() - known[0] >= REMEMBER_S:
            return None
        return known[1]

    async def _ask(self, key_hash: str) -> Access:
        async with self._database.write(Role.GATE) as connection:
            row = (await connection.execute(select_key(key_hash))).first()
        if row is None:
            self._known.pop(key_hash, None)
            message = "this key is not in force"
            raise NotAuthenticated(message)
        return Access(
            level=Clearance(row.clearance),
            grants=frozenset(Grant.parse(grant) for grant in row.grants),
            credential=str(row.key_id),
        )


async def get_access(request: Request) -> Access:
    """The access of the request's caller."""
    gate: Gate = request.app.state.gate
    return await gate.access_of(request.headers.get("authorization"))
