"""Rows that a layer holds already, exactly as a file gives them again: they are left aside.

What a load staged is remembered as digests of the rows as read, of those that were accepted as they
are, without any finding. If nothing was published of the layer since, a row with the same digest,
read in the same way, is what is held: it need not be normalised, copied and compared once more.
That is looked at again under the lock of the layer. Digests and hashed keys of one load are kept
for each layer, up to a bound; they say nothing to who does not have the seed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection, delete, func, insert, select

import layers
import loaders
from layers.base import Layer
from layers.crs import Operation
from layers.errors import GeoserviceError
from layers.system_tables import loads, staged_digests
from loaders.digests import DIGEST, digests, text_digests
from loaders.options import LoadOptions

MOST_ROWS = 4_000_000
"""Of a load with more rows nothing is remembered, so that memory stays bounded (24 bytes a row)."""

_PROBES = np.array(
    [
        [114.05, 22.55],
        [22.55, 114.05],
        [500_000.0, 2_500_000.0],
        [2_500_000.0, 500_000.0],
        [38_500_000.0, 2_500_000.0],
        [2_500_000.0, 38_500_000.0],
        [100_000.0, 20_000.0],
        [12_700_000.0, 2_580_000.0],
    ]
)
"""Positions as files give them in degrees, in zones with and without prefix, in city grids."""

_PART_ROWS = 262_144
_SEED_BYTES = 16

_Hashes = npt.NDArray[np.uint64]
_Digests = npt.NDArray[np.void]
_Flags = npt.NDArray[np.bool_]


class ReadAgain(GeoserviceError):
    """What was taken for known may be no more, so all rows of a load have to be read."""


@dataclass(frozen=True)
class Known:
    """What was staged by the last load of a layer.

    Attributes:
        recorded_at: The instant of that publication, which must still be the last.
        seed: With which digests were made.
        keys: Digests of natural keys, in the order of the file.
        rows: Digests of rows, in the same order.
    """

    recorded_at: datetime
    seed: bytes
    keys: _Hashes
    rows: _Digests

    @classmethod
    def of_last_load(
        cls, connection: Connection, layer: Layer, options: LoadOptions
    ) -> Known | None:
        """What a load may leave aside; None where it has to stage all rows. Commits."""
        try:
            return cls._read(connection, layer, options)
        finally:
            connection.commit()

    @classmethod
    def _read(cls, connection: Connection, layer: Layer, options: LoadOptions) -> Known | None:
        # A correction asks what was held before; what is left aside would count as vanished.
        if options.is_correction or options.is_complete:
            return None
        last = _last_publication(connection, layer)
        if last is None or last.state != "published" or _moves_back(options, last.latest):
            return None
        parts = connection.execute(
            select(
                staged_digests.c.seed, staged_digests.c.key_digests, staged_digests.c.row_digests
            )
            .where(staged_digests.c.load_id == last.load_id)
            .order_by(staged_digests.c.part)
        ).all()
        if not parts:
            return None
        keys = np.concatenate([np.frombuffer(part.key_digests, np.uint64) for part in parts])
        rows = np.concatenate([np.frombuffer(part.row_digests, DIGEST) for part in parts])
        return cls(last.recorded_at, bytes(parts[0].seed), keys, rows)

    def assert_current(self, connection: Connection, layer: Layer) -> None:
        """See that nothing was published since; under the lock of the layer.

        Raises:
            ReadAgain: something was.
        """
        last = _last_publication(connection, layer)
        if last is None or last.recorded_at != self.recorded_at or last.state != "published":
            message = "another load was published meanwhile; the files are read again"
            raise ReadAgain(message)


def _last_publication(connection: Connection, layer: Layer) -> Any:
    latest = func.max(func.coalesce(loads.c.valid_from, loads.c.recorded_at)).over()
    return connection.execute(
        select(loads.c.load_id, loads.c.recorded_at, loads.c.state, latest.label("latest"))
        .where(loads.c.layer == layer.name, loads.c.recorded_at.is_not(None))
        .order_by(loads.c.recorded_at.desc())
        .limit(1)
    ).one_or_none()


def _moves_back(options: LoadOptions, latest: datetime) -> bool:
    """Whether equal rows may be said to hold since before the versions that are held begin."""
    return options.valid_from is not None and options.valid_from < latest


@dataclass
class Ledger:
    """The rows of one load: which are known, and what is to be remembered.

    Attributes:
        known: What may be left aside.
        left_aside: How many rows were.
    """

    known: Known | None
    left_aside: int = 0
    _seed: bytes = b""
    _next: int = 0
    _order: npt.NDArray[np.intp] | None = None
    _all_keys: list[_Hashes] = field(default_factory=list)
    _clean: list[tuple[_Hashes, _Digests]] = field(default_factory=list)
    _rows: int = 0

    def __post_init__(self) -> None:
        self._seed = self.known.seed if self.known else secrets.token_bytes(_SEED_BYTES)

    def seed_for(self, *how: object) -> bytes:
        """The seed for rows of one source.

        Args:
            how: Everything that decides what becomes of a row; each has a telling ``repr``.
        """
        text = "\n".join(map(repr, how)).encode()
        return blake2b(_code() + text, key=self._seed, digest_size=_SEED_BYTES).digest()

    def look(self, batch: pa.RecordBatch, seed: bytes) -> tuple[_Digests, _Flags]:
        """The digests of the rows of a batch, and which rows are known."""
        found = digests(batch, seed)
        if self.known is None:
            return found, np.zeros(len(found), bool)
        places = self._places(found)
        is_known = places >= 0
        self.left_aside += int(is_known.sum())
        self._remember(self.known.keys[places[is_known]], found[is_known])
        return found, is_known

    def note(self, accepted: pa.RecordBatch, rows: _Digests, is_clean: _Flags) -> None:
        """Take in the rows of a batch that were accepted.

        Args:
            accepted: As ``Normalised`` has it.
            rows: Their digests.
            is_clean: Of which rows nothing was found.
        """
        keys = text_digests(accepted.column("natural_key"), self._seed)
        derived = accepted.column("key_derived").to_numpy(zero_copy_only=False)
        placed = accepted.column("geom").is_valid().to_numpy(zero_copy_only=False)
        may = is_clean & ~derived & placed
        self._remember(keys[may], rows[may])
        self._all_keys.append(keys[~may])
        self._rows += int((~may).sum())

    @property
    def has_distinct_keys(self) -> bool:
        """Whether no two rows of the load have one natural key; False where that is not known."""
        if self._rows > MOST_ROWS:
            return False
        keys = np.sort(np.concatenate([*self._all_keys, *(k for k, _ in self._clean), _NONE]))
        return not bool((keys[1:] == keys[:-1]).any())

    def keep(self, connection: Connection, layer: Layer, load_id: int) -> None:
        """Remember the rows of a load, in the transaction that publishes it."""
        ours = select(loads.c.load_id).where(loads.c.layer == layer.name)
        connection.execute(delete(staged_digests).where(staged_digests.c.load_id.in_(ours)))
        if self._rows > MOST_ROWS or not self._clean:
            return
        for part, (keys, rows) in enumerate(self._parts()):
            connection.execute(
                insert(staged_digests).values(
                    load_id=load_id,
                    part=part,
                    seed=self._seed,
                    key_digests=keys.tobytes(),
                    row_digests=rows.tobytes(),
                )
            )

    def _parts(self) -> Iterator[tuple[_Hashes, _Digests]]:
        keys = np.concatenate([keys for keys, _ in self._clean])
        rows = np.concatenate([rows for _, rows in self._clean])
        for first in range(0, len(keys), _PART_ROWS):
            part = slice(first, first + _PART_ROWS)
            yield keys[part], rows[part]

    def _remember(self, keys: _Hashes, rows: _Digests) -> None:
        self._rows += len(keys)
        if self._rows > MOST_ROWS:
            self._clean.clear()
            self._all_keys.clear()
            return
        self._clean.append((keys, rows))

    def _places(self, found: _Digests) -> npt.NDArray[np.intp]:
        """Where each digest stands among those known; -1 where nowhere.

        Most files give their rows in the order of the last time.
        """
        assert self.known is not None  # noqa: S101  # for mypy: the caller has looked
        rows = self.known.rows
        places = np.full(len(found), -1, np.intp)
        expected = np.arange(self._next, min(self._next + len(found), len(rows)))
        same = np.flatnonzero(rows[expected] == found[: len(expected)])
        places[same] = expected[same]
        self._next += len(found)
        others = np.flatnonzero(places < 0)
        if len(others) and len(rows):
            places[others] = self._searched(rows, found[others])
        return places

    def _searched(self, rows: _Digests, found: _Digests) -> npt.NDArray[np.intp]:
        if self._order is None:
            self._order = np.argsort(rows["high"])
        at = np.searchsorted(rows["high"], found["high"], sorter=self._order)
        place = self._order[np.minimum(at, len(rows) - 1)]
        return np.where(rows[place] == found, place, -1)


_NONE = np.zeros(0, np.uint64)


@cache
def _code() -> bytes:
    """A digest of the code of the two rooms: another version may make something else of a row."""
    code = blake2b()
    for room in (loaders, layers):
        for file in sorted(Path(str(room.__file__)).parent.rglob("*.py")):
            code.update(file.read_bytes())
    return code.digest()


def behaviour(operation: Operation) -> bytes:
    """Where an operation takes some positions: its parameters may be secret, or changed unseen."""
    with np.errstate(invalid="ignore"):
        return operation.apply(_PROBES).tobytes() if operation.forward else b""
