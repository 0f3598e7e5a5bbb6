"""What an edit does to a theme: whether it may be done, and the statements that do it.

Types widen and never narrow, attributes come and never go, clearances are lowered with a reason:
no edit loses a value, and none opens anything by accident.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Layer
from layers.ddl import partitions_ddl
from layers.errors import InvalidParameter, InvalidTheme
from layers.overview_tables import (
    generalised_tables,
    has_overview,
    qualified_overview,
)
from layers.tables import (
    partition_name,
    past_table_name,
    qualified,
    qualified_past,
    row_clearances,
    sql_type,
    table_name,
)

WIDER: dict[AttributeType, tuple[AttributeType, ...]] = {
    AttributeType.BOOLEAN: (AttributeType.TEXT,),
    AttributeType.INTEGER: (AttributeType.NUMBER, AttributeType.TEXT),
    AttributeType.NUMBER: (AttributeType.TEXT,),
    AttributeType.DATE: (AttributeType.TEXT,),
    AttributeType.TIMESTAMP: (AttributeType.TEXT,),
    AttributeType.TEXT: (),
}
"""The types that hold every value of a type, nearest first."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


@dataclass(frozen=True)
class Alterations:
    """The statements of an edit.

    Attributes:
        rows: Those that move rows and make place for them; readers may go on.
        tables: Those that change tables under the views, which must be gone.
    """

    rows: list[str]
    tables: list[str]


def require_allowed(connection: Connection, before: Layer, after: Layer, reason: str) -> None:
    """Let an edit through, or say why it cannot be done.

    Raises:
        InvalidTheme: it would lose values, change what the tables are made for, or name a key that
            is none.
        InvalidParameter: it lowers a clearance without a reason.
    """
    for fault in _faults(before, after):
        raise InvalidTheme(fault)
    opened = [
        f"{what} from {high.label} to {low.label}" for what, high, low in lowered(before, after)
    ]
    if opened and not reason.strip():
        message = f"say why it is lowered: {', '.join(opened)}"
        raise InvalidParameter("reason", reason, message)
    if after.natural_keys != before.natural_keys:
        _require_key(connection, before, after)


def _faults(before: Layer, after: Layer) -> Iterator[str]:
    if after.name != before.name:
        yield f"name: a theme keeps its name, {before.name}"
    if after.geometry_type is not before.geometry_type:
        yield f"geometry_type: it stays {before.geometry_type.value}; load into another theme"
    stays = {attribute.column: attribute for attribute in after.attributes}
    for attribute in before.attributes:
        now = stays.get(attribute.column)
        if now is None:
            yield (
                f"attributes: {attribute.name} ({attribute.column}) is missing; an attribute "
                "stays, hide it by its clearance"
            )
        elif now.type is not attribute.type and now.type not in WIDER[attribute.type]:
            yield f"attributes: {attribute.name} cannot become {now.type} from {attribute.type}"
    known = {attribute.column for attribute in before.attributes}
    last = max((int(column[1:]) for column in known), default=0)
    for column in stays.keys() - known:
        if int(column[1:]) <= last:
            yield f"attributes: column {column} is not one of this theme; leave it out"


def lowered(before: Layer, after: Layer) -> list[tuple[str, Clearance, Clearance]]:
    """What an edit opens to a lower level: its name, the level before and the one after."""
    found = []
    if after.clearance < before.clearance:
        found.append((after.name, before.clearance, after.clearance))
    stays = {attribute.column: attribute for attribute in after.attributes}
    for attribute in before.attributes:
        own = attribute.clearance or Clearance.PUBLIC
        now = stays[attribute.column].clearance or Clearance.PUBLIC
        if now < own:
            found.append((attribute.name, own, now))
    return found


