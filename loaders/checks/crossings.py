"""Pipes that cross where both would have to be, and the parts that a network falls into.

Pairs are found by a hash of the cells of a grid that their boxes touch, which is quicker than a
join by a spatial index where lines are short and many. The few segments that span many cells are
compared by index.
"""

from __future__ import annotations

import time

from loaders.checks.tables import CheckTime, StagedTables

_CELL_DEGREES = "0.0005"
"""Some fifty metres: about the length of a segment."""
_MOST_CELLS = "64"

_BOXES = """
    CREATE TEMPORARY TABLE checked_boxes ON COMMIT DROP AS
    SELECT id, coalesce(row_number, 0) AS row_number, half_m,
           ST_XMin(geom) AS west, ST_XMax(geom) AS east,
           ST_YMin(geom) AS south, ST_YMax(geom) AS north,
           ST_ZMin(geom) AS low, ST_ZMax(geom) AS high,
           hashtextextended(coalesce(start_node, ax || ' ' || ay), 0) AS start_node,
           hashtextextended(coalesce(end_node, bx || ' ' || by), 0) AS end_node
    FROM checked_segments WHERE has_z"""

_SPANS = """
    CREATE TEMPORARY TABLE checked_spans ON COMMIT DROP AS
    SELECT b.*, c.*,
           (first_column - last_column - 1) * (first_row - last_row - 1) > {most} AS is_long
    FROM checked_boxes b, LATERAL (
        SELECT floor(west / {cell})::bigint AS first_column,
               floor(east / {cell})::bigint AS last_column,
               floor(south / {cell})::bigint AS first_row,
               floor(north / {cell})::bigint AS last_row OFFSET 0
    ) c"""

_CELLS = """
    CREATE TEMPORARY TABLE checked_cells ON COMMIT DROP AS
    SELECT s.*, x AS cell_column, y AS cell_row
    FROM checked_spans s, generate_series(first_column, last_column) x,
         generate_series(first_row, last_row) y
    WHERE NOT is_long"""

_INDEX = "CREATE INDEX ON checked_segments USING gist (geom) WHERE has_z"

_MEET = """
    a.west <= b.east AND b.west <= a.east AND a.south <= b.north AND b.south <= a.north
    AND a.low - b.high < a.half_m + b.half_m + :crossing_gap_m
    AND b.low - a.high < a.half_m + b.half_m + :crossing_gap_m
    AND a.start_node NOT IN (b.start_node, b.end_node)
    AND a.end_node NOT IN (b.start_node, b.end_node)"""

# Of the cells that two boxes share, the pair counts in the one of the corner of what they share.
_PAIRS = """
    CREATE TEMPORARY TABLE checked_pairs ON COMMIT DROP AS
    SELECT a.id, b.id AS other_id
    FROM checked_cells a
    JOIN checked_cells b USING (cell_column, cell_row)
    WHERE a.row_number > b.row_number
      AND cell_column = greatest(a.first_column, b.first_column)
      AND cell_row = greatest(a.first_row, b.first_row) AND {meet}"""

_LONG_PAIRS = """
    INSERT INTO checked_pairs
    SELECT CASE WHEN a.row_number > b.row_number THEN a.id ELSE b.id END,
           CASE WHEN a.row_number > b.row_number THEN b.id ELSE a.id END
    FROM checked_spans a
    JOIN checked_segments l ON l.id = a.id
    JOIN checked_segments o ON o.geom && l.geom AND o.has_z
    JOIN checked_spans b ON b.id = o.id
    WHERE a.is_long AND a.row_number <> b.row_number
      AND (NOT b.is_long OR a.row_number > b.row_number) AND {meet}"""

