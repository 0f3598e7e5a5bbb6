"""The process that opens a raster of strangers: bounded, with one driver, nothing of the project.

Run by path with a JSON request on standard input; one JSON object comes out of standard output.
What it cannot read it says in a last line of JSON on standard error, with exit status 3; a crash or
a passed limit shows in the status alone.

``inspect`` tells what the header says. ``convert`` copies every pixel block by block, so that a
file whose middle is damaged is found out, has GDAL write the copy as a Cloud-Optimized GeoTIFF, and
compares that with what was read.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REFUSED = 3
BLOCK = 512
_WINDOW_BYTES = 128 * 1024 * 1024
_CACHE_BYTES = 128 * 1024 * 1024
_OWN_DRIVERS = frozenset({"GTiff", "COG", "MEM"})
_REQUEST = "GEOSERVICE_RASTER_REQUEST"


class Refused(Exception):
    """The file cannot be used, and the text says why."""


def main() -> int:
    """Do what the request asks; 0, or 3 where the file cannot be used."""
    text = os.environ.get(_REQUEST) or sys.stdin.read()
    request: dict[str, Any] = json.loads(text)
    _set_limits(request["limits"])
    try:
        _configure(request["driver"], text)
        out = os.dup(1)
        os.dup2(2, 1)  # libraries may print; only the answer may come out of standard output
        warnings.simplefilter("ignore")
        answer = _inspect(request) if request["task"] == "inspect" else _convert(request)
    except (Refused, MemoryError) as refusal:
        reason = str(refusal) or "needs more memory than is allowed"
        sys.stderr.write("\n" + json.dumps({"reason": reason}) + "\n")
        return REFUSED
    with os.fdopen(out, "w") as answers:
        json.dump(answer, answers)
    return 0


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["timeout_s"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (bound, bound))


def _configure(driver: str, text: str) -> None:
    """Leave GDAL the driver of the file and those we write with; a new start makes that hold."""
    os.environ.update(
        GDAL_DRIVER_PATH="disable",
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        GDAL_PAM_ENABLED="NO",
        GDAL_TIFF_INTERNAL_MASK="YES",
        GDAL_CACHEMAX=str(_CACHE_BYTES),
        GDAL_NUM_THREADS="1",
    )
    import rasterio

    with rasterio.Env() as environment:
        others = set(environment.drivers()) - _OWN_DRIVERS - {driver}
    if not others:
        return
    if _REQUEST in os.environ:
        message = f"drivers cannot be turned off: {', '.join(sorted(others))}"
        raise Refused(message)
    os.environ["GDAL_SKIP"] = ",".join(sorted(others))
    os.environ[_REQUEST] = text
    os.execv(sys.executable, [sys.executable, "-I", __file__])  # noqa: S606


def _opened(request: dict[str, Any], path: str) -> Any:
    import rasterio

    try:
        dataset = rasterio.open(path, driver=request["driver"])
    except rasterio.errors.RasterioIOError as error:
        message = f"is not what its extension says, or is damaged: {error}"
        raise Refused(message) from error
    _check_shape(dataset, request["limits"])
    return dataset


def _check_shape(dataset: Any, limits: dict[str, int]) -> None:
    import numpy as np

    kinds = set(dataset.dtypes)
    if len(kinds) != 1:
        message = f"has {len(dataset.dtypes)} bands of types {', '.join(sorted(kinds)) or 'none'}"
        raise Refused(message)
    kind = np.dtype(dataset.dtypes[0])
    if kind.kind not in "uif":
        message = f"has pixels of type {kind}, which are no plain numbers"
        raise Refused(message)
    if dataset.count > limits["max_bands"]:
        message = f"has {dataset.count} bands, more than {limits['max_bands']}"
        raise Refused(message)
    size = dataset.width * dataset.height * dataset.count * kind.itemsize
    if size > limits["pixel_bytes"]:
        message = f"has {size} bytes of pixels, more than {limits['pixel_bytes']}"
        raise Refused(message)


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    """What GDAL finds wrong with a file is a refusal."""
    import rasterio

    try:
        yield
    except (rasterio.errors.RasterioError, rasterio.errors.RasterioIOError, OSError) as error:
        message = f"{doing} stopped: {error.__cause__ or error}"
        raise Refused(message) from error
    except rasterio._err.CPLE_BaseError as error:
        message = f"{doing} stopped: {error}"
        raise Refused(message) from error


def _inspect(request: dict[str, Any]) -> dict[str, Any]:
    with _refusals("reading"), _opened(request, request["path"]) as dataset:
        transform = dataset.transform
        return {
            "width": dataset.width,
            "height": dataset.height,
            "count": dataset.count,
            "dtype": dataset.dtypes[0],
            "nodata": dataset.nodata,
            "has_mask": _has_mask(dataset),
            "crs": dataset.crs.to_wkt() if dataset.crs else None,
            "transform": None if transform.is_identity else list(transform)[:6],
            "control_points": len(dataset.gcps[0]),
            "has_rational_polynomials": dataset.rpcs is not None,
            "colors": [interpretation.name for interpretation in dataset.colorinterp],
        }


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    copy = Path(request["folder"]) / "copy.tif"
    with _refusals("converting"):
        parts = request["parts"]
        bands, checks = _assemble(copy, request) if len(parts) > 1 else _copy(copy, request)
        _write_cog(copy, request)
        copy.unlink()
        _check_cog(request["output"], checks)
    return {"bands": bands}


def _copy(path: Path, request: dict[str, Any]) -> tuple[list[Any], list[int]]:
    """Every pixel into a tiled file of ours, placed as the request says; figures of each band."""
    import rasterio

    (part,) = request["parts"]
    with (
        _opened(request, part["path"]) as source,
        rasterio.open(path, "w", **_profile(source, request)) as target,
    ):
        has_mask = _has_mask(source)
        figures = _Figures(source.count)
        _copy_descriptions(source, target)
        for window in _windows(source):
            pixels = source.read(window=window)
            target.write(pixels, window=window)
            masks = source.read_masks(window=window)
            if has_mask:
                target.write_mask(masks[0] != 0, window=window)
            figures.add(pixels, masks)
        return figures.described(source), figures.checks


def _assemble(path: Path, request: dict[str, Any]) -> tuple[list[Any], list[int]]:
    """The same of several files of one grid; where they overlap, values win over none."""
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    with _opened(request, request["parts"][0]["path"]) as first:
        profile = _profile(first, request)
        with rasterio.open(path, "w", **profile, sparse_ok=True) as target:
            _copy_descriptions(first, target)
    with rasterio.open(path, "r+", driver="GTiff") as target:
        for part in request["parts"]:
            with _opened(request, part["path"]) as source:
                for window in _windows(source):
                    left, top = part["column"] + window.col_off, part["row"] + window.row_off
                    place = Window(left, top, window.width, window.height)
                    pixels, masks = source.read(window=window), source.read_masks(window=window)
                    held = target.read(window=place)
                    target.write(np.where(masks != 0, pixels, held), window=place)
    with rasterio.open(path, driver="GTiff") as made:
        figures = _Figures(made.count)
        for window in _windows(made):
            figures.add(made.read(window=window), made.read_masks(window=window))
        return figures.described(made), figures.checks


def _has_mask(dataset: Any) -> bool:
    from rasterio.enums import MaskFlags

    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _profile(source: Any, request: dict[str, Any]) -> dict[str, Any]:
    import rasterio
    from rasterio.crs import CRS

    return {
        "driver": "GTiff",
        "width": request["width"],
        "height": request["height"],
        "count": source.count,
        "dtype": source.dtypes[0],
        "nodata": source.nodata,
        "crs": CRS.from_wkt(request["crs"]),
        "transform": rasterio.Affine(*request["transform"]),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,
        "interleave": "pixel" if source.count > 1 else "band",
        "bigtiff": "IF_SAFER",
    }


def _copy_descriptions(source: Any, target: Any) -> None:
    target.colorinterp = source.colorinterp
    target.descriptions = source.descriptions
    target.units = [unit or "" for unit in source.units]
    target.scales = source.scales
    target.offsets = source.offsets
    meaning = source.tags().get("AREA_OR_POINT")
    if meaning:
        target.update_tags(AREA_OR_POINT=meaning)
    for band, color in enumerate(source.colorinterp, start=1):
        if color.name == "palette":
            target.write_colormap(band, source.colormap(band))


class _Figures:
    """Least and greatest value of each band, and a check sum of its pixels, window by window."""

    def __init__(self, count: int) -> None:
        self.checks: list[int] = []
        self._least: list[float | None] = [None] * count
        self._greatest: list[float | None] = [None] * count

    def add(self, pixels: Any, masks: Any) -> None:
        """Take in the pixels of the next window."""
        import numpy as np

        self.checks.append(_check_sum(pixels))
        for band, (values, mask) in enumerate(zip(pixels, masks, strict=True)):
            valid = values[(mask != 0) & np.isfinite(values)]
            if valid.size:
                least, greatest = float(valid.min()), float(valid.max())
                before = self._least[band]
                self._least[band] = least if before is None else min(before, least)
                before = self._greatest[band]
                self._greatest[band] = greatest if before is None else max(before, greatest)

    def described(self, source: Any) -> list[dict[str, object]]:
        """One object for each band."""
        return [
            {
                "color": source.colorinterp[band].name,
                "description": source.descriptions[band],
                "unit": source.units[band],
                "scale": source.scales[band],
                "offset": source.offsets[band],
                "min": self._least[band],
                "max": self._greatest[band],
            }
            for band in range(source.count)
        ]


def _check_sum(pixels: Any) -> int:
    import numpy as np

    return zlib.crc32(np.ascontiguousarray(pixels).data)


def _windows(dataset: Any) -> Iterator[Any]:
    """Windows of whole blocks of ours, as wide as memory allows: most files are stored by rows."""
    from rasterio.windows import Window

    row_bytes = dataset.count * _item_bytes(dataset) * BLOCK
    most = max(_WINDOW_BYTES // (row_bytes * BLOCK), 1) * BLOCK
    width = min(dataset.width, most)
    height = max(_WINDOW_BYTES // (row_bytes * -(-width // BLOCK) * BLOCK), 1) * BLOCK
    for top in range(0, dataset.height, height):
        for left in range(0, dataset.width, width):
            yield Window(
                left, top, min(width, dataset.width - left), min(height, dataset.height - top)
            )


def _item_bytes(dataset: Any) -> int:
    import numpy as np

    return int(np.dtype(dataset.dtypes[0]).itemsize)


def _write_cog(copy: Path, request: dict[str, Any]) -> None:
    from rasterio import shutil

    shutil.copy(
        copy,
        request["output"],
        driver="COG",
        compress="deflate",
        predictor="yes",
        bigtiff="if_safer",
        blocksize=BLOCK,
        overview_resampling=request["resampling"],
    )


def _check_cog(path: str, checks: list[int]) -> None:
    """See that the file is a COG with the pixels that were read."""
    import rasterio
    from rio_cogeo.cogeo import cog_validate

    valid, errors, _ = cog_validate(path, quiet=True)
    if not valid:
        message = f"could not be made a Cloud-Optimized GeoTIFF: {'; '.join(errors)}"
        raise Refused(message)
    with rasterio.open(path, driver="GTiff") as made:
        found = [_check_sum(made.read(window=window)) for window in _windows(made)]
    if found != checks:
        message = "was not converted faithfully: pixels differ"
        raise Refused(message)


if __name__ == "__main__":
    sys.exit(main())
