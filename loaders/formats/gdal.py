"""Formats that GDAL reads, through pyogrio: one driver registered, the one of the request."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers import expat

from .child import AGAIN
from .columns import simple
from .stream import BATCH_ROWS, STRAIGHTENED, Contents, Reading, Refused, choose, own_fields
from .wkb import parsed

_ARC_STEP_DEGREES = "1"
"""Of an arc made straight: 4 mm off a circle of 100 m, where GDAL's own 4 degrees give 6 cm."""

_COUNTED = ("FlatGeobuf", "OpenFileGDB")
"""Drivers that leave out rows of a file cut short without a word, but know how many it had."""

_NUMBERED = ("GPKG", "FlatGeobuf", "OpenFileGDB", "GML")
"""Drivers that hand on curves as they are, whose rows are then asked for again by their ids."""

# Drivers of the GDAL that pyogrio brings. Those that a later GDAL adds are found below, at the cost
# of one more start of the process.
_DRIVERS = [
    "ADBC",
    "AIVector",
    "AVCBin",
    "AVCE00",
    "AmigoCloud",
    "CSV",
    "CSW",
    "Carto",
    "DGN",
    "DXF",
    "EDIGEO",
    "EEDA",
    "ESRI Shapefile",
    "ESRIJSON",
    "Elasticsearch",
    "FlatGeobuf",
    "GDALG",
    "GML",
    "GPKG",
    "GPSBabel",
    "GPX",
    "GTFS",
    "GeoJSON",
    "GeoJSONSeq",
    "GeoRSS",
    "HTTP",
    "Idrisi",
    "JML",
    "JSONFG",
    "KML",
    "LIBKML",
    "LVBAG",
    "MBTiles",
    "MVT",
    "MapInfo File",
    "MapML",
    "MiraMonVector",
    "NGW",
    "OAPIF",
    "ODS",
    "OGCAPI",
    "OGR_GMT",
    "OGR_PDS",
    "OGR_VRT",
    "OSM",
    "OpenFileGDB",
    "PCIDSK",
    "PDF",
    "PDS4",
    "PGDUMP",
    "PLSCENES",
    "PMTiles",
    "S57",
    "SQLite",
    "SXF",
    "Selafin",
    "TopoJSON",
    "VDV",
    "VFK",
    "VICAR",
    "VRT",
    "WAsP",
    "WFS",
    "XLSX",
]


def prepare(request: dict[str, Any], text: str) -> None:
    """Import pyogrio with the one driver of the request registered.

    Args:
        text: The request, for starting once more where other drivers have turned up.
    """
    wanted = request["driver"]
    os.environ.setdefault("GDAL_SKIP", ",".join(d for d in _DRIVERS if d != wanted))
    os.environ["GDAL_DRIVER_PATH"] = "disable"
    os.environ["OGR_ARC_STEPSIZE"] = _ARC_STEP_DEGREES
    os.environ.update(request["configuration"])
    # pyogrio imports these for what is not used here; with them its import takes 1.3 s, not 0.25 s.
    blocked = ("geopandas", "pandas", "pyproj", "shapely")
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None blocks an import
    import pyogrio

    for name in blocked:
        del sys.modules[name]
    others = set(pyogrio.list_drivers()) - {wanted, "MEM"}
    if others and AGAIN not in os.environ:
        os.environ["GDAL_SKIP"] += "," + ",".join(sorted(others))
        os.environ[AGAIN] = text
        os.execv(sys.executable, [sys.executable, "-I", sys.argv[0]])  # noqa: S606
    if others:
        message = f"drivers cannot be turned off: {', '.join(sorted(others))}"
        raise Refused(message)


