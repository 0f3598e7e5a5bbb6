"""Deleting for good what a load brought: for what should never have been held.

Everything else in this service closes versions and keeps them. A purge deletes them, as the law may
demand of personal data or of a wrong classification. What remains is a tombstone: how many versions
there were, a hash of them, who is told why, and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from layers.base import Layer
from layers.derived import keep_derived
from layers.errors import CannotPurge, LoadNotFound
from layers.raster_purge import delete_raster_versions
from layers.rasters import LAYER_NAME as RASTERS
from layers.registry import get_layer
from layers.rewrite import BY_INDEX, lock_layer
from layers.system_tables import findings, loads, quarantine, staged_digests
from layers.tables import SCHEMA, qualified, qualified_past
from layers.themes import require_current
from layers.touched import ALL_TIMES, Touched


@dataclass(frozen=True)
class Tombstone:
    """What is left of a purged load.

    Attributes:
        versions: How many versions were deleted.
        rejected: How many rows of quarantine were.
        digest: SHA-256 over the sorted SHA-256 of the texts of the versions.
        reason: Why, as the operator said.
        purged_at: When.
    """

    versions: int
    rejected: int
    digest: str
    reason: str
    purged_at: datetime

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        return {
            "versions": self.versions,
            "rejected": self.rejected,
            "digest": self.digest,
            "reason": self.reason,
            "purged_at": self.purged_at.isoformat(),
        }


def purge_load(connection: Connection, load_id: int, reason: str) -> Tombstone:
    """Delete what a load brought, inside the caller's open transaction.

    Files of rasters are the caller's to remove: ``loaders.rasters.RasterStore.removing``.

    Args:
        connection: Of the loader role; committing it is the caller's.

    Raises:
        LoadNotFound: there is no such load, or it is under way.
        CannotPurge: something of it is still held, or a later load carried on what it brought.
        LoadInProgress: a publication of the layer did not end in time.
        LayerChanged: the layer is a theme that was changed meanwhile.
    """
    load = connection.execute(select(loads).where(loads.c.load_id == load_id)).one_or_none()
    if load is None or load.state == "staging":
        raise LoadNotFound(load_id, "there is no such load, or it is under way")
    if load.state == "purged":
        raise CannotPurge(load_id, "it has been purged already")
    if load.layer == RASTERS:
        versions, digest = delete_raster_versions(connection, load_id)
        purged_at = connection.execute(select(func.clock_timestamp())).scalar_one()
        tombstone = Tombstone(versions, 0, digest, reason, purged_at)
    else:
        tombstone = _purge_features(connection, load, reason)
    connection.execute(
        update(loads)
        .where(loads.c.load_id == load_id)
        .values(state="purged", purge=tombstone.as_json(), source={"files": []})
    )
    return tombstone


def _purge_features(connection: Connection, load: Any, reason: str) -> Tombstone:
    load_id: int = load.load_id
    layer = get_layer(load.layer)
    lock_layer(connection, layer.name)
    require_current(connection, layer)
    _refuse_what_is_in_use(connection, layer, load)
    past = qualified_past(layer)
    digest, versions = connection.execute(
        text(
            # Of digests, as the texts themselves may be more than one value can hold.
            "SELECT encode(sha256(coalesce(string_agg(v.digest, '' ORDER BY v.digest), '')), "
            "'hex'), count(*) FROM (SELECT sha256(convert_to(CAST(p AS text), 'UTF8')) AS digest "
            f"FROM {past} p WHERE load_id = :load_id) v"
        ),
        {"load_id": load_id},
    ).one()
    touched = Touched(connection, load_id)
    touched.create()
    deleting = f"DELETE FROM {past} WHERE load_id = :load_id"
    # What was answered of the past for every instant is not to be answered again.
    connection.execute(text(touched.noting(deleting, period=ALL_TIMES)), {"load_id": load_id})
    rejected = connection.execute(
        quarantine.delete().where(
            # Rows that were mended and brought by this load are its originals.
            (quarantine.c.load_id == load_id) | (quarantine.c.released_by == load_id)
        )
    ).rowcount
    connection.execute(findings.delete().where(findings.c.load_id == load_id))
    connection.execute(staged_digests.delete().where(staged_digests.c.load_id == load_id))
    purged_at = connection.execute(select(func.clock_timestamp())).scalar_one()
    keep_derived(connection, layer, touched, purged_at)
    touched.drop()
    return Tombstone(versions, rejected, digest, reason, purged_at)


def _refuse_what_is_in_use(connection: Connection, layer: Layer, load: Any) -> None:
    held, past = qualified(layer), qualified_past(layer)
    of_load = {"load_id": load.load_id}
    count = connection.execute(
        text(f"SELECT count(*) FROM {held} WHERE load_id = :load_id"), of_load
    ).scalar_one()
    if count:
        message = f"{count} versions of it are held; undo it first: geoservice loads undo"
        raise CannotPurge(load.load_id, f"{message} {load.load_id}")
    # A later version of a feature may have taken attributes over that its file did not mention.
    # It did so when it closed one that held them, and may have handed them on in the same way.
    of_taker = "n WHERE n.feature_id = p.feature_id AND n.load_id = l.load_id"
    branches = [f"{held} {of_taker} AND {which.replace('h.', 'n.')}" for which in BY_INDEX.values()]
    has_versions = " OR ".join(
        f"EXISTS (SELECT FROM {branch})" for branch in (*branches, f"{past} {of_taker}")
    )
    later = connection.execute(
        text(
            f"""
            WITH RECURSIVE taken (feature_id, load_id) AS (
                SELECT DISTINCT feature_id, load_id FROM {past} WHERE load_id = :load_id
                UNION
                SELECT p.feature_id, l.load_id
                FROM taken t
                JOIN {past} p USING (feature_id, load_id)
                JOIN {SCHEMA}.loads l ON l.recorded_at = upper(p.recorded_during)
                WHERE l.layer = :layer AND l.undoes IS NULL AND ({has_versions})
            )
            SELECT DISTINCT load_id FROM taken WHERE load_id <> :load_id ORDER BY 1"""
        ),
        {**of_load, "layer": layer.name},
    ).scalars()
    named = ", ".join(str(number) for number in later)
    if named:
        reason = (
            f"later loads changed its features and may hold what it brought; purge first: {named}"
        )
        raise CannotPurge(load.load_id, reason)