_COLLIDE = """
    SELECT 'pipes_collide' AS rule, row_number, natural_key, clearance, lon, lat,
           jsonb_build_object('other', other, 'gap', round(gap_m::numeric, 3),
                              'needed', round(needed_m::numeric, 3)) AS details
    FROM (
        SELECT c.row_number, c.natural_key, c.clearance, c.other, c.needed_m,
               ST_X(c.at) AS lon, ST_Y(c.at) AS lat,
               abs(ST_Z(ST_LineInterpolatePoint(c.geom, ST_LineLocatePoint(c.geom, c.at)))
                   - ST_Z(ST_LineInterpolatePoint(c.other_geom,
                                                  ST_LineLocatePoint(c.other_geom, c.at)))) AS gap_m
        FROM (
            SELECT a.row_number, a.natural_key, a.geom,
                   greatest(a.clearance, b.clearance) AS clearance,
                   b.natural_key AS other, b.geom AS other_geom,
                   a.half_m + b.half_m + :crossing_gap_m AS needed_m,
                   ST_StartPoint(ST_Intersection(ST_Force2D(a.geom), ST_Force2D(b.geom))) AS at
            FROM checked_pairs p
            JOIN checked_segments a ON a.id = p.id
            JOIN checked_segments b ON b.id = p.other_id
            WHERE ST_Intersects(a.geom, b.geom) OFFSET 0
        ) c OFFSET 0
    ) d
    WHERE gap_m < needed_m"""

MOST_SEGMENTS = 2_000_000
"""Above so many the parts are not counted: pgRouting holds all of them in memory."""
_LISTED = 10

# The inner text is a constant; nodes are numbers by their hash.
_COMPONENTS = """
    SELECT component, count(DISTINCT node) AS nodes, min(name) AS name
    FROM pgr_connectedComponents(
        'SELECT id, hashtextextended(start_node, 0) AS source,
                hashtextextended(end_node, 0) AS target, 1.0::float8 AS cost
         FROM checked_segments WHERE start_node IS NOT NULL AND end_node IS NOT NULL')
    JOIN (SELECT DISTINCT node AS name, hashtextextended(node, 0) AS id FROM checked_ends) n
      ON n.id = node
    GROUP BY component ORDER BY nodes DESC, name"""


def check_crossings(tables: StagedTables) -> None:
    """Pipes that collide; needs the tables of ``check_segments``."""
    started = time.monotonic()
    if not tables.value(_KNOWS_ELEVATIONS):
        tables.note("segments: crossings", started, 0, "no elevation of an axis is known")
        return
    words = {"cell": _CELL_DEGREES, "most": _MOST_CELLS}
    for statement in (_BOXES, _SPANS, _CELLS):
        tables.run(statement, **words)
    # Without statistics the planner takes few for many and many for few, and loops.
    tables.run("ANALYZE checked_cells (cell_column, cell_row)")
    tables.run("ANALYZE checked_segments (id, geom)")
    tables.run(_PAIRS, meet=_MEET)
    if tables.value(_HAS_LONG):
        tables.run(_INDEX)
        tables.run("ANALYZE checked_spans (id, is_long)")
        tables.run(_LONG_PAIRS, meet=_MEET)
    tables.run("ANALYZE checked_pairs")
    tables.note("segments: near each other", started, 0)
    tables.check("segments: crossings", _COLLIDE)


_KNOWS_ELEVATIONS = (
    "SELECT EXISTS (SELECT FROM checked_segments WHERE row_number IS NOT NULL AND has_z)"
)
_HAS_LONG = "SELECT EXISTS (SELECT FROM checked_spans WHERE is_long)"


def list_components(tables: StagedTables) -> None:
    """Count the connected parts of the network around the load; needs the same tables."""
    started = time.monotonic()
    segments = tables.value("SELECT count(*) FROM checked_segments WHERE start_node IS NOT NULL")
    if not segments or segments > MOST_SEGMENTS:
        note = "no segment names its nodes" if not segments else "too many segments"
        tables.note("network: connected parts", started, 0, note)
        return
    rows = tables.rows(_COMPONENTS)
    largest = [{"node": row.name, "nodes": row.nodes} for row in rows[:_LISTED]]
    listed = ", ".join(f"{part['nodes']:,} at {part['node']}" for part in largest[:3])
    tables.times.append(
        CheckTime(
            "network: connected parts",
            time.monotonic() - started,
            0,
            f"{len(rows):,} connected parts; points in the largest: {listed}",
            {"components": len(rows), "largest": largest},
        )
    )
