"""Checks of segments between nodes, as survey offices run them on line tables.

Source: the checks of point and line tables under CJJ 61-2017. Lengths are metres on the ellipsoid,
by the length of a degree at the segment's own latitude: right to a hundred-thousandth for what is
shorter than a kilometre. Depths and elevations are added as decimals, so that 0.1 + 0.2 is 0.3.
"""

from __future__ import annotations

import time

from layers.registry import get_layer
from layers.tables import qualified
from loaders.checks.metres import KX, KY
from loaders.checks.tables import StagedTables

# Segments of the load and the held ones near it that it leaves as they are.
_SEGMENTS = """
    CREATE TEMPORARY TABLE checked_segments ON COMMIT DROP AS
    SELECT row_number() OVER () AS id, s.*, ST_X(a) AS ax, ST_Y(a) AS ay, ST_Z(a) AS az,
           ST_X(b) AS bx, ST_Y(b) AS by, ST_Z(b) AS bz,
           {kx} AS kx, {ky} AS ky, z_source <> 'unknown' AS has_z, {half} AS half_m
    FROM (
        SELECT row_number, {columns} FROM {rows}
        UNION ALL
        SELECT NULL, {columns} FROM {beside} h
        WHERE NOT EXISTS (SELECT FROM {rows} r WHERE r.natural_key = h.natural_key)
    ) s, LATERAL (SELECT ST_StartPoint(s.geom) AS a, ST_EndPoint(s.geom) AS b OFFSET 0) e"""

_COLUMNS = (
    "natural_key, clearance, kind, category, start_node, end_node, z_source, material, section, "
    "diameter_mm, burial, start_depth_m, end_depth_m, start_elevation_m, end_elevation_m, "
    "flow_direction, pressure, geom"
)

_HALF_M = (
    "coalesce(CASE WHEN s.section IS NOT NULL THEN "
    "substring(s.section FROM '[*xX×]\\s*([0-9]{1,6}\\.?[0-9]{0,3})')::double precision END, "
    "s.diameter_mm, 0) / 2000"
)

_ENDS = """
    CREATE TEMPORARY TABLE checked_ends ON COMMIT DROP AS
    SELECT row_number, natural_key, clearance, e.*, kx, ky, material,
           coalesce(section, diameter_mm::text) AS size
    FROM checked_segments s, LATERAL (VALUES
        (1, start_node, ax, ay, (bx - ax) * kx, (by - ay) * ky, bz - az,
         start_depth_m, start_elevation_m),
        (2, end_node, bx, by, (ax - bx) * kx, (ay - by) * ky, az - bz,
         end_depth_m, end_elevation_m)
    ) e (side, node, x, y, dx, dy, dz, depth, elevation)
    WHERE e.node IS NOT NULL"""

# Details are made of the few that breach a rule only.
_ALONE = """
    SELECT v.rule, m.row_number, m.natural_key, m.clearance,
           (ax + bx) / 2 AS lon, (ay + by) / 2 AS lat,
           CASE v.rule
               WHEN 'same_ends' THEN jsonb_build_object('node', start_node)
               WHEN 'segment_too_steep' THEN jsonb_build_object(
                   'slope', round(slope_deg::numeric, 1),
                   'limit', CAST(:max_slope_deg AS double precision))
               WHEN 'flow_uphill' THEN jsonb_build_object(
                   'from_m', round(least(az, bz)::numeric, 3),
                   'to_m', round(greatest(az, bz)::numeric, 3))
               WHEN 'segment_too_long' THEN jsonb_build_object(
                   'length', round(length_m::numeric, 2),
                   'limit', CAST(:max_segment_m AS double precision))
               ELSE jsonb_build_object(
                   'length', round(length_m::numeric, 3),
                   'limit', CAST(:min_segment_m AS double precision))
           END AS details
    FROM (
        SELECT s.*, sqrt(plan_m ^ 2 + rise_m ^ 2) AS length_m,
               degrees(atan2(abs(rise_m), plan_m)) AS slope_deg
        FROM (
            SELECT s.*, CASE WHEN has_z THEN bz - az ELSE 0 END AS rise_m,
                   CASE WHEN ST_NPoints(geom) = 2
                        THEN sqrt(((bx - ax) * kx) ^ 2 + ((by - ay) * ky) ^ 2)
                        ELSE ST_Length(ST_Scale(ST_Force2D(geom), kx, ky)) END AS plan_m
            FROM checked_segments s WHERE row_number IS NOT NULL
        ) s OFFSET 0
    ) m, LATERAL (VALUES
        ('same_ends', start_node = end_node),
        ('segment_too_long',
         start_node IS NOT NULL AND end_node IS NOT NULL AND length_m > :max_segment_m),
        ('segment_too_short', length_m < :min_segment_m),
        ('segment_too_steep',
         has_z AND slope_deg > :max_slope_deg AND length_m >= :min_segment_m),
        ('flow_uphill',
         category = 'PS' AND pressure IS NULL AND has_z
         AND CASE flow_direction WHEN '+' THEN bz - az WHEN '-' THEN az - bz END > :min_rise_m)
    ) v (rule, is_breached)
    WHERE v.is_breached"""

