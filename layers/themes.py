"""Themes in the database: made, read, edited and dropped, each in one transaction of the owner.

A theme has two tables in schema ``themes``, like those of a typed layer, that bear its number. Its
descriptor is a document in ``city.themes``; every edit is kept in ``city.theme_edits`` with its
reason. Edits take the layer's publication lock, so that none happens under a load, and what a
reader sees changes with the commit: tables, views and rights change in the same transaction.

Nothing here opens or closes a version. What it writes into tables of layers is today's
classification, which holds for every instant, and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import OperationalError

from layers.base import THEME_SCHEMA, Layer
from layers.ddl import layer_ddl
from layers.derived import drop_derived, keep_derived
from layers.errors import InvalidParameter, LayerChanged, LoadInProgress, ThemeExists, UnknownLayer
from layers.overview_tables import generalised_tables
from layers.rewrite import lock_layer, take_instant
from layers.system_tables import installation, loads, quarantine, theme_edits, themes
from layers.tables import SCHEMA, qualified, qualified_past
from layers.theme_changes import alterations, require_allowed
from layers.theme_documents import parse_theme, theme_document
from layers.touched import Touched
from layers.views import (
    drop_view_statements,
    fingerprint,
    observed_view_statements,
    theme_view_statements,
    view_statements,
)

LOCK_TIMEOUT_S = 30
"""How long an edit waits for readers of the theme before it gives up; new ones wait behind it."""

Action = Literal["created", "edited", "widened", "dropped"]


@dataclass(frozen=True)
class ThemeEdit:
    """One step in the history of a theme."""

    version: int
    action: str
    reason: str
    edited_at: datetime
    descriptor: dict[str, Any]


def read_themes(connection: Connection) -> tuple[Layer, ...]:
    """The themes there are, by name; connection of a role that may read ``city.themes``."""
    return tuple(
        parse_theme(row.descriptor, row.theme_id, is_held=True)
        for row in connection.execute(IN_FORCE)
    )


IN_FORCE = (
    select(themes.c.theme_id, themes.c.version, themes.c.descriptor)
    .where(themes.c.dropped_at.is_(None))
    .order_by(themes.c.name)
)
"""The statement that reads all themes."""

LAST_EDIT = select(func.coalesce(func.max(theme_edits.c.edit_no), 0))
"""The statement whose answer is another one whenever any theme has changed."""


def create_theme(connection: Connection, described: Layer, *, reason: str = "") -> Layer:
    """Make the tables, views and rights of a theme; connection of the owner, caller commits.

    Returns:
        The layer with the names of its tables.

    Raises:
        ThemeExists: a theme of that name is there.
        InvalidParameter: the name cannot be one.
    """
    _lock_themes(connection)
    if _find(connection, described.name) is not None:
        raise ThemeExists(described.name)
    document = theme_document(described)
    theme_id: int = connection.execute(
        insert(themes)
        .values(name=described.name, version=1, descriptor=document)
        .returning(themes.c.theme_id)
    ).scalar_one()
    theme = parse_theme(document, theme_id)
    _run(connection, layer_ddl(theme))
    _run(connection, theme_view_statements(_database(connection), theme))
    _show_observed(connection, read_themes(connection))
    _write_edit(connection, theme_id, 1, "created", reason, document)
    return theme


def edit_theme(
    connection: Connection,
    name: str,
    document: object,
    *,
    reason: str = "",
    action: Action = "edited",
) -> Layer:
    """Make a theme what a document says; connection of the owner, caller commits.

    Rows move with the clearance of the layer, past versions too, and what a level may see changes
    with the commit.

    Raises:
        UnknownLayer: there is no such theme.
        InvalidTheme: the document is none, or asks for what cannot be done to the theme.
        InvalidParameter: a clearance is lowered without a reason.
        LoadInProgress: a load or a reader did not let go of the theme in time.
    """
    _lock_layer(connection, name)
    _lock_themes(connection)
    row = _require(connection, name)
    before = parse_theme(row.descriptor, row.theme_id, is_held=True)
    after = parse_theme(document, row.theme_id)
    require_allowed(connection, before, after, reason)
    if theme_document(after) == theme_document(before):
        return before
    _apply(connection, before, after)
    touched = Touched(connection, 0, is_everything=True)
    keep_derived(connection, after, touched, take_instant(connection, name))
    version = row.version + 1
    connection.execute(
        update(themes)
        .where(themes.c.theme_id == row.theme_id)
        .values(version=version, descriptor=theme_document(after))
    )
    _write_edit(connection, row.theme_id, version, action, reason, theme_document(after))
    return after


def _apply(connection: Connection, before: Layer, after: Layer) -> None:
    """Tables, rows, views and rights as the new descriptor says."""
    steps = alterations(before, after)
    try:
        # Rows move while readers still have the views of before.
        _run(connection, steps.rows)
        others = [one for one in read_themes(connection) if one.name != before.name]
        _show_observed(connection, others)
        _run(connection, drop_view_statements(before))
        _run(connection, steps.tables)
    except OperationalError as error:
        raise LoadInProgress(before.name) from error
    _run(connection, theme_view_statements(_database(connection), after))
    _show_observed(connection, [*others, after])
    if after.clearance > before.clearance:
        of_theme = select(loads.c.load_id).where(loads.c.layer == after.name)
        connection.execute(
            update(quarantine)
            .where(quarantine.c.load_id.in_(of_theme), quarantine.c.clearance < after.clearance)
            .values(clearance=int(after.clearance))
        )


def drop_theme(connection: Connection, name: str, *, reason: str) -> None:
    """Take a theme away with all its versions; connection of the owner, caller commits.

    What stays is its descriptor, with the reason, and its loads as purged ones: another theme may
    get the name, and nothing of these must seem to be of that.

    Raises:
        UnknownLayer: there is no such theme.
        InvalidParameter: there is no reason.
        LoadInProgress: a load or a reader did not let go of the theme in time.
    """
    if not reason.strip():
        raise InvalidParameter("reason", reason, "say why the theme is dropped")
    _lock_layer(connection, name)
    _lock_themes(connection)
    row = _require(connection, name)
    theme = parse_theme(row.descriptor, row.theme_id, is_held=True)
    of_theme = select(loads.c.load_id).where(loads.c.layer == name)
    purge = _PURGE_LOADS.format(schema=SCHEMA, held=qualified(theme), past=qualified_past(theme))
    connection.execute(text(purge), {"layer": name, "reason": reason})
    connection.execute(quarantine.delete().where(quarantine.c.load_id.in_(of_theme)))
    drop_derived(connection, theme)
    try:
        _show_observed(connection, [one for one in read_themes(connection) if one.name != name])
        _run(connection, drop_view_statements(theme))
        _run(connection, [f"DROP TABLE {', '.join(_all_tables(theme))}"])
    except OperationalError as error:
        raise LoadInProgress(name) from error
    connection.execute(
        update(themes)
        .where(themes.c.theme_id == row.theme_id)
        .values(version=row.version + 1, dropped_at=func.clock_timestamp())
    )
    _write_edit(connection, row.theme_id, row.version + 1, "dropped", reason, row.descriptor)


def _show_observed(connection: Connection, shown: Sequence[Layer]) -> None:
    """Let readers see what is observed of the features of some themes, and of no others."""
    _run(connection, observed_view_statements(sorted(shown, key=lambda theme: theme.name)))


def _all_tables(theme: Layer) -> list[str]:
    derived = [f"{theme.schema}.{name}" for name in generalised_tables(theme)]
    return [qualified(theme), qualified_past(theme), *derived]


_PURGE_LOADS = """
    WITH counted AS (
        SELECT load_id, count(*) AS versions
        FROM (SELECT load_id FROM {held} UNION ALL SELECT load_id FROM {past}) v GROUP BY load_id
    )
    UPDATE {schema}.loads l
    SET state = 'purged',
        purge = jsonb_build_object(
            'versions', coalesce((SELECT versions FROM counted c WHERE c.load_id = l.load_id), 0),
            'rejected', (SELECT count(*) FROM {schema}.quarantine q WHERE q.load_id = l.load_id),
            'digest', NULL,
            'reason', 'theme dropped: ' || :reason,
            'purged_at', clock_timestamp())
    WHERE l.layer = :layer AND l.state = 'published'"""
"""As ``layers.purge`` leaves a load, but for the digest."""


def theme_history(connection: Connection, name: str) -> tuple[ThemeEdit, ...]:
    """What was done to a theme, first things first.

    Raises:
        UnknownLayer: there is no such theme.
    """
    row = _require(connection, name)
    edits = connection.execute(
        select(theme_edits)
        .where(theme_edits.c.theme_id == row.theme_id)
        .order_by(theme_edits.c.version)
    )
    return tuple(
        ThemeEdit(one.version, one.action, one.reason, one.edited_at, one.descriptor)
        for one in edits
    )


def require_current(connection: Connection, layer: Layer) -> None:
    """Stop a publication whose theme has got other tables or another clearance meanwhile.

    To be called under the layer's lock; typed layers never change.

    Raises:
        LayerChanged: what was staged would not fit, or would be open to those who may not see it.
    """
    if layer.schema != THEME_SCHEMA:
        return
    row = _find(connection, layer.name)
    if row is None or _stored(parse_theme(row.descriptor, row.theme_id, is_held=True)) != _stored(
        layer
    ):
        raise LayerChanged(layer.name)


def _stored(theme: Layer) -> tuple[object, ...]:
    """What rows that are staged depend on."""
    columns = tuple((a.column, a.type) for a in theme.attributes)
    return (theme.stored_as, theme.geometry_type, theme.clearance, theme.natural_keys, columns)


def _find(connection: Connection, name: str) -> Any:
    return connection.execute(IN_FORCE.where(themes.c.name == name)).one_or_none()


def _require(connection: Connection, name: str) -> Any:
    row = _find(connection, name)
    if row is None:
        raise UnknownLayer(name)
    return row


def _write_edit(  # one for each column
    connection: Connection,
    theme_id: int,
    version: int,
    action: Action,
    reason: str,
    document: dict[str, Any],
) -> None:
    connection.execute(
        insert(theme_edits).values(
            theme_id=theme_id,
            version=version,
            action=action,
            reason=reason,
            descriptor=document,
        )
    )
    wanted = fingerprint(view_statements(_database(connection), read_themes(connection)))
    connection.execute(update(installation).values(views_fingerprint=wanted))


def _lock_layer(connection: Connection, name: str) -> None:
    """Wait for publications of the theme, and keep others out until the transaction ends."""
    lock_layer(connection, name)
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))


def _lock_themes(connection: Connection) -> None:
    """One change of themes at a time, so that their numbers follow their commits."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('geoservice themes'))"))


def _database(connection: Connection) -> str:
    name: str = connection.execute(text("SELECT current_database()")).scalar_one()
    return name


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
