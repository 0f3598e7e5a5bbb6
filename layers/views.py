"""What each clearance may read, as database objects: one schema of views and grants per level.

Schema ``read_<level>`` has one view per layer over exactly the partitions and columns of the level.
The level's login role has USAGE there and nothing else, so an injected statement reads neither a
hidden column nor a hidden row. Readers' SQL says plain ``FROM pipelines``. Views are UNION ALL over
partitions, which the planner flattens, so the GiST index of each partition is used (row-level
security would lose it: PostGIS operators are not leakproof).

The statements follow today's descriptors and are made anew whenever these change; those of one
theme are made alone when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from layers.access import Clearance
from layers.base import THEME_SCHEMA, Layer
from layers.facilities import LAYER as FACILITIES
from layers.load_jobs import WEB_INSERTS, WEB_UPDATES
from layers.observations import AVAILABILITY
from layers.overview_tables import (
    CELL_COLUMNS,
    cells_name,
    cells_table_name,
    clustered_by,
    generalised_tables,
    has_overview,
    overview_name,
    overview_table_name,
    readable_overview_columns,
)
from layers.parcels import LAYER as PARCELS
from layers.rasters import LAYER_NAME as RASTERS
from layers.rasters import READABLE_COLUMNS
from layers.registry import LAYERS
from layers.resources import LAYER as RESOURCES
from layers.roles import Role, reader_role, role_name
from layers.system_tables import road_edges_name
from layers.tables import (
    SCHEMA,
    STAGING_SCHEMA,
    partition_name,
    past_name,
    past_table_name,
    qualified,
    qualified_past,
    row_clearances,
    table_name,
)

FACILITY_STATUS = "facility_status"
OVERVIEWS = "overviews"
FIGURES = "figures"
"""View of all figures ever received, those that were corrected later among them."""
ROLLUPS = "observation_rollups"
OUTDATED_ROLLUPS = "outdated_rollups"
EVENTS = "events"
ALERTS = "alerts"
ROAD_EDGES = "road_edges"
PARCEL_KEYS = "parcel_keys"
PARCEL_TRANSACTIONS = "parcel_transactions"
PARCEL_LINKS = "parcel_links"
LIVE_COLUMNS = (
    "observed_at",
    "ttl_s",
    "available",
    "capacity",
    "status",
    "resource_type",
    "source",
)
"""What is known of the newest figure of a facility."""


def read_schema(level: Clearance) -> str:
    """Name of the schema of views of a level."""
    return f"read_{level.label}"


def readable_columns(layer: Layer, level: Clearance) -> tuple[str, ...]:
    """Columns of a layer's view at a level, in order.

    The natural key and the load are left out: a key may be made of hidden attributes.
    """
    attributes = tuple(attribute.name for attribute in layer.attributes_at(level))
    return (
        "feature_id",
        *attributes,
        "admin_code",
        "clearance",
        "valid_during",
        "recorded_during",
        "geom",
        "geom_3857",
    )


def view_statements(database: str, themes: Sequence[Layer] = ()) -> list[str]:
    """All statements that make the read schemas and the grants of a database."""
    statements = []
    for level in Clearance:
        statements += _schema_statements(level)
        for layer in (*LAYERS, *themes):
            statements += _layer_views(layer, level)
        statements += _observation_views(level, themes)
        statements.append(_raster_view(level))
        statements.append(_road_edges_view(level))
        statements += _parcel_views(level)
        statements.append(_overviews_view(level))
        statements += _reader_grants(database, level)
    statements += _writer_grants(database)
    return statements + [grant for theme in themes for grant in _theme_grants(database, theme)]


def theme_view_statements(database: str, theme: Layer) -> list[str]:
    """The statements that make the views and the grants of a theme that has no views."""
    statements = []
    for level in Clearance:
        views = list(_layer_views(theme, level))
        statements += views
        if views:
            names = ", ".join(_view_names(theme, level))
            role = role_name(database, reader_role(level))
            statements.append(f'GRANT SELECT ON {names} TO "{role}"')
    return [*statements, *_theme_grants(database, theme)]


def drop_view_statements(theme: Layer) -> list[str]:
    """The statements that take the views of a theme away, where there are any."""
    return [
        f"DROP VIEW IF EXISTS {name}" for level in Clearance for name in _view_names(theme, level)
    ]


def fingerprint(statements: list[str]) -> str:
    """Short stable text that changes when any statement does."""
    return blake2b("\n".join(statements).encode(), digest_size=16).hexdigest()


def _schema_statements(level: Clearance) -> list[str]:
    name = read_schema(level)
    return [f"DROP SCHEMA IF EXISTS {name} CASCADE", f"CREATE SCHEMA {name}"]


def _layer_views(layer: Layer, level: Clearance) -> Iterator[str]:
    """The views of held and of past versions; none below the layer's clearance."""
    if layer.clearance > level:
        return
    whole = _named(layer, readable_columns(layer, level))
    contents = {table_name(layer): whole, past_table_name(layer): whole}
    if has_overview(layer):
        shown = readable_overview_columns(layer, level)
        contents[overview_table_name(layer)] = _named(layer, shown)
    contents[cells_table_name(layer)] = _cell_columns(layer)
    clearances = [clearance for clearance in row_clearances(layer) if clearance <= level]
    for view, (table, columns) in zip(_view_names(layer, level), contents.items(), strict=True):
        branches = "\nUNION ALL\n".join(
            f"SELECT {columns} FROM {layer.schema}.{partition_name(table, clearance)}"
            for clearance in clearances
        )
        yield f"CREATE VIEW {view} AS\n{branches}"


