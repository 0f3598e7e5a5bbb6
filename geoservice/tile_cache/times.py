"""The times of cached tiles: over which spans of time a tile stays the same.

Between two instants at which a layer changes nothing begins or ends, so all instants in between
share a tile; so do all instants of recorded time between two publications. The present is a tile of
its own, right until the next instant at which something begins or ends.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from geoservice.db import Database
from layers.roles import Role
from layers.system_tables import loads
from tiles.cache import BELIEVED_NOW, NOW, TileCache
from tiles.cache.entries import FOREVER

_BEGINNING = -(2**62)
"""Stands for the time before the first instant; no instant lies there."""

_REMEMBERED = 10_000


@dataclass(frozen=True)
class KeyTimes:
    """The times of a tile as keys and entries have them, in microseconds since 1970.

    Attributes:
        at: First instant of the span of valid time, or ``NOW``.
        recorded: Last publication before the instant of recorded time, or ``BELIEVED_NOW``.
        ends: End of the span of valid time.
        expires_at: When the tile is no longer that of the present.
        now: When all this was found out.
        instants: For each layer the version of its instants.
    """

    at: int = NOW
    recorded: int = BELIEVED_NOW
    ends: int = FOREVER
    expires_at: int = FOREVER
    now: int = 0
    instants: tuple[tuple[str, int], ...] = ()

    def until(self, expires_at: int) -> KeyTimes:
        """The same, but right no longer than until an instant."""
        return replace(self, expires_at=min(self.expires_at, expires_at))


class LayerTimes:
    """Knows the instants of layers, as this host's cache has them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._instants: dict[str, tuple[int, npt.NDArray[np.int64]]] = {}
        self._publications: OrderedDict[tuple[str, datetime], int] = OrderedDict()

    def of(self, cache: TileCache, names: Sequence[str], at: datetime | None) -> KeyTimes:
        """The times of a tile of what is believed now.

        Args:
            names: Of the layers, or of the catalogue, that it is made from.
            at: Of valid time; None is the present.
        """
        now = int(time.time() * 1e6)
        wanted = now if at is None else _microseconds(at)
        begins, ends, versions = _BEGINNING, FOREVER, []
        for name in names:
            version, instants = self._known(cache, name)
            place = int(np.searchsorted(instants, wanted, side="right"))
            if place:
                begins = max(begins, int(instants[place - 1]))
            if place < len(instants):
                ends = min(ends, int(instants[place]))
            versions.append((name, version))
        if at is None:
            return KeyTimes(NOW, expires_at=ends, now=now, instants=tuple(versions))
        return KeyTimes(begins, ends=ends, now=now, instants=tuple(versions))

    async def as_recorded(
        self, cache: TileCache, names: Sequence[str], at: datetime, as_recorded: datetime
    ) -> KeyTimes:
        """The times of a tile of what was believed at an instant that is settled."""
        published = [await self._publication(name, as_recorded) for name in names]
        return replace(self.of(cache, names, at), recorded=max(published))

    def known_as_recorded(
        self, cache: TileCache, names: Sequence[str], at: datetime, as_recorded: datetime
    ) -> KeyTimes | None:
        """The same, if it was found out before; None else."""
        published = [self._publications.get((name, as_recorded)) for name in names]
        known = [one for one in published if one is not None]
        if len(known) < len(published):
            return None
        return replace(self.of(cache, names, at), recorded=max(known))

    def _known(self, cache: TileCache, layer: str) -> tuple[int, npt.NDArray[np.int64]]:
        known = self._instants.get(layer)
        if known is None or known[0] != cache.instants_version(layer):
            version, packed = cache.instants(layer)
            known = self._instants[layer] = version, np.frombuffer(packed, dtype=np.int64)
        return known

    async def _publication(self, layer: str, as_recorded: datetime) -> int:
        """The last publication of a layer until an instant, which stays the last one."""
        known = self._publications.get((layer, as_recorded))
        if known is None:
            last = select(func.max(loads.c.recorded_at)).where(
                loads.c.layer == layer, loads.c.recorded_at <= as_recorded
            )
            async with self._database.write(Role.GATE) as connection:
                found = (await connection.execute(last)).scalar()
            known = _BEGINNING if found is None else _microseconds(found)
            self._publications[layer, as_recorded] = known
            while len(self._publications) > _REMEMBERED:
                self._publications.popitem(last=False)
        return known


def _microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(microseconds: int) -> datetime:
    """The instant of so many microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
