"""A load of a raster: converted to a Cloud-Optimized GeoTIFF, and published; or nothing at all.

1. its row in ``loads``, 2. the header is read and the place decided, 3. a file that is held already
ends here, 4. pixels are converted into the store, 5. one transaction holds the version and closes
the row. Nothing is locked before 5.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from layers.access import Clearance
from layers.city import CityFrame
from layers.errors import GeoserviceError, InvalidParameter
from layers.rasters import (
    LAYER_NAME,
    Pixels,
    Raster,
    RasterKind,
    RasterPublication,
    confirm_raster,
    publish_raster,
)
from layers.system_tables import loads
from loaders.folders import private_folder
from loaders.options import ReadLimits
from loaders.rasters.mosaic import assemble
from loaders.rasters.place import Placement, complete, place
from loaders.rasters.process import Header, Part, convert, inspect
from loaders.rasters.sources import RasterSource, prepare_raster
from loaders.rasters.store import RasterStore, Slot
from loaders.texts import storable

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class RasterOptions:
    """What the user said about a raster.

    Attributes:
        crs: System of the pixels; None means what the file or the ``.prj`` beside it says.
        kind: None decides by the pixels.
        title_zh: None keeps what is held, else takes the name; so does ``title_en``.
        clearance: None keeps what is held, else restricted.
        valid_from: Instant since when it is true; None means the recorded instant.
        dry_run: Do everything but publish.
    """

    city: CityFrame
    crs: str | None = None
    kind: RasterKind | None = None
    title_zh: str | None = None
    title_en: str | None = None
    clearance: Clearance | None = None
    valid_from: datetime | None = None
    dry_run: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)


@dataclass(frozen=True)
class RasterReport:
    """What a load of a raster did; ``load_id`` is None for a dry run."""

    load_id: int | None
    raster: Raster
    outcome: str
    sources: tuple[RasterSource, ...]
    placement: Placement
    pixels: Pixels | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; ``pixels`` is missing where the file was held already."""
        report = {
            "load_id": self.load_id,
            "name": self.raster.name,
            "outcome": self.outcome,
            "kind": self.raster.kind.value,
            "sources": _sources_as_json(self.sources),
            **_placed_as_json(self.placement),
            "seconds": round(self.seconds, 3),
        }
        if self.pixels is not None:
            report["pixels"] = {
                "bands": list(self.pixels.bands),
                "dtype": self.pixels.dtype,
                "nodata": number_as_json(self.pixels.nodata),
                "file_bytes": self.pixels.file_bytes,
                "sha256": self.pixels.sha256,
            }
        return report


def number_as_json(value: float | None) -> float | str | None:
    """A number as JSON can hold it: NaN and infinities as words."""
    return value if value is None or math.isfinite(value) else str(value)


@dataclass(frozen=True)
class _Given:
    """What was given, looked at: the files, where each lies, and where they lie together."""

    sources: tuple[RasterSource, ...]
    parts: tuple[Part, ...]
    placement: Placement


def load_raster(
    connection: Connection,
    store: RasterStore,
    name: str,
    files: Sequence[Path],
    options: RasterOptions,
) -> RasterReport:
    """Load a file, or several of one grid, as a version of the raster of a name.

    Args:
        connection: Of the loader role, in no transaction; the load commits on it.
        files: Of several, a later one wins where they overlap.

    Raises:
        InvalidParameter: the name is not fit for an address, or the clearance would be lowered.
        SourceError: the file cannot be read or placed. Nothing is written but the failed row of
            ``loads``.
        StoreUnavailable: the folder of the rasters cannot be used.
    """
    started = time.monotonic()
    if not _NAME.fullmatch(name):
        reason = "a raster's name is up to 63 lower-case letters, digits and _, a letter first"
        raise InvalidParameter("name", name, reason)
    with (
        _load_row(connection, name, files, dry_run=options.dry_run) as load_id,
        private_folder() as folder,
    ):
        given = _look(files, options, folder)
        raster = _raster(name, given, options)
        done = confirm_raster(connection, raster, options.valid_from)
        pixels = None
        if done is not None and load_id is not None:
            _close_row(connection, load_id, done, given, options)
        connection.commit()
        if done is None:
            done, pixels = _convert_and_publish(connection, store, load_id, raster, given, options)
    seconds = time.monotonic() - started
    return RasterReport(
        load_id, raster, done.outcome, given.sources, given.placement, pixels, seconds
    )


def _look(files: Sequence[Path], options: RasterOptions, folder: Path) -> _Given:
    sources = tuple(prepare_raster(file, options.limits, folder) for file in files)
    headers = [complete(inspect(s, options.limits), s, options.crs) for s in sources]
    parts, whole = assemble(sources, headers, options.limits)
    return _Given(sources, parts, place(whole, sources[0], options.city))