def _require_key(connection: Connection, before: Layer, after: Layer) -> None:
    """A new key must tell apart the features that are held, or there must be none.

    Raises:
        InvalidTheme: it does not.
    """
    held = qualified(before)
    if not after.natural_keys:
        if connection.execute(text(f"SELECT EXISTS (SELECT FROM {held})")).scalar_one():  # noqa: S608  # names of ours
            message = "key: the theme has features that are known by their key; it keeps one"
            raise InvalidTheme(message)
        return
    stored = {attribute.column for attribute in before.attributes}
    for name in after.natural_keys[0]:
        attribute = after.attribute[name]
        if attribute.column not in stored:
            message = f"key: {name} is new, so no feature that is held has it"
            raise InvalidTheme(message)
    key = _key_expression(after)
    missing, twice = connection.execute(
        text(
            f"SELECT count(*) FILTER (WHERE k IS NULL), count(k) - count(DISTINCT k) "  # noqa: S608  # names of ours
            f"FROM (SELECT {key} AS k FROM {held} WHERE upper_inf(valid_during)) held"
        )
    ).one()
    if missing or twice:
        named = "+".join(after.natural_keys[0])
        message = f"key: of {named} {missing} are empty and {twice} come again, so it is no key"
        raise InvalidTheme(message)


def _key_expression(theme: Layer) -> str:
    """The key of a row, as the loader makes it: null if a part is."""
    parts = [f"nullif(trim({theme.attribute[n].column}::text), '')" for n in theme.natural_keys[0]]
    return " || '-' || ".join(parts)


def alterations(before: Layer, after: Layer) -> Alterations:
    """The statements that make the tables of one descriptor those of another."""
    rows = [
        statement
        for clearance in row_clearances(after)
        if clearance not in row_clearances(before)
        for statement in partitions_ddl(after, clearance)
    ]
    if after.clearance != before.clearance:
        rows += [_move(table, before, after) for table in _tables(before)]
        # They are made anew at the end of the edit.
        rows += [f"DELETE FROM {before.schema}.{name}" for name in generalised_tables(before)]  # noqa: S608  # names of ours
    if after.natural_keys and after.natural_keys != before.natural_keys:
        rows += [_rekey(table, after) for table in _tables(before)]
    tables = [*_without_lower_partitions(before, after)]
    overview = (qualified_overview(before),) if has_overview(before) else ()
    for table in (*_tables(before), *overview):
        changes = list(_column_changes(before, after))
        if changes:
            tables.append(f"ALTER TABLE {table} {', '.join(changes)}")
    return Alterations(rows, tables)


def _tables(theme: Layer) -> tuple[str, str]:
    return qualified(theme), qualified_past(theme)


def _move(table: str, before: Layer, after: Layer) -> str:
    """Rows of the layer's own clearance follow it down; all below it are raised."""
    level = f"{after.clearance:d}"
    if after.clearance < before.clearance:
        return f"UPDATE {table} SET clearance = {level} WHERE clearance = {before.clearance:d}"  # noqa: S608  # names of ours
    return f"UPDATE {table} SET clearance = {level} WHERE clearance < {level}"  # noqa: S608  # names of ours


def _rekey(table: str, after: Layer) -> str:
    key = _key_expression(after)
    return (
        f"UPDATE {table} SET natural_key = {key}, key_derived = false "  # noqa: S608  # names of ours
        f"WHERE {key} IS NOT NULL"
    )


def _without_lower_partitions(before: Layer, after: Layer) -> Iterator[str]:
    """Partitions below the layer's clearance are empty, and none may be filled again."""
    for clearance in row_clearances(before):
        if clearance not in row_clearances(after):
            versions = (table_name(before), past_table_name(before))
            for table in (*versions, *generalised_tables(before)):
                yield f"DROP TABLE {before.schema}.{partition_name(table, clearance)}"


def _column_changes(before: Layer, after: Layer) -> Iterator[str]:
    stored: dict[str, Attribute] = {attribute.column: attribute for attribute in before.attributes}
    for attribute in after.attributes:
        kind = sql_type(attribute).compile(dialect=_DIALECT)
        was = stored.get(attribute.column)
        if was is None:
            yield f"ADD COLUMN {attribute.column} {kind}"
        elif was.type is not attribute.type:
            yield f"ALTER COLUMN {attribute.column} TYPE {kind} USING {attribute.column}::{kind}"
