"""A GeoPackage of pipes as a survey office hands it over, of any length, made from the sample city.

Columns bear the Chinese names by which the layer knows them, and pipes are numbered. Where the city
has fewer than wanted they are taken again, a few metres aside.
"""

from __future__ import annotations

from pathlib import Path

import geopandas
import pandas as pd
import pyogrio
import shapely
from sqlalchemy import Connection, text

from layers.base import STORAGE_SRID, Attribute, AttributeType
from layers.pipelines import LAYER

_CHUNK = 50_000
_ASIDE_DEGREES = 0.00003
"""About 3 m: from one taking of the same pipes to the next."""


def write_pipes(connection: Connection, path: Path, rows: int) -> None:
    """Write so many pipes, unless the file is there.

    Args:
        connection: May read all of the city's pipes.
        path: A ``.gpkg`` file in EPSG:4490 with elevations.
    """
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    unfinished.unlink(missing_ok=True)
    held: int = connection.execute(text(f"SELECT count(*) FROM {_SOURCE}")).scalar_one()
    written = 0
    while written < rows:
        taking, offset = divmod(written, held)
        wanted = min(_CHUNK, held - offset, rows - written)
        _append(connection, unfinished, taking=taking, offset=offset, rows=wanted)
        written += wanted
    unfinished.rename(path)


_SOURCE = f"read_restricted.{LAYER.name}"
_ATTRIBUTES: tuple[Attribute, ...] = tuple(a for a in LAYER.attributes if a.derived is None)


def _append(connection: Connection, path: Path, *, taking: int, offset: int, rows: int) -> None:
    columns = ", ".join(
        f"{a.name}::text" if a.type is AttributeType.DATE else a.name for a in _ATTRIBUTES
    )
    statement = (
        f"SELECT {columns}, ST_AsBinary(ST_Translate(geom, :aside, 0)) AS geom FROM {_SOURCE} "
        "WHERE valid_during @> now() ORDER BY feature_id OFFSET :offset LIMIT :rows"
    )
    parameters = {"aside": taking * _ASIDE_DEGREES, "offset": offset, "rows": rows}
    frame = pd.read_sql(text(statement), connection, params=parameters)
    geometries = shapely.from_wkb(frame.pop("geom").map(bytes).to_numpy(object))
    frame["code"] = [f"GX{taking:02}{number:09}" for number in range(offset, offset + rows)]
    frame.columns = pd.Index([_column(a) for a in _ATTRIBUTES])
    pipes = geopandas.GeoDataFrame(frame, geometry=geometries, crs=STORAGE_SRID)
    pyogrio.write_dataframe(pipes, path, layer=LAYER.name, append=path.exists())


def _column(attribute: Attribute) -> str:
    """The first name by which files know an attribute."""
    return attribute.aliases[0] if attribute.aliases else attribute.name
