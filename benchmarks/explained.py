"""Plans of the statements that are measured: what the server really does, and what it reads.

Each is shown as planned for its parameters and as planned for any, which is what a prepared
statement comes to after a few runs if it looks no dearer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random

from sqlalchemy import Connection, NullPool, create_engine

from benchmark_city import BenchmarkCity
from layers.access import Clearance
from layers.roles import reader_role
from plain_tables import NEAREST, make_plain_tables
from subject_nearest import LEVEL as SEARCH_LEVEL
from subject_nearest import (
    bare_statement,
    our_statement,
    places_to_ask,
    search_constants,
)
from subject_tiles import LEVEL as TILE_LEVEL
from tile_statements import current_tile_statement
from tile_trace import LAYERS, places_to_start, tile_around

ZOOM = 14
_TYPES = {
    **dict.fromkeys(("z", "x", "y", "wanted", "min_available"), "integer"),
    **dict.fromkeys(("here_x", "here_y", "reach"), "double precision"),
    "at": "timestamptz",
    "kind": "text",
}
_BIND = re.compile(r"(?:%\(|(?<!:):)([a-z_]+)(?:\)s)?")


def plans(city: BenchmarkCity) -> str:
    """The plans of one tile of each layer and of one search, as text."""
    random = Random(city.seed)
    with city.as_superuser() as connection:
        make_plain_tables(connection)
        tile = tile_around(*places_to_start(connection, random)[0], ZOOM)
        places = places_to_ask(connection, Random(city.seed))
    address = {"z": str(tile.z), "x": str(tile.x), "y": str(tile.y)}
    here = {**search_constants(places), **places.packed().example()}
    parts: list[str] = []
    with _reader(city, TILE_LEVEL) as connection:
        for layer in LAYERS:
            statement = current_tile_statement(layer, TILE_LEVEL)
            title = f"tile {tile.z}/{tile.x}/{tile.y} of {layer.name}"
            parameters = {**address, "at": datetime.now(UTC).isoformat()}
            parts += _explained(connection, title, statement, parameters)
    with _reader(city, SEARCH_LEVEL) as connection:
        parts += _explained(connection, "search", our_statement(), here)
        parts += _explained(connection, "bare KNN", bare_statement(NEAREST, ""), here)
    return "\n\n".join(parts) + "\n"


def _reader(city: BenchmarkCity, level: Clearance) -> Connection:
    url = city.address().url(reader_role(level))
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()


def _explained(
    connection: Connection, title: str, statement: str, parameters: Mapping[str, str]
) -> Iterator[str]:
    names = list(dict.fromkeys(_BIND.findall(statement)))
    numbered = _BIND.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    types = ", ".join(_TYPES[name] for name in names)
    values = ", ".join(f"'{parameters[name]}'" for name in names)
    connection.exec_driver_sql(f"PREPARE explained ({types}) AS {numbered.replace('%', '%%')}")
    for mode in ("force_custom_plan", "force_generic_plan"):
        connection.exec_driver_sql(f"SET plan_cache_mode = {mode}")
        run = f"EXECUTE explained ({values})"
        connection.exec_driver_sql(run).all()  # reads what the measured run finds in memory
        rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {run}").scalars()
        yield f"{title}, {mode.removeprefix('force_').replace('_', ' ')}\n" + "\n".join(rows)
    connection.exec_driver_sql("DEALLOCATE explained")
