"""Tiles that do not show all: from an overview, as clusters, or the first by rank of what there is.

Three statements, each of which gives a layer of a tile that keeps to a bound of bytes and says how
many features it leaves out. A feature is counted in the tile that holds its reference point (the
centre of its box), so the counts of a zoom add up: what is left out is what lies there at the
instant, less what is shown of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from layers.access import Clearance
from layers.base import Attribute, Layer
from layers.generalising import encoded_bytes, fewest_bytes, rank, read
from layers.overview_tables import (
    FINEST_ZOOM,
    LADDER,
    cell_number,
    cells_name,
    clustered_by,
    overview_name,
    quadkey,
    reference_point,
)
from tiles.labels import label_attributes, label_layer_name

CLUSTERS_ACROSS = 8
"""A tile has up to 8 x 8 clusters."""

_LABEL_BYTES = 40
"""What the label point of a feature takes besides its attributes, at most."""

KIND_PREFIX = "n_"
"""Of the properties of a cluster that count its features of one kind."""

POINT_COUNT = "point_count"
"""The property of a cluster that says how many features it stands for."""


@dataclass(frozen=True)
class Shown:
    """What tiles of low zooms show of a layer.

    Attributes:
        properties: Names of the attributes that features carry; those that the level may read, and
            no other.
        extent: Units across a tile.
        buffer: Units beyond each edge.
        with_labels: Whether the label points of areas follow as a layer of their own.
        max_bytes: Bound of what the statement gives, before it is compressed.
    """

    layer: Layer
    level: Clearance
    properties: tuple[str, ...]
    extent: int
    buffer: int
    with_labels: bool
    max_bytes: int

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes that features carry."""
        return tuple(self.layer.attribute[name] for name in self.properties)

    @property
    def labelled(self) -> tuple[Attribute, ...]:
        """The attributes that label points carry."""
        return label_attributes(self.layer, self.level) if self.with_labels else ()

    @property
    def carried(self) -> tuple[Attribute, ...]:
        """The attributes that either carry."""
        more = (a for a in self.labelled if a.name not in self.properties)
        return (*self.attributes, *more)


def cell_parameters(z: int, x: int, y: int, *, clusters: bool) -> dict[str, int]:
    """What the statements of overviews and clusters look up in the cells, for a tile of EPSG:3857.

    Args:
        clusters: Whether cells smaller than the tile are wanted.
    """
    wanted = min(z + 3, FINEST_ZOOM) if clusters else z
    finer = min(step for step in LADDER if step >= wanted)
    below = 2 * (finer - z)
    first = quadkey(x, y) << below
    return {
        "cell_zoom": finer,
        "first_cell": first,
        "last_cell": first + (1 << below) - 1,
        "cell_shift": 2 * (finer - wanted),
    }


@lru_cache(maxsize=512)
def overview_statement(shown: Shown) -> str:
    """The statement of one tile of an overview of lines or areas, as psycopg text.

    Parameters: ``z``, ``x``, ``y``, ``at`` and those of ``cell_parameters``. One row: the encoded
    layer, the number of features left out, the text of the snapshot, and the base zoom in it (null
    where nothing was made yet).
    """
    attributes = "".join(f", v.{read(a)}" for a in shown.carried)
    columns = f"v.feature_id{attributes}, v.tile_rank, v.reference_x, v.reference_y, v.geom_3857"
    conditions = (
        f"v.tile_zoom = %(z)s::smallint AND v.geom_3857 && (SELECT {_box(shown, with_margin=True)})"
    )
    found = " UNION ALL ".join(
        f"SELECT {columns} FROM {overview_name(shown.layer)} v WHERE {conditions} AND {when}"
        for when in _AT.values()
    )
    here = " AND ".join(
        f"({number} >> ({FINEST_ZOOM} - %(z)s::integer)) = %({of})s::integer"
        for of, number in (
            ("x", cell_number("reference_x", FINEST_ZOOM)),
            ("y", cell_number("reference_y", FINEST_ZOOM, southward=True)),
        )
    )
    counted = f"SELECT coalesce(sum({_COUNT}), 0) FROM {cells_name(shown.layer)} c WHERE {_CELLS}"
    return (
        f"WITH found AS ({found}), {_within_bound(shown, 'found', 'geom_3857', _box(shown))} "
        f"SELECT {_contents(shown, 'geom_3857', _box(shown))}, "
        f"({counted}) - (SELECT count(*) FROM shown WHERE {here}), "
        f"{_SNAPSHOT}, {base_zoom_expression(shown.layer)}"
    )