def _named(layer: Layer, columns: Sequence[str]) -> str:
    """Columns as a view has them: attributes under their own names."""
    return ", ".join(
        f'{layer.attribute[name].column} AS "{name}"' if name in layer.attribute else name
        for name in columns
    )


def _cell_columns(layer: Layer) -> str:
    """Counts by kind only while the kind is as open as the layer."""
    hidden = clustered_by(layer) is None
    return ", ".join("''::text AS kind" if c == "kind" and hidden else c for c in CELL_COLUMNS)


def _view_names(layer: Layer, level: Clearance) -> tuple[str, ...]:
    schema = read_schema(level)
    low_zooms = (
        (overview_name(layer), cells_name(layer)) if has_overview(layer) else (cells_name(layer),)
    )
    return tuple(f"{schema}.{name}" for name in (layer.name, past_name(layer), *low_zooms))


def _overviews_view(level: Clearance) -> str:
    """From which zoom on tiles show a layer whole, as it is for the level itself."""
    return (
        _barrier(level, OVERVIEWS)
        + f"SELECT layer, base_zoom FROM {SCHEMA}.overviews WHERE clearance = {level:d}"
    )


def _observation_views(level: Clearance, themes: Sequence[Layer]) -> list[str]:
    """What is observed of features that the level may see: a hidden feature has no figures.

    A series keeps a clearance of its own, but that of its feature may have been raised since it was
    observed last; so every view asks for a version of the feature that the level can read.

    The three that leave rows out are security barriers: a condition of the reader's is only
    evaluated on rows of the level. Otherwise the planner may try ``(value::text || 'x')::int = 1``
    on a hidden row first, and the error text shows its value (PostgreSQL manual, 41.5). What the
    views of live facilities leave out stands below a LIMIT, which no condition passes.
    """
    schema = read_schema(level)
    figures = "observed_at, received_at, available, capacity, status"
    return [
        *_observed_views(level, themes),
        _barrier(level, FACILITY_STATUS)
        + f"SELECT feature_id, resource_type, source, ttl_s, {figures} "
        + f"FROM {SCHEMA}.series_status s "
        + f"WHERE property = '{AVAILABILITY}' AND clearance <= {level:d} "
        + f"AND ({_has_version(FACILITIES, level)})",
        _barrier(level, "observations")
        + f"SELECT series_id, value, {figures} FROM {SCHEMA}.observations o "
        + f"WHERE EXISTS (SELECT FROM {schema}.series s WHERE s.series_id = o.series_id)",
        _barrier(level, FIGURES)
        + " UNION ALL ".join(
            f"SELECT series_id, {figures} FROM {SCHEMA}.{name} o "
            f"WHERE EXISTS (SELECT FROM {schema}.series s WHERE s.series_id = o.series_id)"
            for name in ("observations", "observation_corrections")
        ),
        _barrier(level, ROLLUPS)
        + "SELECT series_id, step_min, bucket_start, count, sum, minimum, maximum, last, capacity "
        + f"FROM {SCHEMA}.observation_rollups o "
        + f"WHERE EXISTS (SELECT FROM {schema}.series s WHERE s.series_id = o.series_id)",
        _barrier(level, OUTDATED_ROLLUPS)
        + f"SELECT series_id, bucket_start FROM {SCHEMA}.rollup_queue o "
        + f"WHERE EXISTS (SELECT FROM {schema}.series s WHERE s.series_id = o.series_id)",
        *(_live_view(level, clearance) for clearance in live_partitions(level)),
    ]


