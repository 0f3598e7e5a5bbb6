"""Checks that need all rows of a load, or rows that are held: done in SQL, before any lock.

Rows are rejected only where they cannot be loaded; all else is logged, and the rows go in.

Segments without a geometry of their own get it here, from the two surveyed nodes they name.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from layers.base import Layer
from layers.parcels import LAYER as PARCELS
from layers.registry import get_layer
from layers.tables import qualified
from loaders.checks.crossings import check_crossings, list_components
from loaders.checks.geometries import check_geometries
from loaders.checks.nodes import check_nodes
from loaders.checks.parcels import check_parcels
from loaders.checks.segments import check_segments
from loaders.checks.tables import NOT_JUDGED, CheckTime, StagedTables
from loaders.findings import FindingLog
from loaders.options import LoadOptions
from loaders.staging import Staging

_DUPLICATES = """
    SELECT d.row_number, 'duplicate_key: ' || d.natural_key AS reason
    FROM (SELECT row_number, natural_key,
                 row_number() OVER (PARTITION BY natural_key ORDER BY row_number) AS ordinal
          FROM {rows} WHERE NOT key_derived AND natural_key IN (
              SELECT natural_key FROM {rows} GROUP BY natural_key HAVING count(*) > 1)) d
    WHERE d.ordinal > 1"""

_ORDINALS = """
    UPDATE {rows} s SET natural_key = regexp_replace(s.natural_key, '1$', d.ordinal::text)
    FROM (SELECT row_number,
                 row_number() OVER (PARTITION BY natural_key ORDER BY row_number) AS ordinal
          FROM {rows} WHERE key_derived) d
    WHERE d.row_number = s.row_number AND d.ordinal > 1"""

_MISSING_NODES = """
    SELECT s.row_number,
           'missing_node: ' || concat_ws(', ',
               CASE WHEN a.natural_key IS NULL THEN s.{start} END,
               CASE WHEN b.natural_key IS NULL THEN s.{end} END) AS reason
    FROM {rows} s
    LEFT JOIN {nodes} a ON a.natural_key = s.{start} AND upper_inf(a.valid_during)
    LEFT JOIN {nodes} b ON b.natural_key = s.{end} AND upper_inf(b.valid_during)
    WHERE s.geom IS NULL AND (a.natural_key IS NULL OR b.natural_key IS NULL)"""

# A segment tells where its nodes are, so it is as secret as they are.
# Elevations and depths are of the crown or of the invert; the axis lies half a height below or
# above it. Surveys measure gravity pipes to the inner bottom and all others to the top.
_GEOMETRY = """
    UPDATE {rows} s
    SET geom = ST_SetSRID(ST_MakeLine(
            ST_MakePoint(ST_X(e.start_geom), ST_Y(e.start_geom), coalesce(e.start_z, 0)),
            ST_MakePoint(ST_X(e.end_geom), ST_Y(e.end_geom), coalesce(e.end_z, 0))), 4490),
        z_source = CASE WHEN e.start_z IS NULL OR e.end_z IS NULL THEN 'unknown'
                        WHEN e.is_surveyed THEN 'surveyed' ELSE 'depth' END,
        admin_code = coalesce(e.start_admin_code, e.end_admin_code),
        clearance = greatest(s.clearance, e.start_clearance, e.end_clearance)
    FROM (
        SELECT l.row_number, a.geom AS start_geom, b.geom AS end_geom,
               a.admin_code AS start_admin_code, b.admin_code AS end_admin_code,
               a.clearance AS start_clearance, b.clearance AS end_clearance,
               coalesce(l.start_elevation_m, {ground_a} - l.start_depth_m) + {to_axis} AS start_z,
               coalesce(l.end_elevation_m, {ground_b} - l.end_depth_m) + {to_axis} AS end_z,
               l.start_elevation_m IS NOT NULL AND l.end_elevation_m IS NOT NULL AS is_surveyed
        FROM {rows} l
        JOIN {nodes} a ON a.natural_key = l.{start} AND upper_inf(a.valid_during)
        JOIN {nodes} b ON b.natural_key = l.{end} AND upper_inf(b.valid_during)
        WHERE l.geom IS NULL
    ) e
    WHERE e.row_number = s.row_number"""

_TO_AXIS = """
    coalesce(substring(l.section FROM '[*xX×]\\s*([0-9]{1,6}\\.?[0-9]{0,3})')::double precision,
             l.diameter_mm, 0) / 2000
    * CASE coalesce(l.depth_ref, CASE l.category WHEN 'PS' THEN 'invert' ELSE 'crown' END)
      WHEN 'invert' THEN 1 ELSE -1 END"""

_GROUND = """
    coalesce({node}.ground_elevation_m,
             CASE WHEN {node}.z_source <> 'unknown' THEN ST_Z({node}.geom) END)"""

_HAS_ROWS = "SELECT EXISTS (SELECT FROM {rows})"
_LACKS_GEOMETRY = "SELECT EXISTS (SELECT FROM {rows} WHERE geom IS NULL)"
_HAS_EQUAL_KEYS = "SELECT EXISTS (SELECT FROM {rows} GROUP BY natural_key HAVING count(*) > 1)"
_WORK_MEMORY = "64MB"
"""Of each sort and hash of the checks: as much as keeps those of 300,000 rows off the disk."""

_LONGEST_S = 600
"""How long one check may take; what takes longer is left out, and the load goes on."""

_ONE_NODE = """
    SELECT row_number, 'zero_length: both ends are node ' || {start} AS reason
    FROM {rows} WHERE geom IS NULL AND {start} = {end}"""


def check_staged(
    connection: Connection,
    layer: Layer,
    staging: Staging,
    options: LoadOptions,
    log: FindingLog,
    *,
    has_distinct_keys: bool = False,
) -> tuple[CheckTime, ...]:
    """Make geometries of end nodes, reject what a look at all rows shows, and log what is doubtful.

    Commits, and leaves fresh statistics for the statements of the publication.

    Args:
        has_distinct_keys: Whether it is known that no two rows have one natural key.

    Returns:
        How long each group of checks took.
    """
    tables = StagedTables(connection, layer, staging, options.thresholds, log)
    without_jit(connection)
    staging.analyze(connection)
    if not has_distinct_keys:
        _make_unique(tables)
    _place_between_nodes(tables)
    if options.checks == "all":
        connection.execute(text(f"SET LOCAL work_mem = '{_WORK_MEMORY}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{_LONGEST_S}s'"))
        _find_doubtful(tables)
    connection.commit()
    return tuple(tables.times)


def _make_unique(tables: StagedTables) -> None:
    started = time.monotonic()
    rejected = 0
    if tables.value(_HAS_EQUAL_KEYS):
        rejected = tables.reject(_DUPLICATES)
        tables.run(_ORDINALS)
    tables.note("keys", started, rejected)


def _place_between_nodes(tables: StagedTables) -> None:
    ends = tables.layer.end_nodes
    started = time.monotonic()
    if ends is None or not tables.value(_LACKS_GEOMETRY):
        return
    words = {
        "nodes": qualified(get_layer(ends.layer)),
        "start": ends.start,
        "end": ends.end,
        "ground_a": _GROUND.format(node="a"),
        "ground_b": _GROUND.format(node="b"),
        "to_axis": _TO_AXIS,
    }
    rejected = tables.reject(_ONE_NODE, **words)
    rejected += tables.reject(_MISSING_NODES, **words)
    tables.run(_GEOMETRY, **words)
    tables.note("geometry from nodes", started, rejected)


def _find_doubtful(tables: StagedTables) -> None:
    """What is loaded all the same."""
    if not tables.value(_HAS_ROWS):
        return
    groups: list[tuple[str, Callable[[StagedTables], None]]] = [("geometry", check_geometries)]
    if tables.layer.end_nodes is not None:
        groups += [
            ("segments", check_segments),
            ("segments: crossings", check_crossings),
            ("network: connected parts", list_components),
        ]
    groups.append(("nodes", check_nodes))
    if tables.layer.name == PARCELS.name:
        groups.append(("parcels", check_parcels))
    for name, group in groups:
        _judge(tables, name, group)


def _judge(tables: StagedTables, name: str, group: Callable[[StagedTables], None]) -> None:
    """Run a group of checks; what cannot be judged, or not in time, fails no load."""
    started = time.monotonic()
    try:
        with tables.connection.begin_nested():
            group(tables)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        tables.note(name, started, 0, NOT_JUDGED)


def without_jit(connection: Connection) -> None:
    """Turn compilation of expressions off until the transaction ends.

    The statements of a load are many and simple: compiling them takes longer than running them
    (measured, 300,000 rows: 0.5 s of 4.4 s).
    """
    connection.execute(text("SET LOCAL jit = off"))
