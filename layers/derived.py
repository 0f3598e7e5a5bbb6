"""What is derived from layers, and kept with every publication, inside its transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from layers import overviews, tile_changes
from layers.base import Layer
from layers.touched import Touched


def keep_derived(
    connection: Connection, layer: Layer, touched: Touched, recorded_at: datetime
) -> None:
    """Bring up to date what is derived from a layer; under its lock, before the transaction ends.

    Args:
        connection: Of the loader role, or of the owner for a theme that is edited.
        touched: What the publication opened and closed.
        recorded_at: Its instant in recorded time.
    """
    kept = overviews.keep(connection, layer, touched)
    tile_changes.write(connection, layer, touched, kept)


def drop_derived(connection: Connection, layer: Layer) -> None:
    """Take away what is derived from a theme that is dropped; before its tables are."""
    overviews.drop(connection, layer)
    tile_changes.write_everything(connection, layer)