_TWICE = """
    SELECT 'segment_twice' AS rule, row_number, natural_key, clearance,
           (ax + bx) / 2 AS lon, (ay + by) / 2 AS lat,
           jsonb_build_object('other', other, 'start', start_node, 'end', end_node) AS details
    FROM (
        SELECT s.*, first_value(natural_key) OVER same AS other,
               row_number() OVER same AS ordinal
        FROM checked_segments s
        WHERE start_node IS NOT NULL AND end_node IS NOT NULL AND start_node <> end_node
        WINDOW same AS (PARTITION BY least(start_node, end_node), greatest(start_node, end_node),
                                     kind
                        ORDER BY row_number NULLS FIRST, natural_key)
    ) d
    WHERE ordinal > 1 AND row_number IS NOT NULL"""

# Where sizes change a survey sets a point that says so, or a manhole in which they may.
_AT_NODES = """
    SELECT v.rule, n.row_number, n.node AS natural_key,
           greatest(n.clearance, p.clearance) AS clearance, x AS lon, y AS lat,
           v.details || jsonb_build_object('node', n.node) AS details
    FROM (
        SELECT node, min(row_number) AS row_number, max(clearance) AS clearance,
               min(x) AS x, min(y) AS y, count(*) AS lines,
               min(elevation) AS low, max(elevation) AS high,
               min(depth) AS shallow, max(depth) AS deep,
               min(material) AS material, max(material) AS other_material,
               min(size) AS size, max(size) AS other_size
        FROM checked_ends GROUP BY node
        HAVING count(*) > 1 AND min(row_number) IS NOT NULL
           AND (max(elevation) - min(elevation) > :node_agreement_m
                OR max(depth) - min(depth) > :node_agreement_m
                OR (count(*) = 2 AND (min(material) <> max(material) OR min(size) <> max(size))))
    ) n
    LEFT JOIN {nodes} p ON p.natural_key = n.node AND upper_inf(p.valid_during), LATERAL (VALUES
        ('elevations_at_node', high - low > :node_agreement_m,
         jsonb_build_object('low', low, 'high', high)),
        ('depths_at_node', deep - shallow > :node_agreement_m,
         jsonb_build_object('low', shallow, 'high', deep)),
        ('materials_at_node',
         lines = 2 AND material <> other_material AND p.appurtenance IS NULL
         AND coalesce(p.feature, '') !~ '变',
         jsonb_build_object('values', jsonb_build_array(material, other_material))),
        ('sections_at_node',
         lines = 2 AND size <> other_size AND p.appurtenance IS NULL
         AND coalesce(p.feature, '') !~ '变',
         jsonb_build_object('values', jsonb_build_array(size, other_size)))
    ) v (rule, is_breached, details)
    WHERE v.is_breached"""

