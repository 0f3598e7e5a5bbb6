"""What a tile is asked to hold, apart from its address; equal queries have equal tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import ColumnElement, TableClause

from layers.access import Clearance
from layers.base import Attribute, Layer
from layers.filters import queryables
from layers.versions import Versions
from tiles.labels import label_attributes


@dataclass(frozen=True)
class TileTime:
    """The instants of a tile, both aware.

    Attributes:
        at: Of valid time.
        as_recorded: Of recorded time; None is what is believed now.
    """

    at: datetime
    as_recorded: datetime | None = None


class TileFilter(Protocol):
    """A condition on features; hashable, and equal to another only if it means the same."""

    @property
    def canonical(self) -> str:
        """A stable text of the condition."""
        ...

    def condition(self, view: TableClause) -> ColumnElement[bool]:
        """The condition on one branch of a read, with its values bound."""
        ...


@dataclass(frozen=True)
class TileQuery:
    """What a tile is to hold of one layer.

    Attributes:
        level: Of the reader.
        condition: Which features; None is all.
        properties: The attributes to ship, which the level may read; None ships those that the
            layer's style needs.
    """

    layer: Layer
    level: Clearance
    time: TileTime
    condition: TileFilter | None = None
    properties: tuple[str, ...] | None = None

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes that the tile ships, in the order of the layer."""
        if self.properties is None:
            return self.layer.tile_attributes_at(self.level)
        known = queryables(self.layer, self.level)
        return tuple(q.attribute for name, q in known.items() if name in self.properties)

    @property
    def label_attributes(self) -> tuple[Attribute, ...]:
        """The attributes of the label points of an area layer; none where tiles hold no points.

        Tiles that do not ship all of them hold none.
        """
        found = label_attributes(self.layer, self.level)
        is_shipped = self.properties is None or {a.name for a in found} <= set(self.properties)
        return found if is_shipped else ()

    @property
    def versions(self) -> Versions:
        """The versions that the tile is read from."""
        is_earlier_belief = self.time.as_recorded is not None
        return Versions(self.layer, self.level, is_earlier_belief)

    @property
    def canonical(self) -> bytes:
        """What tells the tile from others of the layer, the level and the times."""
        shipped = "*" if self.properties is None else ",".join(a.name for a in self.attributes)
        condition = self.condition.canonical if self.condition else ""
        return f"{shipped}\n{condition}".encode()


_ANY_INSTANT = datetime.min.replace(tzinfo=UTC)


def timeless(query: TileQuery) -> TileQuery:
    """One query for all instants, for which there is one statement."""
    as_recorded = _ANY_INSTANT if query.time.as_recorded is not None else None
    return replace(query, time=TileTime(_ANY_INSTANT, as_recorded))
