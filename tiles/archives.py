"""Files of many tiles: PMTiles 3 and MBTiles 1.3, both in the WebMercatorQuad grid.

Tiles go in gzipped. Equal ones are kept once. A file has its name only when it is whole: it is
written under another one beside it and renamed at the end, so that no reader meets half a file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from layers.errors import InvalidParameter
from layers.extent import BBox
from tiles.matrix import TileAddress

PMTILES_SUFFIX = ".pmtiles"
MBTILES_SUFFIX = ".mbtiles"
SUFFIXES = (PMTILES_SUFFIX, MBTILES_SUFFIX)

_E7 = 10_000_000


@dataclass(frozen=True)
class ArchiveFacts:
    """What an archive says of itself.

    Attributes:
        bounds: Of the tiles, degrees.
        minzoom: First zoom that was asked for.
        maxzoom: Last zoom that was asked for.
        vector_layers: As TileJSON 3 has them.
        more: Further texts, such as the instant of which the tiles are.
    """

    name: str
    description: str
    attribution: str
    bounds: BBox
    minzoom: int
    maxzoom: int
    vector_layers: list[dict[str, Any]]
    more: Mapping[str, str]

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the bounds, longitude and latitude in degrees."""
        box = self.bounds
        return (box.west + box.east) / 2, (box.south + box.north) / 2


class TileArchive(ABC):
    """A file of tiles that is being written."""

    @abstractmethod
    def add(self, address: TileAddress, zipped: bytes) -> None:
        """Put in one tile, gzipped; tiles of a PMTiles file best come in its own order."""

    @abstractmethod
    def finish(self, facts: ArchiveFacts) -> None:
        """Write what the file says of itself, and close it."""

    @abstractmethod
    def abandon(self) -> None:
        """Close what was begun; the file is of no use."""


@contextmanager
def open_archive(path: Path) -> Iterator[TileArchive]:
    """An archive to write, of the kind that its name says.

    The file gets its name at the end of the block, in place of one that had it; after an error
    nothing is left.

    Raises:
        InvalidParameter: the name ends neither in ``.pmtiles`` nor in ``.mbtiles``.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidParameter("file", path.name, f"ends in {' or '.join(SUFFIXES)}")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    unfinished.unlink(missing_ok=True)
    archive = _PMTiles(unfinished) if suffix == PMTILES_SUFFIX else _MBTiles(unfinished)
    try:
        yield archive
        unfinished.replace(path)
    except BaseException:
        archive.abandon()
        unfinished.unlink(missing_ok=True)
        raise


def archive_order(address: TileAddress) -> int:
    """Where a tile stands in a PMTiles file: by zoom, then along a Hilbert curve."""
    number: int = zxy_to_tileid(address.z, address.x, address.y)
    return number


class _PMTiles(TileArchive):
    """See the specification of PMTiles 3; the package keeps equal tiles once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._writer: Any = Writer(self._file)  # type: ignore[no-untyped-call]  # it is untyped

    def add(self, address: TileAddress, zipped: bytes) -> None:
        self._writer.write_tile(archive_order(address), zipped)

    def finish(self, facts: ArchiveFacts) -> None:
        if not self._writer.tile_entries:
            raise InvalidParameter("file", None, "there is no tile to put into it")
        box, (lon, lat) = facts.bounds, facts.center
        header = {
            "tile_type": TileType.MVT,
            "tile_compression": Compression.GZIP,
            "min_lon_e7": round(box.west * _E7),
            "min_lat_e7": round(box.south * _E7),
            "max_lon_e7": round(box.east * _E7),
            "max_lat_e7": round(box.north * _E7),
            "center_zoom": facts.minzoom,
            "center_lon_e7": round(lon * _E7),
            "center_lat_e7": round(lat * _E7),
        }
        metadata = {
            "name": facts.name,
            "description": facts.description,
            "attribution": facts.attribution,
            "type": "overlay",
            "vector_layers": facts.vector_layers,
            **facts.more,
        }
        self._writer.finalize(header, metadata)
        self._file.close()

    def abandon(self) -> None:
        self._writer.tile_f.close()
        self._file.close()


_MBTILES_SCHEMA = """
CREATE TABLE metadata (name text NOT NULL PRIMARY KEY, value text);
CREATE TABLE images (tile_id blob NOT NULL PRIMARY KEY, tile_data blob NOT NULL) WITHOUT ROWID;
CREATE TABLE map (
    zoom_level integer NOT NULL, tile_column integer NOT NULL, tile_row integer NOT NULL,
    tile_id blob NOT NULL, PRIMARY KEY (zoom_level, tile_column, tile_row)
) WITHOUT ROWID;
CREATE VIEW tiles AS
    SELECT zoom_level, tile_column, tile_row, tile_data FROM map JOIN images USING (tile_id);
PRAGMA application_id = 0x4d504258;
"""


class _MBTiles(TileArchive):
    """See MBTiles 1.3: rows count from the south, and a view joins addresses with content."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # The file is thrown away unless it becomes whole, so nothing of it is journaled.
        self._database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_MBTILES_SCHEMA} BEGIN;"
        )
        self._count = 0

    def add(self, address: TileAddress, zipped: bytes) -> None:
        digest = blake2b(zipped, digest_size=16).digest()
        row = 2**address.z - 1 - address.y
        self._database.execute("INSERT OR IGNORE INTO images VALUES (?, ?)", (digest, zipped))
        self._database.execute(
            "INSERT INTO map VALUES (?, ?, ?, ?)", (address.z, address.x, row, digest)
        )
        self._count += 1

    def finish(self, facts: ArchiveFacts) -> None:
        if not self._count:
            raise InvalidParameter("file", None, "there is no tile to put into it")
        box, (lon, lat) = facts.bounds, facts.center
        metadata = {
            "name": facts.name,
            "format": "pbf",
            "bounds": f"{box.west},{box.south},{box.east},{box.north}",
            "center": f"{lon},{lat},{facts.minzoom}",
            "minzoom": str(facts.minzoom),
            "maxzoom": str(facts.maxzoom),
            "attribution": facts.attribution,
            "description": facts.description,
            "type": "overlay",
            "version": "1",
            "json": json.dumps({"vector_layers": facts.vector_layers}, ensure_ascii=False),
            **facts.more,
        }
        self._database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
        self._database.execute("COMMIT")
        self._database.close()

    def abandon(self) -> None:
        self._database.close()
