"""GeoPackages of pipes and parcels as offices hand them over, of any length, from the sample city.

Columns bear the Chinese names by which the layers know them, and features are numbered. Where the
city has fewer than wanted they are taken again: pipes a few metres aside, parcels as a smaller lot
at another corner of each, so that no two lie on each other.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import geopandas
import pandas as pd
import pyogrio
import shapely
from sqlalchemy import Connection, text

from layers.base import STORAGE_SRID, Attribute, AttributeType, Layer
from layers.parcels import LAYER as PARCELS
from layers.pipelines import LAYER as PIPELINES

CHANGED_EVERY = 100
"""Of the rows of a changed file, one in so many differs."""

_CHUNK = 50_000


@dataclass(frozen=True)
class _Form:
    """How the rows of a layer are taken from the city.

    Attributes:
        geometry: SQL of the geometry in the ``taking``-th taking.
        code: Of a row of that taking, as a format of ``taking`` and ``number``, or of its ``code``.
        changed: Column and SQL (of SQLite) that a changed row differs by.
    """

    geometry: str
    code: str
    changed: tuple[str, str]


_FORMS: Mapping[str, _Form] = {
    # About 3 m from one taking of the same pipes to the next.
    PIPELINES.name: _Form(
        "ST_Translate(geom, :taking * 0.00003, 0)",
        "GX{taking:02}{number:09}",
        ("管径", "coalesce({}, 0) + 50"),
    ),
    # The first taking is the parcel itself; the ordinals within a block are below 3,000.
    PARCELS.name: _Form(
        "CASE WHEN :taking = 0 THEN geom ELSE ST_Scale(geom, ST_MakePoint(0.45, 0.45), "
        "ST_PointN(ST_ExteriorRing(ST_GeometryN(geom, 1)), 1 + (:taking - 1) % 4)) END",
        "{code}",
        ("权利人", "coalesce({}, '') || '等'"),
    ),
}
_ORDINALS_PER_TAKING = 3_000


def write_features(connection: Connection, layer: Layer, path: Path, rows: int) -> None:
    """Write so many features of pipelines or parcels, unless the file is there.

    Args:
        connection: May read all of the city's features.
        path: A ``.gpkg`` file in EPSG:4490, with elevations where the layer has them.
    """
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    unfinished.unlink(missing_ok=True)
    count = f"SELECT count(*) FROM {_source(layer)}"
    held: int = connection.execute(text(count)).scalar_one()
    written = 0
    while written < rows:
        taking, offset = divmod(written, held)
        wanted = min(_CHUNK, held - offset, rows - written)
        _append(connection, layer, unfinished, taking=taking, offset=offset, rows=wanted)
        written += wanted
    unfinished.rename(path)


def write_changed(layer: Layer, original: Path, path: Path) -> None:
    """Write the same features with one in a hundred changed, unless the file is there."""
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    shutil.copyfile(original, unfinished)
    column, formula = _FORMS[layer.name].changed
    changed = formula.format(f'"{column}"')
    update_rows(
        unfinished,
        f'UPDATE {layer.name} SET "{column}" = {changed} WHERE fid % {CHANGED_EVERY} = 0',
    )
    unfinished.rename(path)


def update_rows(path: Path, statement: str, *parameters: str) -> None:
    """Change rows of a GeoPackage, which is an SQLite database, but no geometry."""
    with closing(sqlite3.connect(path)) as file, file:
        # Triggers of the spatial index name them, and call them for new geometries only.
        for name in ("IsEmpty", "MinX", "MaxX", "MinY", "MaxY"):
            file.create_function(f"ST_{name}", 1, lambda _: None)
        file.execute(statement, parameters)


def write_multiplied(original: Path, layer: Layer, path: Path, rows: int) -> None:
    """Write so many features by taking those of another file again under other codes.

    Quick and compact, with no index of the file; for how much a load needs, not for what is loaded.
    """
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    unfinished.unlink(missing_ok=True)
    code = _column(layer.attribute["code"])
    with closing(sqlite3.connect(original)) as file:
        file.execute("ATTACH ? AS target", (str(unfinished),))
        for name in ("gpkg_spatial_ref_sys", "gpkg_contents", "gpkg_geometry_columns", layer.name):
            (made,) = file.execute(
                "SELECT sql FROM main.sqlite_master WHERE name = ?", (name,)
            ).fetchone()
            file.execute(made.replace("CREATE TABLE ", "CREATE TABLE target.", 1))
            if name != layer.name:
                file.execute(f"INSERT INTO target.{name} SELECT * FROM main.{name}")
        columns = [row[1] for row in file.execute(f"PRAGMA main.table_info({layer.name})")][1:]
        listed = ", ".join(f'"{column}"' for column in columns)
        (held,) = file.execute(f"SELECT count(*) FROM main.{layer.name}").fetchone()
        for taking in range(-(-rows // held)):
            taken = listed.replace(f'"{code}"', f"\"{code}\" || '-{taking}'")
            file.execute(
                f"INSERT INTO target.{layer.name} ({listed}) "
                f"SELECT {taken} FROM main.{layer.name} LIMIT ?",
                (min(held, rows - taking * held),),
            )
            file.commit()
        (version,) = file.execute("PRAGMA main.user_version").fetchone()
        (application,) = file.execute("PRAGMA main.application_id").fetchone()
        file.execute(f"PRAGMA target.user_version = {version}")
        file.execute(f"PRAGMA target.application_id = {application}")
        file.commit()
    unfinished.rename(path)


def _source(layer: Layer) -> str:
    return f"read_restricted.{layer.name}"


def _append(
    connection: Connection, layer: Layer, path: Path, *, taking: int, offset: int, rows: int
) -> None:
    form = _FORMS[layer.name]
    attributes = [a for a in layer.attributes if a.derived is None]
    columns = ", ".join(
        f"{a.name}::text" if a.type is AttributeType.DATE else a.name for a in attributes
    )
    statement = (
        f"SELECT {columns}, ST_AsBinary({form.geometry}) AS geom FROM {_source(layer)} "
        "WHERE valid_during @> now() ORDER BY feature_id OFFSET :offset LIMIT :rows"
    )
    parameters = {"taking": taking, "offset": offset, "rows": rows}
    frame = pd.read_sql(text(statement), connection, params=parameters)
    geometries = shapely.from_wkb(frame.pop("geom").map(bytes).to_numpy(object))
    codes = frame["code"].map(lambda code: _renumbered(code, taking))
    frame["code"] = [
        form.code.format(taking=taking, number=offset + at, code=code)
        for at, code in enumerate(codes)
    ]
    frame.columns = pd.Index([_column(a) for a in attributes])
    features = geopandas.GeoDataFrame(frame, geometry=geometries, crs=STORAGE_SRID)
    pyogrio.write_dataframe(features, path, layer=layer.name, append=path.exists())


def _renumbered(code: str | None, taking: int) -> str | None:
    """A parcel code with the ordinal (its last five digits) of another taking."""
    if not taking or code is None:
        return code
    return f"{code[:-5]}{int(code[-5:]) + taking * _ORDINALS_PER_TAKING:05}"


def _column(attribute: Attribute) -> str:
    """The first name by which files know an attribute."""
    return attribute.aliases[0] if attribute.aliases else attribute.name
