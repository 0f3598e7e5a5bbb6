"""Deleting for good what a load of a raster brought, for ``layers.purge``."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, text

from layers.errors import CannotPurge
from layers.rasters import LAYER_NAME
from layers.rewrite import lock_layer
from layers.system_tables import rasters


def files_of_load(connection: Connection, load_id: int) -> set[str]:
    """Names of the files of the store that versions of a load have; none for other loads."""
    statement = select(rasters.c.file_name).where(rasters.c.load_id == load_id)
    return set(connection.execute(statement).scalars())


def delete_raster_versions(connection: Connection, load_id: int) -> tuple[int, str]:
    """Delete the versions that a load brought; their files are the caller's to remove.

    Returns:
        How many there were, and SHA-256 over the sorted SHA-256 of their texts.

    Raises:
        CannotPurge: a version of it is still held.
        LoadInProgress: a publication did not end in time.
    """
    lock_layer(connection, LAYER_NAME)
    of_load = rasters.c.load_id == load_id
    held: int = connection.execute(
        select(func.count()).where(of_load, func.upper_inf(rasters.c.recorded_during))
    ).scalar_one()
    if held:
        message = f"{held} versions of it are held; undo it first: geoservice loads undo {load_id}"
        raise CannotPurge(load_id, message)
    digest: str = connection.execute(
        text(
            "SELECT encode(sha256(coalesce(string_agg(v.digest, '' ORDER BY v.digest), '')), "
            "'hex') FROM (SELECT sha256(convert_to(CAST(r AS text), 'UTF8')) AS digest "
            "FROM city.rasters r WHERE load_id = :load_id) v"
        ),
        {"load_id": load_id},
    ).scalar_one()
    return connection.execute(delete(rasters).where(of_load)).rowcount, digest