_SHARP = """
    SELECT 'sharp_angle' AS rule, row_number, natural_key, clearance, x AS lon, y AS lat,
           jsonb_build_object('node', node, 'other', other,
                              'angle', round(degrees(acos(least(cosine, 1)))::numeric, 1))
               AS details
    FROM (
        SELECT a.row_number, a.natural_key, greatest(a.clearance, b.clearance) AS clearance,
               a.x, a.y, a.node, b.natural_key AS other,
               (a.dx * b.dx + a.dy * b.dy + a.dz * b.dz)
               / nullif(sqrt(a.dx ^ 2 + a.dy ^ 2 + a.dz ^ 2)
                        * sqrt(b.dx ^ 2 + b.dy ^ 2 + b.dz ^ 2), 0) AS cosine
        FROM checked_ends a
        JOIN checked_ends b ON b.node = a.node
             AND (b.row_number < a.row_number OR b.row_number IS NULL)
        WHERE a.row_number IS NOT NULL AND a.natural_key <> b.natural_key
    ) pairs
    WHERE cosine > cos(radians(CAST(:min_angle_deg AS double precision)))"""

# 三通 joins three lines, and so does 三分支 of cables, whatever stands around the word.
_WAYS = """
    SELECT 'ways_mismatch' AS rule, n.row_number, n.node AS natural_key, n.clearance,
           x AS lon, y AS lat,
           jsonb_build_object('node', n.node, 'feature', feature, 'expected', expected,
                              'found', lines) AS details
    FROM (
        SELECT e.node, min(e.row_number) AS row_number,
               greatest(max(e.clearance), max(p.clearance)) AS clearance,
               min(e.x) AS x, min(e.y) AS y, count(*) AS lines, min(p.feature) AS feature,
               strpos('二三四五六七八',
                      min(substring(p.feature FROM '([二三四五六七八])(通|分支)'))) + 1
                   AS expected
        FROM checked_ends e
        JOIN {nodes} p ON p.natural_key = e.node AND upper_inf(p.valid_during)
        WHERE p.feature ~ '[二三四五六七八](通|分支)'
        GROUP BY e.node
    ) n
    WHERE lines <> expected AND row_number IS NOT NULL"""

_GROUND = """
    SELECT 'ground_mismatch' AS rule, row_number, natural_key, clearance, x AS lon, y AS lat,
           jsonb_build_object('node', node, 'ground', ground, 'depth', depth,
                              'elevation', elevation, 'sum', depth + elevation) AS details
    FROM (
        SELECT e.row_number, e.natural_key, greatest(e.clearance, p.clearance) AS clearance,
               e.x, e.y, e.node, p.ground_elevation_m::numeric AS ground,
               e.depth::numeric AS depth, e.elevation::numeric AS elevation
        FROM checked_ends e
        JOIN {nodes} p ON p.natural_key = e.node AND upper_inf(p.valid_during)
        WHERE e.row_number IS NOT NULL
          -- Nearly all agree, and binary fractions are enough to see that.
          AND abs(p.ground_elevation_m - e.depth - e.elevation) > :ground_agreement_m * 0.999
    ) g
    WHERE abs(ground - depth - elevation) > CAST(:ground_agreement_m AS numeric)"""

_NODES_OF_ENDS = """
    SELECT CASE WHEN found IS NULL THEN 'unknown_node' ELSE 'end_off_node' END AS rule,
           row_number, natural_key, clearance, x AS lon, y AS lat,
           jsonb_build_object('node', node, 'distance', round(off_m::numeric, 2)) AS details
    FROM (
        SELECT e.*, p.natural_key AS found,
               sqrt(((e.x - ST_X(p.geom)) * e.kx) ^ 2 + ((e.y - ST_Y(p.geom)) * e.ky) ^ 2) AS off_m
        FROM checked_ends e
        LEFT JOIN {nodes} p ON p.natural_key = e.node AND upper_inf(p.valid_during)
        WHERE e.row_number IS NOT NULL
    ) e
    WHERE found IS NULL OR off_m > :end_to_node_m"""

