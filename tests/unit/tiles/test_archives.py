"""Files of many tiles: what goes in comes out, equal tiles are kept once, no file is half."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import mapbox_vector_tile
import pytest
from pmtiles.reader import MmapSource, Reader
from pyogrio import read_info

from layers.errors import InvalidParameter
from layers.extent import BBox
from tiles.archives import SUFFIXES, ArchiveFacts, archive_order, open_archive
from tiles.matrix import TileAddress

FACTS = ArchiveFacts(
    name="roads",
    description="Roads 道路",
    attribution="Shenzhen",
    bounds=BBox(113.9, 22.4, 114.2, 22.7),
    minzoom=11,
    maxzoom=12,
    vector_layers=[{"id": "roads", "fields": {"name": "String"}, "minzoom": 11, "maxzoom": 12}],
    more={"clearance": "public"},
)

ReadTile = Callable[[int, int, int], bytes | None]


def tile(name: str) -> bytes:
    """A zipped tile that holds one line."""
    feature = {
        "geometry": "LINESTRING(10 10, 4000 4000)",
        "properties": {"name": name},
        "id": 7,
    }
    content = mapbox_vector_tile.encode({"name": "roads", "features": [feature]})
    return gzip.compress(content, mtime=0)


def tiles() -> dict[tuple[int, int, int], bytes]:
    """Twelve tiles around Shenzhen, eight of which are alike."""
    found = {}
    for zoom, west, north in ((11, 1671, 891), (12, 3343, 1783)):
        for x in range(2):
            for y in range(3):
                found[zoom, west + x, north + y] = tile("滨海大道" if x else f"{zoom}/{y % 2}")
    return found


def write(path: Path) -> None:
    """Write an archive of all tiles."""
    with open_archive(path) as archive:
        for address in sorted((TileAddress(*a) for a in tiles()), key=archive_order):
            archive.add(address, tiles()[address.z, address.x, address.y])
        archive.finish(FACTS)


def pmtiles_reader(path: Path) -> Iterator[ReadTile]:
    """Reads tiles as the package pmtiles does."""
    with path.open("rb") as file:
        yield Reader(MmapSource(file)).get  # type: ignore[no-untyped-call]  # it is untyped


def mbtiles_reader(path: Path) -> Iterator[ReadTile]:
    """Reads tiles by the view that MBTiles 1.3 demands."""
    with closing(sqlite3.connect(path)) as database:

        def get(z: int, x: int, y: int) -> bytes | None:
            row = database.execute(
                "SELECT tile_data FROM tiles "
                "WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                (z, x, 2**z - 1 - y),
            ).fetchone()
            return row[0] if row else None

        yield get


READERS = {".pmtiles": pmtiles_reader, ".mbtiles": mbtiles_reader}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_tile_comes_out_as_it_went_in(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"city{suffix}"

    write(path)

    for get in READERS[suffix](path):
        assert tiles() == {address: get(*address) for address in tiles()}
        assert get(12, 0, 0) is None
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gdal_opens_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"city{suffix}"

    write(path)

    info = read_info(path, layer="roads")
    assert "EPSG:3857" == info["crs"]
    assert "name" in list(info["fields"])


def test_equal_tiles_are_kept_once(tmp_path: Path) -> None:
    write(tmp_path / "city.mbtiles")
    write(tmp_path / "city.pmtiles")

    with closing(sqlite3.connect(tmp_path / "city.mbtiles")) as database:
        images = database.execute("SELECT count(*) FROM images").fetchone()[0]
    with (tmp_path / "city.pmtiles").open("rb") as file:
        header = Reader(MmapSource(file)).header()  # type: ignore[no-untyped-call]  # it is untyped
    assert 5 == images
    assert (5, 12) == (header["tile_contents_count"], header["addressed_tiles_count"])
    assert header["clustered"]


def test_mbtiles_say_of_themselves_what_the_specification_asks(tmp_path: Path) -> None:
    write(tmp_path / "city.mbtiles")

    with closing(sqlite3.connect(tmp_path / "city.mbtiles")) as database:
        metadata = dict(database.execute("SELECT name, value FROM metadata").fetchall())
    assert {"name": "roads", "format": "pbf", "minzoom": "11", "maxzoom": "12"}.items() <= (
        metadata.items()
    )
    assert FACTS.vector_layers == json.loads(metadata["json"])["vector_layers"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_after_an_error_the_file_that_was_there_is_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"city{suffix}"
    path.write_bytes(b"as it was")

    with pytest.raises(InvalidParameter, match="no tile"), open_archive(path) as archive:
        archive.finish(FACTS)

    assert b"as it was" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_name_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter), open_archive(tmp_path / "city.zip"):
        pass
