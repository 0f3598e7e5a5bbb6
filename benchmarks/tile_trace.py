"""Which tiles a few people would ask for who pan and zoom over the built-up city.

Each walks in from zoom 12 to zoom 16 towards a place where there is something, looks at a screen
of 3 by 2 tiles at each zoom, and pans a few times at the larger ones. A tile is asked for once, and
not at all if it holds no parcel: an empty tile is quick and says little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from morecantile import tms
from sqlalchemy import Connection, text

from layers.base import Layer
from layers.registry import get_layer
from tiles.matrix import TileAddress

LAYERS: tuple[Layer, ...] = tuple(
    get_layer(name) for name in ("parcels", "pipelines", "roads", "facilities")
)
ZOOMS = range(12, 17)
WALKS = 8
PANS = {14: 2, 15: 3, 16: 4}
_SCREEN = [(dx, dy) for dx in (-1, 0, 1) for dy in (0, 1)]
_STEPS = [(1, 0), (-1, 0), (0, 1), (0, -1)]
_MATRIX = tms.get("WebMercatorQuad")


def places_to_start(connection: Connection, random: Random) -> list[tuple[float, float]]:
    """Longitudes and latitudes of facilities, which stand where the city is built up."""
    rows = connection.execute(
        text("SELECT ST_X(geom), ST_Y(geom) FROM read_public.facilities ORDER BY feature_id")
    ).all()
    return [(row[0], row[1]) for row in random.sample(rows, WALKS)]


def tile_trace(connection: Connection, random: Random) -> list[TileAddress]:
    """All distinct tiles of the walks, in an order of no meaning.

    The order is shuffled so that no connection gets all the dear ones.
    """
    places = places_to_start(connection, random)
    seen = {tile for place in places for tile in _walk(*place, random)}
    trace = [tile for tile in sorted(seen, key=_sort_key) if _is_built_up(connection, tile)]
    random.shuffle(trace)
    return trace


def tiles_of(layer: Layer, trace: Sequence[TileAddress]) -> list[TileAddress]:
    """The tiles of a trace at zooms at which a layer is shown."""
    return [tile for tile in trace if tile.z >= layer.drawn_from]


def tile_around(lon: float, lat: float, z: int) -> TileAddress:
    """The tile at a zoom that a place lies in; degrees."""
    x, y, _ = _MATRIX.tile(lon, lat, z)
    return TileAddress.within_matrix(z, x, y)


def _walk(lon: float, lat: float, random: Random) -> Iterator[TileAddress]:
    for z in ZOOMS:
        around = tile_around(lon, lat, z)
        x, y = around.x, around.y
        yield from _screen(z, x, y)
        for _ in range(PANS.get(z, 0)):
            dx, dy = random.choice(_STEPS)
            x, y = x + 2 * dx, y + dy
            yield from _screen(z, x, y)


def _screen(z: int, x: int, y: int) -> Iterator[TileAddress]:
    return (TileAddress(z, x + dx, y + dy) for dx, dy in _SCREEN)


def _sort_key(tile: TileAddress) -> tuple[int, int, int]:
    return (tile.z, tile.x, tile.y)


def _is_built_up(connection: Connection, tile: TileAddress) -> bool:
    statement = text(
        "SELECT EXISTS (SELECT FROM read_public.parcels WHERE upper_inf(valid_during) "
        "AND geom_3857 && ST_TileEnvelope(:z, :x, :y))"
    )
    found: bool = connection.execute(
        statement, {"z": tile.z, "x": tile.x, "y": tile.y}
    ).scalar_one()
    return found
