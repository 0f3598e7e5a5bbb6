"""Checks of parcels beside each other, their districts and their areas.

Distances are metres by the length of a degree in the middle of the load, the same for all, so that
boundaries that meet still do; areas are of the ellipsoid at each parcel's own latitude.
"""

from __future__ import annotations

import time

from layers.districts import LAYER as DISTRICTS
from layers.tables import qualified
from loaders.checks.metres import KX, KY
from loaders.checks.tables import StagedTables

_PARCELS = """
    CREATE TEMPORARY TABLE checked_parcels ON COMMIT DROP AS
    SELECT row_number, natural_key, clearance, code, area_m2, admin_code,
           ST_Scale(geom, m.kx, m.ky) AS scaled, m.kx, m.ky,
           {kx_south} * {ky_south} / (m.kx * m.ky)
               AS true_share
    FROM (
        SELECT row_number, natural_key, clearance, code, area_m2, admin_code, geom FROM {rows}
        UNION ALL
        SELECT NULL, natural_key, clearance, code, area_m2, admin_code, geom FROM {beside} h
        WHERE NOT EXISTS (SELECT FROM {rows} r WHERE r.natural_key = h.natural_key)
    ) p, (
        SELECT {kx_middle} AS kx, {ky_middle} AS ky
        FROM (SELECT (ST_YMin(e) + ST_YMax(e)) / 2 AS y
              FROM (SELECT ST_Extent(geom) AS e FROM {rows}) x) y
    ) m"""

_INDEX = "CREATE INDEX ON checked_parcels USING gist (scaled)"

# Details are made of the few that breach a rule only.
_ALONE = """
    SELECT v.rule, p.row_number, p.natural_key, p.clearance,
           ST_X(ST_PointOnSurface(scaled)) / kx AS lon, ST_Y(ST_PointOnSurface(scaled)) / ky AS lat,
           CASE v.rule
               WHEN 'sliver_parcel' THEN jsonb_build_object(
                   'width', round(width_m::numeric, 2),
                   'limit', CAST(:min_width_m AS double precision))
               WHEN 'area_differs' THEN jsonb_build_object(
                   'registered', round(area_m2::numeric, 2),
                   'computed', round(computed_m2::numeric, 2))
               ELSE jsonb_build_object('value', code, 'county', county, 'admin_code', admin_code)
           END AS details
    FROM (
        SELECT p.*, area * true_share AS computed_m2, 2 * area / nullif(perimeter, 0) AS width_m,
               CASE WHEN code ~ '^[0-9]{{12}}[A-Z]{{2}}[0-9]{{5}}$' THEN left(code, 6) END AS county
        FROM (SELECT p.*, ST_Area(scaled) AS area, ST_Perimeter(scaled) AS perimeter
              FROM checked_parcels p WHERE row_number IS NOT NULL OFFSET 0) p
    ) p
    LEFT JOIN (SELECT DISTINCT code AS district FROM {districts}
               WHERE upper_inf(valid_during) AND level = 'district') d ON d.district = p.county,
    LATERAL (VALUES
        ('sliver_parcel', width_m < :min_width_m),
        ('area_differs',
         abs(area_m2 - computed_m2) > greatest(:area_share * computed_m2, :area_m2)),
        ('parcel_county', county IS NOT NULL AND district IS NULL AND {has_districts}),
        ('parcel_outside_district', county <> left(admin_code, 6) AND district IS NOT NULL)
    ) v (rule, is_breached)
    WHERE v.is_breached"""

_HAS_DISTRICTS = (
    "(SELECT count(*) > 0 FROM {districts} "
    "WHERE upper_inf(valid_during) AND level = 'district' AND code IS NOT NULL)"
)

_PAIRS = """
    SELECT v.rule, p.row_number, p.natural_key, p.clearance,
           ST_X(v.at) / kx AS lon, ST_Y(v.at) / ky AS lat,
           v.details || jsonb_build_object('other', other) AS details
    FROM (
        SELECT a.row_number, a.natural_key, greatest(a.clearance, b.clearance) AS clearance,
               b.natural_key AS other, a.kx, a.ky, d.apart_m,
               ST_ClosestPoint(a.scaled, b.scaled) AS near,
               CASE WHEN d.apart_m = 0 THEN ST_Intersection(a.scaled, b.scaled) END AS shared,
               a.true_share
        FROM checked_parcels a
        JOIN checked_parcels b ON b.scaled && ST_Expand(a.scaled, :max_gap_m)
             AND (b.row_number < a.row_number OR b.row_number IS NULL),
        LATERAL (SELECT ST_Distance(a.scaled, b.scaled) AS apart_m OFFSET 0) d
        WHERE a.row_number IS NOT NULL
          AND CASE WHEN d.apart_m > 0 THEN d.apart_m BETWEEN :min_gap_m AND :max_gap_m
                   ELSE ST_Relate(a.scaled, b.scaled, '2********') END
        OFFSET 0
    ) p, LATERAL (VALUES
        ('parcels_overlap', ST_Area(shared) * true_share > :overlap_m2,
         CASE WHEN shared IS NOT NULL THEN ST_PointOnSurface(shared) END,
         jsonb_build_object('area', round((ST_Area(shared) * true_share)::numeric, 2))),
        ('parcels_leave_sliver', apart_m > 0, near,
         jsonb_build_object('width', round(apart_m::numeric, 3)))
    ) v (rule, is_breached, at, details)
    WHERE v.is_breached"""


def check_parcels(tables: StagedTables) -> None:
    """All checks of a load of parcels that look at more than one row."""
    districts = qualified(DISTRICTS)
    started = time.monotonic()
    tables.run(
        _PARCELS,
        kx_south=KX.format(y="ST_YMin(geom)"),
        ky_south=KY.format(y="ST_YMin(geom)"),
        kx_middle=KX.format(y="y"),
        ky_middle=KY.format(y="y"),
    )
    tables.run(_INDEX)
    tables.run("ANALYZE checked_parcels (scaled)")
    tables.note("parcels: gathered", started, 0)
    has_districts = _HAS_DISTRICTS.format(districts=districts)
    names = {"districts": districts, "has_districts": has_districts}
    tables.check("parcels: areas and districts", _ALONE, **names)
    tables.check("parcels: overlaps and slivers", _PAIRS)