def observed_view_statements(themes: Sequence[Layer]) -> list[str]:
    """The statements that let each level see what is observed of the features that it may see.

    They replace what is there, so that they follow the themes that there are.
    """
    return [one for level in Clearance for one in _observed_views(level, themes)]


def _observed_views(level: Clearance, themes: Sequence[Layer]) -> list[str]:
    """Views of whatever belongs to a feature of any layer."""
    is_visible = _feature_is_visible(level, themes)
    return [
        _barrier(level, "series")
        + "SELECT series_id, layer, feature_id, property, resource_type, unit, source, ttl_s "
        + f"FROM {SCHEMA}.series s WHERE clearance <= {level:d} AND ({is_visible})",
        _barrier(level, ALERTS)
        + "SELECT alert_id, rule_id, series_id, layer, feature_id, value, raised_at, "
        + f"acknowledged_at, note, cleared_at FROM {SCHEMA}.alerts s "
        + f"WHERE clearance <= {level:d} AND ({is_visible})",
        _barrier(level, EVENTS)
        + "SELECT event_no, occurred_at, topic, layer, feature_id, body "
        + f"FROM {SCHEMA}.events s "
        + f"WHERE clearance <= {level:d} AND (feature_id IS NULL OR {is_visible})",
    ]


def _raster_view(level: Clearance) -> str:
    """Versions of rasters of the level, held and past, for its clearance decides for every instant.

    A security barrier, because a condition of the reader's must not see the others' rows.
    """
    return (
        _barrier(level, RASTERS)
        + f"SELECT {', '.join(READABLE_COLUMNS)} FROM {SCHEMA}.rasters WHERE clearance <= {level:d}"
    )


def _road_edges_view(level: Clearance) -> str:
    """The network as far as it is of roads of the level."""
    columns = "edge_id, feature_id, source, target, length_m, drive_s, drive_back_s, walk_s"
    branches = " UNION ALL ".join(
        f"SELECT {columns}, geom_3857 FROM {SCHEMA}.{road_edges_name(clearance)}"
        for clearance in Clearance
        if clearance <= level
    )
    return f"CREATE VIEW {read_schema(level)}.{ROAD_EDGES} AS {branches}"


def _parcel_views(level: Clearance) -> list[str]:
    """Parcels by code, and the transactions of which the level may see every parcel.

    Why something was done, by which document and by whom is for government, as holders are.
    """
    schema = read_schema(level)
    keys = " UNION ALL ".join(
        f"SELECT natural_key AS code, feature_id FROM {SCHEMA}.{partition_name(name, clearance)} "
        f"WHERE NOT key_derived AND {when}"
        for clearance in row_clearances(PARCELS)
        if clearance <= level
        # Each has its own index by key.
        for name, when in (
            (table_name(PARCELS), "upper_inf(valid_during)"),
            (table_name(PARCELS), "NOT upper_inf(valid_during)"),
            (past_table_name(PARCELS), "true"),
        )
    )
    # Asked for one by one: as a condition it would be a join with all parcels.
    is_visible = (
        f"(SELECT bool_and(EXISTS (SELECT FROM {schema}.{PARCEL_KEYS} k WHERE k.code = c.code)) "
        "FROM unnest(t.predecessors || t.successors) c (code))"
    )
    # Whoever undoes an undoing does it again, and each step must be of the state before it.
    is_undone = (
        "(WITH RECURSIVE later AS ("
        f"SELECT load_id FROM {SCHEMA}.loads WHERE undoes = t.load_id UNION ALL "
        f"SELECT l.load_id FROM {SCHEMA}.loads l JOIN later ON l.undoes = later.load_id) "
        "SELECT mod(count(*), 2) = 1 FROM later) AS is_undone"
    )
    told = ("document_no", "reason", "made_by")
    said = ", ".join(
        name if level >= Clearance.GOVERNMENT else f"NULL::{kind} AS {name}"
        for name, kind in zip(told, ("text", "text", "bigint"), strict=True)
    )
    return [
        _barrier(level, PARCEL_KEYS) + keys,
        _barrier(level, PARCEL_TRANSACTIONS)
        + f"SELECT transaction_id, kind, recorded_at, {said}, predecessors, successors, "
        + f"{is_undone} FROM {SCHEMA}.parcel_transactions t WHERE {is_visible}",
        _barrier(level, PARCEL_LINKS)
        + f"SELECT l.code, l.transaction_id, l.is_successor FROM {SCHEMA}.parcel_links l "
        + f"WHERE (SELECT EXISTS (SELECT FROM {schema}.{PARCEL_KEYS} k WHERE k.code = l.code))",
    ]


