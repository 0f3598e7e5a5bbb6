"""What a publication touched: the versions that it opened and closed, and over which valid time.

What is derived from a layer (tiles that are cached, overviews) is kept up to date by part, and this
table says which part. It is filled by the statements that open and close versions, read by
``layers.derived`` before their transaction ends, and gone with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.base import TILE_SRID
from layers.tables import STAGING_SCHEMA

COLUMNS = "feature_id, clearance, valid_during, geom_3857"
"""Columns of the table, in order.

``clearance`` is the lower one of before and after; ``valid_during`` is the part of valid time over
which answers changed, without ends where a classification was raised, which decides for every
instant; ``geom_3857`` is the geometry of the version, before or after.
"""

ALL_TIMES = "tstzrange(NULL, NULL)"


@dataclass
class Touched:
    """The touched versions of one publication, as a table of its transaction.

    Attributes:
        number: Of the load, the undoing or the purge.
        is_everything: Whether the whole layer is to be taken as touched; the table may be empty.
        is_made: Whether there is a table.
        drafts: Tables, with their schema, that are about to become the partitions of held versions
            of a clearance; until then those hold nothing.
    """

    connection: Connection
    number: int
    is_everything: bool = False
    is_made: bool = field(default=False, init=False)
    drafts: Mapping[Clearance, str] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Name of the table, with its schema."""
        return f"{STAGING_SCHEMA}.touched_{self.number}"

    def create(self) -> None:
        """Make the table."""
        self.is_made = True
        self.connection.execute(
            text(
                f"CREATE UNLOGGED TABLE {self.table} (feature_id bigint, clearance smallint, "
                f"valid_during tstzrange, geom_3857 geometry(Geometry, {TILE_SRID}))"
            )
        )

    def noting(self, writing: str, *, period: str = "valid_during") -> str:
        """An INSERT or DELETE of versions that also writes them into the table.

        The count of rows is that of the statement itself.

        Args:
            writing: The statement, without RETURNING.
            period: The valid time over which answers change, in SQL over the versions.
        """
        returned = COLUMNS.replace("valid_during", f"{period} AS valid_during")
        return (
            f"WITH written AS ({writing} RETURNING {returned}) "  # noqa: S608  # names of ours
            f"INSERT INTO {self.table} SELECT {COLUMNS} FROM written"
        )

    def drop(self) -> None:
        """Drop the table."""
        self.connection.execute(text(f"DROP TABLE {self.table}"))
