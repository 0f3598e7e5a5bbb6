"""The file of a version, opened so that nothing beside it is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.rasters import RasterKind
from tiles.raster.patience import go_on

Masked = np.ma.MaskedArray[Any, Any]
Floats = NDArray[np.float64]

OPEN_FILES = 24
"""Most files that one thread keeps open, overviews counted each by itself."""

_CACHE_BYTES = 64 * 1024 * 1024
_ENVIRONMENT = {
    # Of all the ways in which GDAL finds more files beside one, none.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": _CACHE_BYTES,
    "GDAL_NUM_THREADS": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_TIMEOUT": "1",
}


@dataclass(frozen=True)
class RasterSource:
    """A version of a raster, as it can be read.

    Attributes:
        path: Of the file in the store.
        sha256: Of that file; stands in keys of caches, so that what is kept never goes stale.
        bounds: Degrees, EPSG:4490; west > east crosses the antimeridian.
        bands: What the catalogue says of each, in order.
        nodata: The value that stands for none, may be NaN.
        resolution_m: Larger side of a pixel in the middle, metres.
    """

    name: str
    path: Path
    sha256: str
    kind: RasterKind
    bounds: BBox
    bands: Sequence[Mapping[str, Any]]
    dtype: str
    nodata: float | None
    resolution_m: float

    @property
    def is_classes(self) -> bool:
        """Whether values may be classes, between which nothing lies."""
        return self.kind is RasterKind.OTHER or self.has_palette

    @property
    def has_palette(self) -> bool:
        """Whether the first band has colours of its own."""
        return bool(self.bands[0]["color"] == "palette")

    @property
    def value_bands(self) -> tuple[int, ...]:
        """Numbers of the bands that hold values, from 1: all but those of transparency."""
        return tuple(n for n, b in enumerate(self.bands, start=1) if b["color"] != "alpha")

    def check_bands(self, numbers: Sequence[int], parameter: str, most: int) -> tuple[int, ...]:
        """The bands, if there are such.

        Raises:
            InvalidParameter: there are not, or too many are asked for.
        """
        if len(numbers) > most:
            raise InvalidParameter(parameter, numbers, f"names at most {most} bands")
        for number in numbers:
            if number not in self.value_bands:
                known = f"1 to {len(self.bands)}" if len(self.bands) > 1 else "only 1"
                raise InvalidParameter(
                    parameter, number, f"{self.name} has no band {number}: {known}"
                )
        return tuple(numbers)

    def physical(self, pixels: Masked, bands: Sequence[int]) -> Masked:
        """Values as the bands' scale and offset mean them; pixels have the bands first."""
        scales = [float(self.bands[n - 1].get("scale") or 1.0) for n in bands]
        offsets = [float(self.bands[n - 1].get("offset") or 0.0) for n in bands]
        if all(s == 1 for s in scales) and not any(offsets):
            return pixels
        shape = (-1, *(1 for _ in pixels.shape[1:]))
        scaled = np.ma.asarray(pixels.astype(np.float64)) * np.reshape(scales, shape)
        return np.ma.asarray(scaled + np.reshape(offsets, shape))


class _Opened(threading.local):
    """The files that a thread has open: a dataset of GDAL may be used by one thread only."""

    def __init__(self) -> None:
        self.files: OrderedDict[tuple[Path, int | None], Any] = OrderedDict()


_opened = _Opened()


@contextmanager
def environment() -> Iterator[None]:
    """GDAL as it has to be while a file of the store is read."""
    with rasterio.Env(**_ENVIRONMENT):
        yield


def opened(source: RasterSource, level: int | None = None) -> Any:
    """The dataset of a file, or of one of its overviews; stays open for later reads of the thread.

    Files of the store are never changed, so what is open is never out of date.

    Raises:
        NobodyWaits: whoever asked for it has gone.
    """
    go_on()
    key = (source.path, level)
    files = _opened.files
    if key in files:
        files.move_to_end(key)
        return files[key]
    more = {} if level is None else {"overview_level": level}
    # The path is absolute and named by us; the driver is the only one that may have a look at it.
    dataset = rasterio.open(source.path.absolute(), driver="GTiff", sharing=False, **more)
    files[key] = dataset
    while len(files) > OPEN_FILES:
        files.popitem(last=False)[1].close()
    return dataset
