"""Checks that need all rows of a load, or rows that are held: done in SQL, before any lock.

Segments without a geometry of their own get it here, from the two surveyed nodes they name.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.registry import get_layer
from layers.tables import qualified
from loaders.staging import Staging

_REJECT = """
    WITH bad AS (
        DELETE FROM {rows} s USING ({which}) b WHERE s.row_number = b.row_number
        RETURNING s.*, b.reason
    )
    INSERT INTO {rejected} (row_number, natural_key, reasons, original, clearance)
    SELECT b.row_number, b.natural_key, ARRAY[b.reason],
           jsonb_strip_nulls(to_jsonb((SELECT r FROM (SELECT {originals}) r))), b.clearance
    FROM bad b"""

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

_ONE_NODE = """
    SELECT row_number, 'zero_length: both ends are node ' || {start} AS reason
    FROM {rows} WHERE geom IS NULL AND {start} = {end}"""


def check_staged(
    connection: Connection, layer: Layer, staging: Staging, *, has_distinct_keys: bool = False
) -> None:
    """Make geometries of end nodes, reject what a look at all rows shows, and number equal rows.

    Commits, and leaves fresh statistics for the statements of the publication.

    Args:
        has_distinct_keys: Whether it is known that no two rows have one natural key.
    """
    checks = _Checks(connection, layer, staging)
    without_jit(connection)
    # The columns by which a publication joins; those of geometry and text would cost most of it.
    staging.analyze(connection)
    if not has_distinct_keys and checks.has_equal_keys():
        checks.reject(_DUPLICATES)
        checks.run(_ORDINALS)
    if layer.end_nodes is not None and checks.lacks_geometry():
        ends = layer.end_nodes
        words = {
            "nodes": qualified(get_layer(ends.layer)),
            "start": ends.start,
            "end": ends.end,
            "ground_a": _GROUND.format(node="a"),
            "ground_b": _GROUND.format(node="b"),
            "to_axis": _TO_AXIS,
        }
        checks.reject(_ONE_NODE, **words)
        checks.reject(_MISSING_NODES, **words)
        checks.run(_GEOMETRY, **words)
    connection.commit()


def without_jit(connection: Connection) -> None:
    """Turn compilation of expressions off until the transaction ends.

    The statements of a load are many and simple: compiling them takes longer than running them
    (measured, 300,000 rows: 0.5 s of 4.4 s).
    """
    connection.execute(text("SET LOCAL jit = off"))


class _Checks:
    """Statements on the tables of one load; all words filled in are of the registry or of ours."""

    def __init__(self, connection: Connection, layer: Layer, staging: Staging) -> None:
        self._connection = connection
        self._tables = {"rows": staging.qualified_rows, "rejected": staging.qualified_rejected}
        attributes = [f'b.{a.column} AS "{a.name}"' for a in layer.attributes]
        self._originals = ", ".join([*attributes, "ST_AsText(b.geom) AS geometry"])

    def run(self, statement: str, **words: str) -> None:
        self._connection.execute(text(statement.format(**self._tables, **words)))

    def reject(self, which: str, **words: str) -> None:
        found = which.format(**self._tables, **words)
        self.run(_REJECT, which=found, originals=self._originals)

    def has_equal_keys(self) -> bool:
        statement = (
            f"SELECT EXISTS (SELECT FROM {self._tables['rows']} "  # noqa: S608  # a name of ours
            "GROUP BY natural_key HAVING count(*) > 1)"
        )
        return bool(self._connection.execute(text(statement)).scalar_one())

    def lacks_geometry(self) -> bool:
        statement = f"SELECT EXISTS (SELECT FROM {self._tables['rows']} WHERE geom IS NULL)"  # noqa: S608  # a name of ours
        return bool(self._connection.execute(text(statement)).scalar_one())