# Ends that name no node: one is looked for at the same vertex first, by hash, and only for the few
# that have none by the index around them.
_UNNAMED_ENDS = """
    SELECT 'end_without_node' AS rule, e.row_number, e.natural_key, e.clearance,
           e.x AS lon, e.y AS lat,
           jsonb_build_object('end', e.side, 'distance',
                              CAST(:end_to_node_m AS double precision)) AS details
    FROM (
        SELECT s.row_number, s.natural_key, s.clearance, u.*
        FROM checked_segments s, LATERAL (VALUES
            ('start', s.start_node, s.ax, s.ay), ('end', s.end_node, s.bx, s.by)
        ) u (side, node, x, y)
        WHERE s.row_number IS NOT NULL AND u.node IS NULL
    ) e
    LEFT JOIN (SELECT DISTINCT ST_X(geom) AS x, ST_Y(geom) AS y
               FROM {nodes} WHERE upper_inf(valid_during)) p ON p.x = e.x AND p.y = e.y
    WHERE p.x IS NULL AND NOT EXISTS (
        SELECT FROM {nodes} n,
             LATERAL (SELECT ST_SetSRID(ST_MakePoint(e.x, e.y), 4490) AS at OFFSET 0) o
        WHERE upper_inf(n.valid_during)
          AND n.geom_3857 && ST_Expand(ST_Transform(o.at, 3857), :end_to_node_m * 1.2)
          AND ST_DistanceSphere(o.at, n.geom) <= :end_to_node_m)"""

# Of the loads that delivered the nodes of these lines: what they hold beside them.
_ORPHANS = """
    SELECT 'orphan_node' AS rule, CAST(NULL AS bigint) AS row_number, p.natural_key, p.clearance,
           ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat,
           jsonb_build_object('node', p.natural_key) AS details
    FROM {nodes} p
    LEFT JOIN (SELECT DISTINCT node FROM checked_ends) e ON e.node = p.natural_key
    WHERE upper_inf(p.valid_during) AND e.node IS NULL
      AND (p.load_id, p.kind) IN (
          SELECT n.load_id, n.kind FROM checked_ends c
          JOIN {nodes} n ON n.natural_key = c.node AND upper_inf(n.valid_during)
          WHERE c.row_number IS NOT NULL)
      AND NOT EXISTS (SELECT FROM {held} h
                      WHERE upper_inf(h.valid_during)
                        AND h.geom_3857 && p.geom_3857
                        AND p.natural_key IN (h.start_node, h.end_node))"""


def check_segments(tables: StagedTables) -> None:
    """All checks of a load of segments but that of crossings."""
    ends = tables.layer.end_nodes
    if ends is None:
        return
    nodes = qualified(get_layer(ends.layer))
    started = time.monotonic()
    words = {"kx": KX.format(y="ST_Y(a)"), "ky": KY.format(y="ST_Y(a)"), "half": _HALF_M}
    tables.run(_SEGMENTS, columns=_COLUMNS, **words)
    tables.run(_ENDS)
    tables.run("ANALYZE checked_ends (node)")
    tables.note("segments: gathered", started, 0)
    has_nodes = tables.value("SELECT EXISTS (SELECT FROM {nodes})", nodes=nodes)
    tables.check("segments: one by one", _ALONE)
    tables.check("segments: duplicates", _TWICE)
    tables.check("nodes: elevations, depths, materials, sizes", _AT_NODES, nodes=nodes)
    tables.check("nodes: angles", _SHARP)
    if not has_nodes:
        tables.note("nodes", time.monotonic(), 0, "no nodes are held, so none were looked for")
        return
    tables.check("nodes: ways", _WAYS, nodes=nodes)
    tables.check("nodes: ground", _GROUND, nodes=nodes)
    tables.check("nodes: named by ends", _NODES_OF_ENDS, nodes=nodes)
    tables.check("nodes: near ends", _UNNAMED_ENDS, nodes=nodes)
    tables.check("nodes: orphans", _ORPHANS, nodes=nodes)