@lru_cache(maxsize=512)
def clusters_statement(shown: Shown) -> str:
    """The statement of one tile of clusters of points; otherwise as ``overview_statement``.

    Clusters stand for all features, so none is left out. They have no id, ``point_count`` and,
    where the level may know the kind, counts by kind.
    """
    kinds = ""
    if clustered_by(shown.layer) is not None:
        kinds = (
            f", jsonb_object_agg('{KIND_PREFIX}' || kind, n) "
            "FILTER (WHERE kind <> '' AND n > 0) AS kinds"
        )
    counted = (
        "SELECT cell >> %(cell_shift)s::integer AS cluster, kind, "
        f"CAST(sum({_COUNT}) AS integer) AS n, sum(versions) AS versions, "
        f"sum(sum_x_cm) AS x, sum(sum_y_cm) AS y "
        f"FROM {cells_name(shown.layer)} c WHERE {_CELLS} GROUP BY 1, 2"
    )
    place = (
        "ST_Point(sum(x)::float8 / sum(versions) / 100, sum(y)::float8 / sum(versions) / 100, 3857)"
    )
    clusters = (
        f"SELECT ST_AsMVTGeom({place}, (SELECT {_box(shown)}), {shown.extent}, 0) AS geom, "
        f"CAST(sum(n) AS integer) AS {POINT_COUNT}{kinds} "
        "FROM counted GROUP BY cluster HAVING sum(n) > 0 ORDER BY cluster"
    )
    encoded = f"ST_AsMVT(t, '{shown.layer.name}', {shown.extent}, 'geom')"
    return (
        f"WITH counted AS ({counted}) "
        f"SELECT (SELECT {encoded} FROM ({clusters}) t), 0, {_SNAPSHOT}, "
        f"{base_zoom_expression(shown.layer)}"
    )


def bounded_statement(shown: Shown, versions: str, srid: int) -> str:
    """The statement of one tile of versions themselves, the first of them by rank.

    Args:
        versions: SELECT of the versions that touch the tile with its margin, with ``feature_id``,
            the attributes of ``bounded_attributes``, ``geom_3857`` and ``tile_shape``, which is
            what is cut to the tile. Its parameters are bound beside ``box_west``, ``box_south``,
            ``box_east`` and ``box_north``, the box of the tile.
        srid: EPSG code of the shape and the box.

    One row, as ``overview_statement``; reference points are those of the shape.
    """
    x, y = reference_point("v.tile_shape")
    here = (
        "v.reference_x >= %(box_west)s::float8 AND v.reference_x < %(box_east)s::float8 AND "
        "v.reference_y > %(box_south)s::float8 AND v.reference_y <= %(box_north)s::float8"
    )
    box = (
        "ST_MakeEnvelope(%(box_west)s::float8, %(box_south)s::float8, "
        f"%(box_east)s::float8, %(box_north)s::float8, {srid})"
    )
    by_rank = rank(shown.layer, "v.geom_3857", read)
    most = shown.max_bytes // fewest_bytes(shown.layer, shown.carried)
    return (
        f"WITH versions AS ({versions}), "
        "found AS MATERIALIZED "
        f"(SELECT v.*, {by_rank} AS tile_rank, {x} AS reference_x, {y} AS reference_y "
        "FROM versions v), "
        f"foremost AS (SELECT * FROM found ORDER BY tile_rank DESC, feature_id LIMIT {most}), "
        f"{_within_bound(shown, 'foremost', 'tile_shape', box)} "
        f"SELECT {_contents(shown, 'tile_shape', box)}, "
        f"(SELECT count(*) FROM found v WHERE {here}) "
        f"- (SELECT count(*) FROM shown v WHERE {here}), {_SNAPSHOT}, "
        f"{base_zoom_expression(shown.layer)}"
    )