def layers(request: dict[str, Any]) -> list[Contents]:
    """The layers of a file."""
    import pyogrio

    _check_text(request)
    with _refusals(request):
        found = []
        for name, _ in pyogrio.list_layers(request["path"]):
            info = pyogrio.read_info(request["path"], layer=name, **_options(request))
            count = int(info["features"])
            columns = tuple(map(str, info["fields"]))
            kind = info["geometry_type"]
            found.append(Contents(str(name), columns, kind, count if count >= 0 else None))
        return found


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a layer; after the block, whether GDAL has lost any of them."""
    import pyogrio

    numbered = request["driver"] in _NUMBERED
    _check_text(request)
    with _refusals(request), warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        path = request["path"]
        layer = choose([str(name) for name, _ in pyogrio.list_layers(path)], request["layer"])
        with pyogrio.open_arrow(
            path,
            layer=layer,
            batch_size=BATCH_ROWS,
            use_pyarrow=True,
            return_fids=numbered,
            **_options(request),
        ) as (meta, reader):
            columns = [str(name) for name in meta["fields"]]
            plain = _Plain(request, meta, columns, layer)
            count = _count(request, layer)
            yield Reading(columns, map(plain.batch, reader), meta["crs"], count)
            if request["driver"] in _COUNTED:
                plain.check_whole(count)
            else:
                plain.check_whole(request["record_count"])
        lost = [str(note.message) for note in notes if _means_loss(str(note.message))]
        if lost:
            raise Refused("; ".join(lost[:3]))


@contextmanager
def _refusals(request: dict[str, Any]) -> Iterator[None]:
    """What GDAL raises as a sentence for the owner of the file."""
    import pyogrio

    try:
        yield
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = str(error)
        if "not recognized as being in a supported" in reason:
            reason = f"is not what its extension says: no {request['driver']} file"
        raise Refused(reason) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise Refused(f"reading stopped: {error}") from error


def _check_text(request: dict[str, Any]) -> None:
    """See that GML is whole and declares no entities, for GDAL then gives no rows and no error."""
    if request["driver"] != "GML":
        return
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse_entity
    with Path(request["path"]).open("rb") as file:
        try:
            parser.ParseFile(file)
        except expat.ExpatError as error:
            message = f"is no well-formed XML: {error}"
            raise Refused(message) from error


def _refuse_entity(*_about: Any) -> None:
    message = "declares entities of its own, which are not read"
    raise Refused(message)


def _options(request: dict[str, Any]) -> dict[str, Any]:
    options = dict(request["open_options"])
    if request["encoding"] is not None:
        options["encoding"] = request["encoding"]
    return options


def _means_loss(note: str) -> bool:
    quiet = ("Measured (M) geometry", "organizePolygons", "appears to be", "CRS was not")
    loud = ("truncated", "corrupt", "malformed", "failed", "error", "cannot", "invalid utf")
    return not any(q in note for q in quiet) and any(word in note.lower() for word in loud)


def _count(request: dict[str, Any], layer: str) -> int | None:
    """How many rows the file says it has, where asking costs no reading; for progress only."""
    import pyogrio

    if request["driver"] not in ("GPKG", *_COUNTED):
        return request["record_count"]  # type: ignore[no-any-return]  # a number of our own
    said: int = pyogrio.read_info(request["path"], layer=layer)["features"]
    return said if said >= 0 else None


class _Plain:
    """Makes batches of GDAL plain, and counts their rows."""

    def __init__(
        self, request: dict[str, Any], meta: dict[str, Any], columns: list[str], layer: str
    ) -> None:
        self._request = request
        self._columns = columns
        self._geometry = meta["geometry_name"] or "wkb_geometry"
        self._fid = meta.get("fid_column")
        self._layer = layer
        self._rows = 0

    def batch(self, batch: Any) -> Any:
        """Columns of simple types, then the geometry as WKB that has been parsed once."""
        import pyarrow as pa

        names = batch.schema.names
        self._rows += batch.num_rows
        defects: list[str | None] = [None] * batch.num_rows
        arrays = [simple(batch.column(names.index(c)), c, defects) for c in self._columns]
        metadata = None
        if self._geometry in names:
            ids = batch.column(names.index(self._fid)) if self._fid in names else None
            shapes, curves = parsed(batch.column(names.index(self._geometry)), ids, self._straight)
            metadata = {STRAIGHTENED: str(curves)} if curves else None
        else:
            shapes = pa.nulls(batch.num_rows, pa.binary())
        fields = [pa.field(c, a.type) for c, a in zip(self._columns, arrays, strict=True)]
        return pa.RecordBatch.from_arrays(
            [*arrays, pa.array(defects, pa.string()), shapes],
            schema=pa.schema([*fields, *own_fields()], metadata),
        )

    def _straight(self, ids: list[int]) -> Any:
        """Straight forms of rows: GDAL makes them when it reads features one by one."""
        import pyogrio

        path = self._request["path"]
        return pyogrio.raw.read(path, layer=self._layer, columns=[], fids=ids)[2]

    def check_whole(self, expected: int | None) -> None:
        """See that as many rows came out as the file says it has, where it says so reliably."""
        if expected is not None and self._rows < expected - self._request["deleted_count"]:
            message = f"only {self._rows} of {expected} records can be read"
            raise Refused(message)