def _barrier(level: Clearance, name: str) -> str:
    return f"CREATE OR REPLACE VIEW {read_schema(level)}.{name} WITH (security_barrier) AS "


def _feature_is_visible(level: Clearance, themes: Sequence[Layer]) -> str:
    return " OR ".join(
        f"s.layer = '{layer.name}' AND ({_has_version(layer, level)})"
        for layer in (*LAYERS, *themes)
        if layer.clearance <= level
    )


def _has_version(layer: Layer, level: Clearance) -> str:
    """Whether the feature of ``s`` has a held version at the level; two looks into two indexes."""
    return " OR ".join(
        f"EXISTS (SELECT FROM {read_schema(level)}.{layer.name} v "
        f"WHERE v.feature_id = s.feature_id AND {when})"
        for when in ("upper_inf(v.valid_during)", "NOT upper_inf(v.valid_during)")
    )


def live_partitions(level: Clearance) -> tuple[Clearance, ...]:
    """The clearances of the facilities that a level reads with their figures, each in a view."""
    return tuple(one for one in row_clearances(FACILITIES) if one <= level)


def live_view_name(clearance: Clearance) -> str:
    """Name of the view of the facilities of one clearance with the newest figure of each."""
    return f"{FACILITIES.name}_live_{clearance:d}"


def _live_view(level: Clearance, clearance: Clearance) -> str:
    """Facilities of one partition, each with its newest figure, in columns ``live_...``.

    One view for each partition, not one for all: of a UNION ALL of joins the planner would read
    everything before it sorted by distance. A figure is reached through its facility only.
    """
    # No alias: a draft that becomes the partition is put in under the partition's own name.
    name = partition_name(FACILITIES.name, clearance)
    columns = ", ".join(f"{name}.{column}" for column in readable_columns(FACILITIES, level))
    figure = ", ".join(f"t.{column} AS live_{column}" for column in LIVE_COLUMNS)
    newest = (
        f"SELECT {', '.join(LIVE_COLUMNS)} FROM {SCHEMA}.series_status t "
        f"WHERE t.feature_id = {name}.feature_id AND t.property = '{AVAILABILITY}' "
        f"AND t.clearance <= {level:d} ORDER BY t.observed_at DESC LIMIT 1"
    )
    return (
        f"CREATE VIEW {read_schema(level)}.{live_view_name(clearance)} AS "
        f"SELECT {columns}, {figure} FROM {SCHEMA}.{name} "
        f"LEFT JOIN LATERAL ({newest}) t ON true"
    )


def _reader_grants(database: str, level: Clearance) -> list[str]:
    schema, role = read_schema(level), role_name(database, reader_role(level))
    return [
        f'GRANT USAGE ON SCHEMA {schema} TO "{role}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO "{role}"',
    ]


_LOADING = (
    "analyze_layer(text)",
    "quadkey(integer, integer)",
    "held_partition(text, integer)",
    "stage_drafts(text, bigint, timestamptz)",
    "analyze_staged(bigint)",
    "make_draft(text, integer, bigint)",
    "close_draft(text, integer, bigint, timestamptz)",
    "index_draft(text, integer, bigint, text)",
    "adopt_draft(text, integer, bigint)",
    "discard_drafts(bigint)",
)
"""What the loader may have done by the owner."""


_OBSERVING = (
    "ensure_observation_partition(timestamptz)",
    "ensure_rollup_partition(timestamptz)",
    "ensure_event_partition(bigint)",
    "drop_old_events(timestamptz)",
    "drop_old_observations(timestamptz, text)",
)
"""What those who write figures may have done by the owner."""


