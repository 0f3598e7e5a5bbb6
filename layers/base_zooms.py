"""From which zoom tiles hold all of a layer, as a reader's level sees it."""

from __future__ import annotations

from sqlalchemy import Connection, column, select, table


def read_base_zooms(connection: Connection) -> dict[str, int]:
    """Base zooms by layer; below them tiles hold an overview. Connection of a reader's role.

    A layer of which no overview has been made is not among them.
    """
    view = table("overviews", column("layer"), column("base_zoom"))
    found = connection.execute(select(view.c.layer, view.c.base_zoom))
    return {row.layer: row.base_zoom for row in found}