def bounded_attributes(shown: Shown) -> tuple[Attribute, ...]:
    """The attributes that the versions of ``bounded_statement`` must have."""
    said = shown.layer.generalisation
    named = {said.weight, said.weight_by}
    carried = {attribute.name for attribute in shown.carried}
    ranking = (a for a in shown.layer.attributes_at(shown.level) if a.name in named - carried)
    return (*shown.carried, *ranking)


def base_zoom_expression(layer: Layer) -> str:
    """SQL of the base zoom of a layer for the reader's own level."""
    return f"(SELECT base_zoom FROM overviews WHERE layer = '{layer.name}')"


def cluster_fields(layer: Layer) -> dict[str, str]:
    """The properties of clusters of a layer and what they are, as a TileJSON describes them."""
    fields = {POINT_COUNT: "Number: features in the cluster 聚合要素数"}
    by = clustered_by(layer)
    for entry in by.codes.codes if by is not None and by.codes is not None else ():
        fields[f"{KIND_PREFIX}{entry.code}"] = f"Number: {entry.title.en} {entry.title.zh}"
    return fields


_AT = {
    "open": "upper_inf(v.valid_during) AND lower(v.valid_during) <= %(at)s",
    "ended": "NOT upper_inf(v.valid_during) AND v.valid_during @> %(at)s::timestamptz",
}
"""The two kinds of rows that hold at an instant; each has its own index."""

_CELLS = (
    "c.cell_zoom = %(cell_zoom)s::integer "
    "AND c.cell BETWEEN %(first_cell)s::bigint AND %(last_cell)s::bigint"
)

_COUNT = (
    "CASE WHEN c.last_at <= %(at)s THEN c.present ELSE (SELECT coalesce(sum(u.n), 0) "
    "FROM unnest(c.instants, c.changes) u (at, n) WHERE u.at <= %(at)s) END"
)
"""How many features of a cell hold at an instant: mostly what the last step left."""

_SNAPSHOT = "pg_current_snapshot()::text"


def _box(shown: Shown, *, with_margin: bool = False) -> str:
    margin = f", margin => {shown.buffer / shown.extent!r}" if with_margin else ""
    return f"ST_TileEnvelope(%(z)s::integer, %(x)s::integer, %(y)s::integer{margin})"


def _within_bound(shown: Shown, source: str, shape: str, box: str) -> str:
    """Common table expressions that end in ``shown``: the first rows of a source within the bound.

    ST_AsMVTGeom gives nothing for a shape that is smaller than a unit, so such features are left
    out, and counted.
    """
    size = encoded_bytes(shown.carried, "v.geom", read)
    if shown.with_labels:
        size += f" + {_LABEL_BYTES}"
    shaped = f"ST_AsMVTGeom(v.{shape}, (SELECT {box}), {shown.extent}, {shown.buffer})"
    return (
        # Cut once, not for each look at it.
        f"shaped AS (SELECT v.*, {shaped} AS geom FROM {source} v OFFSET 0), "
        f"sized AS (SELECT v.*, sum({size}) OVER (ORDER BY v.tile_rank DESC, v.feature_id) AS upto "
        "FROM shaped v WHERE v.geom IS NOT NULL), "
        f"shown AS (SELECT * FROM sized WHERE upto <= {shown.max_bytes})"
    )


def _contents(shown: Shown, shape: str, box: str) -> str:
    """SQL of the encoded layers of what is shown."""
    shapes = _encoded(shown, shown.layer.name, shown.attributes, "geom")
    if not shown.with_labels:
        return shapes
    place = f"ST_AsMVTGeom(ST_PointOnSurface({shape}), (SELECT {box}), {shown.extent}, 0)"
    labels = _encoded(shown, label_layer_name(shown.layer), shown.labelled, place)
    return f"{shapes} || {labels}"


def _encoded(shown: Shown, name: str, attributes: Sequence[Attribute], geometry: str) -> str:
    columns = "".join(f", {read(a)}" for a in attributes)
    return (
        f"coalesce((SELECT ST_AsMVT(t, '{name}', {shown.extent}, 'geom', 'feature_id') FROM "
        f"(SELECT feature_id{columns}, {geometry} AS geom FROM shown "
        "ORDER BY upto) t), '')"
    )
