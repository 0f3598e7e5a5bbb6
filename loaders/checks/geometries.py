"""Checks of geometry that any layer can have: near duplicates and elevations."""

from __future__ import annotations

from layers.base import Layer
from loaders.checks.tables import StagedTables

_ELEVATIONS = """
    SELECT 'elevation_implausible' AS rule, row_number, natural_key, clearance,
           ST_X(ST_StartPoint(geom)) AS lon, ST_Y(ST_StartPoint(geom)) AS lat,
           jsonb_build_object('low', ST_ZMin(geom), 'high', ST_ZMax(geom)) AS details
    FROM {rows}
    WHERE ST_ZMin(geom) < :min_elevation_m OR ST_ZMax(geom) > :max_elevation_m"""

# Geometries are the same whose boxes lie in the same cells and whose measures are the same: one
# pass by hash. A pair on both sides of a cell's border is missed, which is its price.
_SIGNED = """
    CREATE TEMPORARY TABLE checked_signatures ON COMMIT DROP AS
    SELECT row_number, {kind} AS kind,
           floor(ST_XMin(geom) / c.degrees) AS west, floor(ST_YMin(geom) / c.degrees) AS south,
           floor(ST_XMax(geom) / c.degrees) AS east, floor(ST_YMax(geom) / c.degrees) AS north,
           {measure} AS measure
    FROM {rows}, (SELECT CAST(:same_place_m AS double precision) / 111320 AS degrees) c
    WHERE geom IS NOT NULL"""

_SAME = """
    SELECT 'same_geometry' AS rule, s.row_number, r.natural_key,
           greatest(r.clearance, f.clearance) AS clearance,
           ST_X(ST_StartPoint(r.geom)) AS lon, ST_Y(ST_StartPoint(r.geom)) AS lat,
           jsonb_build_object('other', f.natural_key) AS details
    FROM (SELECT kind, west, south, east, north, measure, min(row_number) AS first
          FROM checked_signatures GROUP BY kind, west, south, east, north, measure
          HAVING count(*) > 1) e
    JOIN checked_signatures s USING (kind, west, south, east, north, measure)
    JOIN {rows} r ON r.row_number = s.row_number
    JOIN {rows} f ON f.row_number = e.first
    WHERE s.row_number > e.first"""

_POINT_MEASURE = "coalesce(round(ST_ZMin(geom) * 100), 0)"
# The two diagonals of a box have one length; they differ in the sign of their slope.
_LINE_MEASURE = """
    round(ST_Length(geom) / c.degrees)
    * sign(coalesce((ST_X(ST_EndPoint(geom)) - ST_X(ST_StartPoint(geom)))
                    * (ST_Y(ST_EndPoint(geom)) - ST_Y(ST_StartPoint(geom))), 0) + 1e-30)"""
_AREA_MEASURE = "round(ST_Area(geom) / c.degrees / c.degrees / 10000)"
_MEASURES = (_POINT_MEASURE, _LINE_MEASURE, _AREA_MEASURE)
"""By dimension."""


def check_geometries(tables: StagedTables) -> None:
    """Near duplicates of geometry within the load, and heights that are none."""
    layer = tables.layer
    if layer.geometry_type.has_z:
        tables.check("geometry: elevations", _ELEVATIONS)
    measure = _MEASURES[layer.geometry_type.dimension]
    tables.run(_SIGNED, kind=_kind(layer), measure=measure)
    tables.check("geometry: near duplicates", _SAME)


def _kind(layer: Layer) -> str:
    """What may lie twice at one place: things of two kinds."""
    kind = layer.attribute.get("kind")
    return f"coalesce({kind.column}::text, '')" if kind else "''::text"