def _writer_grants(database: str) -> list[str]:
    loader = f'"{role_name(database, Role.LOADER)}"'
    ingest = f'"{role_name(database, Role.INGEST)}"'
    gate = f'"{role_name(database, Role.GATE)}"'
    desk = f'"{role_name(database, Role.DESK)}"'
    tables = ", ".join(
        name for layer in LAYERS for name in (qualified(layer), qualified_past(layer))
    )
    derived = ", ".join(name for layer in LAYERS for name in _generalised(layer))
    statements = [
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {loader}, {ingest}, {gate}, {desk}",
        f"GRANT USAGE, CREATE ON SCHEMA {STAGING_SCHEMA} TO {loader}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {loader}",
        f"GRANT SELECT, INSERT, DELETE ON {derived}, {SCHEMA}.overviews TO {loader}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.loads, {SCHEMA}.quarantine TO {loader}",
        f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.findings TO {loader}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.rasters TO {loader}",
        f"GRANT DELETE ON {SCHEMA}.quarantine TO {loader}",
        f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.staged_digests TO {loader}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO {loader}, {ingest}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.series, {SCHEMA}.observations, "
        f"{SCHEMA}.series_status TO {ingest}",
        f"GRANT INSERT ON {SCHEMA}.observation_corrections TO {ingest}",
        f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.outbox, {SCHEMA}.rollup_queue TO {ingest}",
        f"GRANT SELECT, INSERT ON {SCHEMA}.events TO {ingest}",
        f"GRANT SELECT, UPDATE ON {SCHEMA}.event_numbers TO {ingest}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.observation_rollups TO {ingest}",
        f"GRANT SELECT (capacity, resource_type) ON {qualified(FACILITIES)} TO {ingest}",
        f"GRANT SELECT (facility, capacity, resource_type) ON {qualified(RESOURCES)} TO {ingest}",
        *(f"GRANT EXECUTE ON FUNCTION {SCHEMA}.{function} TO {ingest}" for function in _OBSERVING),
        *(f"GRANT EXECUTE ON FUNCTION {SCHEMA}.{function} TO {loader}" for function in _LOADING),
        f"GRANT SELECT ON {SCHEMA}.api_keys, {SCHEMA}.alembic_version TO {gate}",
        f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.tile_changes TO {loader}",
        f"GRANT SELECT, INSERT ON {SCHEMA}.layer_instants TO {loader}",
        f"GRANT SELECT ON {SCHEMA}.tile_readers TO {loader}",
        f"GRANT SELECT ON {SCHEMA}.tile_changes, {SCHEMA}.layer_instants, {SCHEMA}.installation "
        f"TO {gate}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.tile_readers TO {gate}",
        f"GRANT SELECT (layer, recorded_at) ON {SCHEMA}.loads TO {gate}",
        f"GRANT SELECT ON {SCHEMA}.event_numbers TO {gate}",
        f"GRANT SELECT (event_no) ON {SCHEMA}.events TO {gate}",
        f"GRANT USAGE ON SCHEMA {THEME_SCHEMA} TO {loader}, {ingest}",
        *(
            f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.{road_edges_name(one)} TO {loader}"
            for one in Clearance
        ),
        f"GRANT SELECT, UPDATE ON {SCHEMA}.road_network TO {loader}",
        f"GRANT SELECT, INSERT ON {SCHEMA}.parcel_transactions, {SCHEMA}.parcel_links TO {loader}",
        f"GRANT SELECT ON {SCHEMA}.themes, {SCHEMA}.theme_edits TO {loader}, {gate}",
        # The web asks, the worker does: the web never says what became of a job.
        f"GRANT SELECT, UPDATE ON {SCHEMA}.load_jobs TO {loader}",
        f"GRANT SELECT, INSERT ({', '.join(WEB_INSERTS)}), UPDATE ({', '.join(WEB_UPDATES)}) "
        f"ON {SCHEMA}.load_jobs TO {desk}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.subscriptions, {SCHEMA}.deliveries, "
        f"{SCHEMA}.subscription_states TO {desk}",
        f"GRANT SELECT ON {SCHEMA}.event_numbers TO {desk}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.reports TO {desk}",
        f"GRANT SELECT, INSERT ON {SCHEMA}.report_steps TO {desk}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.alert_rules TO {desk}",
        f"GRANT SELECT, UPDATE ON {SCHEMA}.alerts TO {desk}",
        f"GRANT SELECT ON {SCHEMA}.alert_rules TO {ingest}",
        f"GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.alerts TO {ingest}",
        f"GRANT INSERT ON {SCHEMA}.outbox TO {desk}",
        f"GRANT SELECT (key_id, clearance, expires_at, revoked_at) ON {SCHEMA}.api_keys TO {desk}",
    ]
    return statements + [_observing_grant(layer, ingest) for layer in LAYERS]


def _observing_grant(layer: Layer, ingest: str) -> str:
    return (
        f"GRANT SELECT (feature_id, natural_key, clearance, valid_during) "
        f"ON {qualified(layer)} TO {ingest}"
    )


def _theme_grants(database: str, theme: Layer) -> list[str]:
    loader = f'"{role_name(database, Role.LOADER)}"'
    tables = f"{qualified(theme)}, {qualified_past(theme)}"
    derived = ", ".join(_generalised(theme))
    return [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {loader}",
        f"GRANT SELECT, INSERT, DELETE ON {derived} TO {loader}",
        _observing_grant(theme, f'"{role_name(database, Role.INGEST)}"'),
    ]


def _generalised(layer: Layer) -> list[str]:
    return [f"{layer.schema}.{name}" for name in generalised_tables(layer)]