@contextmanager
def _load_row(
    connection: Connection, name: str, files: Sequence[Path], *, dry_run: bool
) -> Iterator[int | None]:
    """The row in ``loads``; a failure is written down in it."""
    load_id = None if dry_run else _begin(connection, name, files)
    connection.commit()
    try:
        yield load_id
    except BaseException as error:
        connection.rollback()
        if load_id is not None:
            message = str(error) if isinstance(error, GeoserviceError) else type(error).__name__
            connection.execute(
                update(loads)
                .where(loads.c.load_id == load_id, loads.c.state == "staging")
                .values(state="failed", message=storable(message))
            )
            connection.commit()
        raise


def _begin(connection: Connection, name: str, files: Sequence[Path]) -> int:
    source = {"files": [file.name for file in files], "raster": name}
    statement = insert(loads).values(layer=LAYER_NAME, source=source, state="staging")
    number: int = connection.execute(statement.returning(loads.c.load_id)).scalar_one()
    return number


def _raster(name: str, given: _Given, options: RasterOptions) -> Raster:
    hashes = [source.sha256 for source in given.sources]
    return Raster(
        name,
        options.kind or _kind(given.sources[0], given.placement.header),
        given.placement.crs,
        hashes[0] if len(hashes) == 1 else sha256(" ".join(hashes).encode()).hexdigest(),
        options.title_zh,
        options.title_en,
        options.clearance,
    )


def _kind(source: RasterSource, header: Header) -> RasterKind:
    """Heights are one band of signed numbers; pictures have red, green and blue."""
    if source.driver in ("SRTMHGT", "AAIGrid"):
        return RasterKind.TERRAIN
    if {"red", "green", "blue"} <= set(header.colors) and header.dtype == "uint8":
        return RasterKind.IMAGERY
    is_signed = header.dtype.startswith(("int", "float"))
    return RasterKind.TERRAIN if header.count == 1 and is_signed else RasterKind.OTHER


def _convert_and_publish(
    connection: Connection,
    store: RasterStore,
    load_id: int | None,
    raster: Raster,
    given: _Given,
    options: RasterOptions,
) -> tuple[RasterPublication, Pixels]:
    with store.slot(connection) as slot:
        pixels = _pixels(slot, raster, given, options)
        number = load_id or _begin(connection, raster.name, [s.path for s in given.sources])
        done = publish_raster(
            connection, raster, pixels, load_id=number, valid_from=options.valid_from
        )
        if load_id is None:
            connection.rollback()
            return done, pixels
        _close_row(connection, number, done, given, options)
        # Another load may have published the same file meanwhile: then this one is not needed.
        if done.outcome != "unchanged":
            slot.put_in_place()
        connection.commit()
        slot.keep()
    return done, pixels


def _pixels(slot: Slot, raster: Raster, given: _Given, options: RasterOptions) -> Pixels:
    placement, header = given.placement, given.placement.header
    bands = convert(given.parts, options.limits, header, raster.kind, slot.output)
    for source in given.sources:
        source.check_unchanged()
    digest = sha256()
    with slot.output.open("rb") as written:
        while block := written.read(1 << 20):
            digest.update(block)
    bounds = placement.bounds
    return Pixels(
        (bounds.west, bounds.south, bounds.east, bounds.north),
        header.width,
        header.height,
        bands,
        header.dtype,
        header.nodata,
        placement.resolution_m,
        slot.file_name,
        slot.output.stat().st_size,
        digest.hexdigest(),
    )


def _close_row(
    connection: Connection,
    load_id: int,
    done: RasterPublication,
    given: _Given,
    options: RasterOptions,
) -> None:
    """Say in ``loads`` what was done, inside the publishing transaction."""
    counts = dict.fromkeys(("new", "changed", "unchanged", "rejected"), 0)
    known = loads.c.source.concat(
        {
            "sources": _sources_as_json(given.sources),
            "placement": _placed_as_json(given.placement),
            "options": {"crs": options.crs},
        }
    )
    connection.execute(
        update(loads)
        .where(loads.c.load_id == load_id)
        .values(
            state="published",
            source=known,
            recorded_at=done.recorded_at,
            valid_from=options.valid_from,
            counts={"read": 1} | counts | {done.outcome: 1},
        )
    )


def _sources_as_json(sources: Sequence[RasterSource]) -> list[dict[str, Any]]:
    return [
        {"name": source.path.name, "sha256": source.sha256, "notes": list(source.notes)}
        for source in sources
    ]


def _placed_as_json(placement: Placement) -> dict[str, Any]:
    return {
        "crs": placement.crs,
        "transformation": placement.operation.description,
        "accuracy_m": placement.operation.accuracy_m,
        "bounds": placement.bounds.as_list(),
        "width": placement.header.width,
        "height": placement.header.height,
        "resolution_m": placement.resolution_m,
    }
