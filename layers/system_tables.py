"""Tables that are no layers: loads, quarantine, rasters, keys, jobs, and live observations.

Observations are narrow on purpose, so that a thousand million fit: a series says once what is
measured where, an observation carries its number. Native monthly partitions are made on demand by
``city.ensure_observation_partition``.
"""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, ExcludeConstraint

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.tables import metadata

_THIS_TRANSACTION = "((pg_current_xact_id())::text)::bigint"
_INSTANT = DateTime(timezone=True)
_PLACE = Geometry("POINT", srid=STORAGE_SRID, spatial_index=False)

loads = Table(
    "loads",
    metadata,
    Column("load_id", BigInteger, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("source", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("recorded_at", _INSTANT),
    Column("valid_from", _INSTANT),
    Column("counts", JSONB),
    Column("message", Text),
    Column("undoes", BigInteger, ForeignKey("city.loads.load_id")),
    # The tombstone of a load whose rows were deleted for good.
    Column("purge", JSONB),
    CheckConstraint(
        "state IN ('staging', 'published', 'failed', 'purged')", name="loads_state_known"
    ),
    Index("loads_by_layer", "layer", "recorded_at"),
    Index("loads_undoes", "undoes", postgresql_where=text("undoes IS NOT NULL")),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id"), nullable=False),
    Column("row_number", BigInteger, nullable=False),
    Column("natural_key", Text),
    Column("reasons", ARRAY(Text), nullable=False),
    Column("original", JSONB, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    Column("file", Text),
    Column("place", _PLACE),
    # The load into which the row went on: it is held, or in quarantine again, under that one.
    Column("released_by", BigInteger, ForeignKey("city.loads.load_id")),
    Index("quarantine_by_load", "load_id", "row_number"),
)

findings = Table(
    "findings",
    metadata,
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("row_number", BigInteger),
    Column("natural_key", Text),
    Column("place", _PLACE),
    Column("details", JSONB, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    CheckConstraint("severity IN ('error', 'warning')", name="findings_severity_known"),
    Index("findings_by_load", "load_id", "rule"),
)

staged_digests = Table(
    "staged_digests",
    metadata,
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id"), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("seed", LargeBinary, nullable=False),
    Column("key_digests", LargeBinary, nullable=False),
    Column("row_digests", LargeBinary, nullable=False),
)
"""Digests of the rows that the last load of a layer staged, see ``loaders.known``."""

rasters = Table(
    "rasters",
    metadata,
    Column("version_id", BigInteger, Identity(), primary_key=True),
    Column("raster_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("crs", Text, nullable=False),
    # West, south, east, north in degrees, EPSG:4490; west > east crosses the antimeridian.
    Column("bounds", ARRAY(Double), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bands", JSONB, nullable=False),
    Column("dtype", Text, nullable=False),
    Column("nodata", Double),
    Column("resolution_m", Double, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("source_sha256", Text, nullable=False),
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id"), nullable=False),
    Column("valid_during", TSTZRANGE, nullable=False),
    Column("recorded_during", TSTZRANGE, nullable=False),
    CheckConstraint("clearance BETWEEN 0 AND 3", name="rasters_clearance_known"),
    CheckConstraint("kind IN ('terrain', 'imagery', 'other')", name="rasters_kind_known"),
    CheckConstraint("array_length(bounds, 1) = 4", name="rasters_bounds_are_four"),
    # Held versions of one raster never overlap; rasters are few, so the database can see to it.
    ExcludeConstraint(
        ("name", "="),
        ("valid_during", "&&"),
        name="rasters_held_once",
        using="gist",
        where=text("upper_inf(recorded_during)"),
    ),
    Index("rasters_by_name", "name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", BigInteger, Identity(), primary_key=True),
    Column("label", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("clearance", SmallInteger, nullable=False),
    Column("grants", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("expires_at", _INSTANT),
    Column("revoked_at", _INSTANT),
    CheckConstraint("clearance BETWEEN 0 AND 3", name="api_keys_clearance_known"),
)

load_jobs = Table(
    "load_jobs",
    metadata,
    Column("job_id", BigInteger, Identity(), primary_key=True),
    Column("folder", Text, nullable=False, unique=True),
    Column("layer", Text, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("created_by", BigInteger, nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("state", Text, nullable=False, server_default=text("'uploaded'")),
    # What the web asks for; only the worker changes the state.
    Column("asked", Text),
    Column("asked_by", BigInteger),
    Column("clearance", SmallInteger),
    Column("step", Text),
    Column("rows_done", BigInteger),
    Column("rows_total", BigInteger),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("heartbeat_at", _INSTANT),
    Column("preview", JSONB),
    Column("report", JSONB),
    Column("result", JSONB),
    Column("message", Text),
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id")),
    Column("finished_at", _INSTANT),
    Column("files_removed_at", _INSTANT),
    Column("change_no", BigInteger, nullable=False, server_default=text("1")),
    CheckConstraint(
        "state IN ('uploaded', 'checking', 'ready', 'loading', 'done', 'undoing', 'undone', "
        "'failed', 'cancelled')",
        name="load_jobs_state_known",
    ),
    CheckConstraint("asked IN ('confirm', 'cancel', 'undo')", name="load_jobs_asked_known"),
    CheckConstraint("clearance BETWEEN 0 AND 3", name="load_jobs_clearance_known"),
    Index("load_jobs_by_layer", "layer", "job_id"),
)

series = Table(
    "series",
    metadata,
    Column("series_id", Integer, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("feature_id", BigInteger, nullable=False),
    Column("property", Text, nullable=False),
    Column("resource_type", Text, nullable=False, server_default=text("''")),
    Column("unit", Text),
    Column("source", Text, nullable=False),
    Column("ttl_s", Integer, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    UniqueConstraint(
        "feature_id", "property", "resource_type", "source", name="series_one_per_property"
    ),
    CheckConstraint("ttl_s > 0", name="series_ttl_positive"),
)

observations = Table(
    "observations",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("observed_at", _INSTANT, primary_key=True),
    Column("received_at", _INSTANT, nullable=False),
    Column("value", Double),
    Column("available", Integer),
    Column("capacity", Integer),
    Column("status", SmallInteger, nullable=False, server_default=text("0")),
    postgresql_partition_by="RANGE (observed_at)",
)

observation_corrections = Table(
    "observation_corrections",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("observed_at", _INSTANT, nullable=False),
    Column("received_at", _INSTANT, nullable=False),
    Column("value", Double),
    Column("available", Integer),
    Column("capacity", Integer),
    Column("status", SmallInteger, nullable=False),
    Column("corrected_at", _INSTANT, nullable=False, server_default=func.now()),
    Index("observation_corrections_by_key", "series_id", "observed_at"),
)

series_status = Table(
    "series_status",
    metadata,
    Column("series_id", Integer, ForeignKey("city.series.series_id"), primary_key=True),
    Column("feature_id", BigInteger, nullable=False),
    Column("observed_at", _INSTANT, nullable=False),
    Column("received_at", _INSTANT, nullable=False),
    Column("value", Double),
    Column("available", Integer),
    Column("capacity", Integer),
    Column("status", SmallInteger, nullable=False),
    # Repeated from the series, so that the newest figure of a feature is one look into one index.
    Column("property", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("ttl_s", Integer, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    # Since when the figures are as they are: when the newest ones with others were received.
    Column("changed_at", _INSTANT, nullable=False),
    # What was available before that.
    Column("previous_available", Integer),
    # When the figure expires, which is to be told then; none once that is so.
    Column("expires_at", _INSTANT),
    Index("series_status_newest", "feature_id", text("observed_at DESC")),
    Index("series_status_expiring", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

rollup_queue = Table(
    "rollup_queue",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("bucket_start", _INSTANT, nullable=False),
    Index("rollup_queue_by_series", "series_id", "bucket_start"),
)
"""Five minutes of series whose rollups are to be made anew; the same ones may stand there twice."""

observation_rollups = Table(
    "observation_rollups",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("step_min", SmallInteger, primary_key=True),
    Column("bucket_start", _INSTANT, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("sum", Double),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("last", Double),
    Column("capacity", Integer),
    postgresql_partition_by="LIST (step_min)",
)
"""Figures of a series by the steps of ``layers.rollups``; those of five minutes by months too."""

_EVENT_COLUMNS = (
    Column("occurred_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("topic", Text, nullable=False),
    Column("layer", Text),
    Column("feature_id", BigInteger),
    Column("clearance", SmallInteger, nullable=False),
    Column("body", JSONB, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", BigInteger, Identity(), primary_key=True),
    *(column._copy() for column in _EVENT_COLUMNS),
)
"""What the writers of answers leave, see ``layers.events``."""

events = Table(
    "events",
    metadata,
    Column("event_no", BigInteger, primary_key=True, autoincrement=False),
    *(column._copy() for column in _EVENT_COLUMNS),
    postgresql_partition_by="RANGE (event_no)",
)
"""What was left, numbered without gaps; whole partitions of it are dropped when they are old."""

event_numbers = Table(
    "event_numbers",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("last_no", BigInteger, nullable=False),
    CheckConstraint("singleton", name="event_numbers_one_row"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("owner", BigInteger, ForeignKey("city.api_keys.key_id"), nullable=False),
    Column("url", Text, nullable=False),
    # What is sent is signed with it, so it cannot be kept as a digest.
    Column("secret", Text, nullable=False),
    Column("asked", JSONB, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    # The event up to which deliveries were queued.
    Column("reached_no", BigInteger, nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("ended_at", _INSTANT),
    Column("ended_because", Text),
    CheckConstraint("clearance BETWEEN 0 AND 3", name="subscriptions_clearance_known"),
    Index("subscriptions_by_owner", "owner"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", BigInteger, Identity(), primary_key=True),
    Column(
        "subscription_id",
        Uuid,
        ForeignKey("city.subscriptions.subscription_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("event_no", BigInteger, nullable=False),
    Column("feature_id", BigInteger),
    Column("body", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("queued_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("ended_at", _INSTANT),
    Column("last_error", Text),
    CheckConstraint(
        "state IN ('waiting', 'delivered', 'superseded', 'dead')", name="deliveries_state_known"
    ),
    UniqueConstraint("subscription_id", "event_no", name="deliveries_once"),
    Index(
        "deliveries_waiting",
        "subscription_id",
        "feature_id",
        "delivery_id",
        postgresql_where=text("state = 'waiting'"),
    ),
)

subscription_states = Table(
    "subscription_states",
    metadata,
    Column(
        "subscription_id",
        Uuid,
        ForeignKey("city.subscriptions.subscription_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("feature_id", BigInteger, primary_key=True),
    Column("resource_type", Text, primary_key=True),
)
"""Where the condition of a subscription was met last, so that it is told again only after it was
not."""


def road_edges_name(clearance: int) -> str:
    """Name of the table of the edges that roads of one clearance have."""
    return f"road_edges_{clearance}"


def _road_edges(clearance: int) -> Table:
    name = road_edges_name(clearance)
    place = Geometry("LINESTRING", srid=TILE_SRID, spatial_index=False)
    return Table(
        name,
        metadata,
        Column("edge_id", BigInteger, primary_key=True, autoincrement=False),
        Column("feature_id", BigInteger, nullable=False),
        # Junctions.
        Column("source", BigInteger, nullable=False),
        Column("target", BigInteger, nullable=False),
        Column("length_m", Double, nullable=False),
        # Seconds along the edge and against it; below 0 where nobody may.
        Column("drive_s", Double, nullable=False),
        Column("drive_back_s", Double, nullable=False),
        Column("walk_s", Double, nullable=False),
        Column("geom_3857", place, nullable=False),
        Index(f"{name}_geom", "geom_3857", postgresql_using="gist"),
        Index(f"{name}_source", "source"),
        Index(f"{name}_target", "target"),
    )


road_edges = tuple(_road_edges(clearance) for clearance in Clearance)
"""The network of the roads that are held and current, see ``layers.road_network``: a table for each
clearance of roads, since a level reads whole tables through an index by place."""

road_network = Table(
    "road_network",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    # The publication of roads that the network is made for.
    Column("made_for", _INSTANT),
    CheckConstraint("singleton", name="road_network_one_row"),
)

reports = Table(
    "reports",
    metadata,
    Column("report_id", BigInteger, Identity(), primary_key=True),
    # Of what the reporter was given, and nobody else knows.
    Column("token_hash", Text, nullable=False, unique=True),
    Column("service_code", Text, nullable=False),
    Column("feature_id", BigInteger),
    Column("place", _PLACE),
    Column("description", Text, nullable=False),
    # Name of a file of our own.
    Column("photo", Text),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    # The report that says the same, and came first.
    Column("joined_to", BigInteger, ForeignKey("city.reports.report_id")),
    Column("created_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("updated_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint(
        "state IN ('open', 'accepted', 'rejected', 'closed')", name="reports_state_known"
    ),
    Index("reports_open", "service_code", "created_at", postgresql_where=text("state = 'open'")),
)

report_steps = Table(
    "report_steps",
    metadata,
    Column("report_id", BigInteger, ForeignKey("city.reports.report_id"), primary_key=True),
    Column("taken_at", _INSTANT, primary_key=True, server_default=func.clock_timestamp()),
    Column("state", Text, nullable=False),
    # The key of whoever took the step; none where nobody did.
    Column("taken_by", BigInteger),
    Column("note", Text),
    # The edit that a confirmed report has led to.
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id")),
)

parcel_transactions = Table(
    "parcel_transactions",
    metadata,
    Column("transaction_id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("load_id", BigInteger, ForeignKey("city.loads.load_id"), nullable=False, unique=True),
    Column("recorded_at", _INSTANT, nullable=False),
    Column("document_no", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # The key of whoever made it.
    Column("made_by", BigInteger),
    Column("predecessors", ARRAY(Text), nullable=False),
    Column("successors", ARRAY(Text), nullable=False),
    CheckConstraint("kind IN ('split', 'merge')", name="parcel_transactions_kind_known"),
    Index("parcel_transactions_by_time", "recorded_at"),
)

# The same codes one by one: of a text the planner may look into an index below a security barrier,
# of an array it may not.
parcel_links = Table(
    "parcel_links",
    metadata,
    Column("code", Text, primary_key=True),
    Column(
        "transaction_id",
        BigInteger,
        ForeignKey("city.parcel_transactions.transaction_id"),
        primary_key=True,
    ),
    Column("is_successor", Boolean, nullable=False),
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule_id", BigInteger, Identity(), primary_key=True),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("property", Text, nullable=False),
    Column("resource_type", Text),
    Column("kind", Text, nullable=False),
    # Of the figure; of its change in a minute (rate); seconds without a figure (silence).
    Column("threshold", Double, nullable=False),
    Column("hysteresis", Double, nullable=False, server_default=text("0")),
    Column("created_by", BigInteger, ForeignKey("city.api_keys.key_id"), nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("ended_at", _INSTANT),
    CheckConstraint("kind IN ('above', 'below', 'rate', 'silence')", name="alert_rules_kind_known"),
    CheckConstraint("hysteresis >= 0", name="alert_rules_hysteresis_positive"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", BigInteger, Identity(), primary_key=True),
    Column("rule_id", BigInteger, ForeignKey("city.alert_rules.rule_id"), nullable=False),
    Column("series_id", Integer, ForeignKey("city.series.series_id"), nullable=False),
    Column("layer", Text, nullable=False),
    Column("feature_id", BigInteger, nullable=False),
    Column("clearance", SmallInteger, nullable=False),
    Column("value", Double),
    Column("raised_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("acknowledged_at", _INSTANT),
    Column("acknowledged_by", BigInteger),
    Column("note", Text),
    Column("cleared_at", _INSTANT),
    # A rule has one alert of a series at a time.
    Index(
        "alerts_open",
        "rule_id",
        "series_id",
        unique=True,
        postgresql_where=text("cleared_at IS NULL"),
    ),
)

themes = Table(
    "themes",
    metadata,
    Column("theme_id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # A descriptor, see layers.theme_documents; its tables bear the number of the theme.
    Column("descriptor", JSONB, nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    Column("dropped_at", _INSTANT),
    Index("themes_by_name", "name", unique=True, postgresql_where=text("dropped_at IS NULL")),
)

theme_edits = Table(
    "theme_edits",
    metadata,
    # Numbered under one lock, so that a higher number is a later commit.
    Column("edit_no", BigInteger, Identity(), primary_key=True),
    Column("theme_id", Integer, ForeignKey("city.themes.theme_id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("descriptor", JSONB, nullable=False),
    Column("edited_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("theme_id", "version", name="theme_edits_one_per_version"),
    CheckConstraint(
        "action IN ('created', 'edited', 'widened', 'dropped')", name="theme_edits_action_known"
    ),
)

overviews = Table(
    "overviews",
    metadata,
    Column("layer", Text, primary_key=True),
    Column("clearance", SmallInteger, primary_key=True),
    Column("base_zoom", SmallInteger, nullable=False),
    Column("features", BigInteger, nullable=False),
    Column("made_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
)
"""From which zoom on tiles of a layer show all its features to a level, and how many there were
when that was decided."""

tile_changes = Table(
    "tile_changes",
    metadata,
    Column("change_no", BigInteger, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    # The transaction: a host asks for what its last snapshot did not see, in any order.
    Column("xid", BigInteger, nullable=False, server_default=text(_THIS_TRANSACTION)),
    Column("changed_at", _INSTANT, nullable=False, server_default=func.clock_timestamp()),
    # Tiles of this level and those above it changed, at instants within, at these zooms.
    Column("clearance", SmallInteger, nullable=False),
    Column("valid_during", TSTZRANGE, nullable=False),
    Column("first_zoom", SmallInteger, nullable=False),
    Column("last_zoom", SmallInteger, nullable=False),
    # Where, in EPSG:3857; null is everywhere.
    Column("shape", Geometry("GEOMETRY", srid=TILE_SRID, spatial_index=False)),
    Index("tile_changes_by_xid", "xid"),
    Index("tile_changes_by_age", "changed_at"),
)

tile_readers = Table(
    "tile_readers",
    metadata,
    Column("reader_id", Uuid, primary_key=True),
    # What was done in transactions that this snapshot sees, the reader has heard of.
    Column("reached", Text, nullable=False),
    Column("lease_until", _INSTANT, nullable=False),
)
"""Processes that answer from a cache of tiles, and until when they may without asking again."""

layer_instants = Table(
    "layer_instants",
    metadata,
    Column("layer", Text, primary_key=True),
    Column("instant", _INSTANT, primary_key=True),
)
"""Instants of valid time at which a version of a layer begins or ends, or once did."""

installation = Table(
    "installation",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("views_fingerprint", Text),
    Column("installation_id", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    CheckConstraint("singleton", name="installation_one_row"),
)

ALL: tuple[Table, ...] = (
    loads,
    quarantine,
    findings,
    staged_digests,
    rasters,
    api_keys,
    load_jobs,
    series,
    observations,
    observation_corrections,
    series_status,
    rollup_queue,
    observation_rollups,
    outbox,
    events,
    event_numbers,
    subscriptions,
    deliveries,
    subscription_states,
    *road_edges,
    road_network,
    reports,
    report_steps,
    parcel_transactions,
    parcel_links,
    alert_rules,
    alerts,
    themes,
    theme_edits,
    overviews,
    tile_changes,
    tile_readers,
    layer_instants,
    installation,
)
"""In the order in which they are made."""
