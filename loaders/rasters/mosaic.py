"""Several files of one grid as one raster, such as the tiles of a terrain model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from layers.errors import UnreadableSource
from loaders.options import ReadLimits
from loaders.rasters.process import Header, Part
from loaders.rasters.sources import RasterSource

_MOST_OFF = 1e-3
"""Of a pixel, by which files may lie beside the grid of the first."""

_ITEM_BITS = 8


def assemble(
    sources: Sequence[RasterSource], headers: Sequence[Header], limits: ReadLimits
) -> tuple[tuple[Part, ...], Header]:
    """How files lie in the raster that they are together, and its header.

    Args:
        headers: Of the sources, each with the ``transform`` and the ``crs`` that hold.

    Raises:
        UnreadableSource: they are not of one grid, or would leave gaps that nothing stands for.
    """
    first = headers[0]
    if len(sources) == 1:
        return (Part(sources[0]),), first
    places = [
        _place(source, header, sources[0], first)
        for source, header in zip(sources, headers, strict=True)
    ]
    left, top = min(column for column, _ in places), min(row for _, row in places)
    ends = [
        (column + header.width, row + header.height)
        for (column, row), header in zip(places, headers, strict=True)
    ]
    width, height = max(end for end, _ in ends) - left, max(end for _, end in ends) - top
    _check_size(sources[0], first, width, height, limits)
    if first.nodata is None and sum(h.width * h.height for h in headers) < width * height:
        reason = "and the others leave gaps, and no value of theirs stands for none"
        raise UnreadableSource(sources[0].path, reason)
    assert first.transform is not None  # noqa: S101  # for mypy: it has been placed
    a, b, c, d, e, f = first.transform
    origin = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    parts = tuple(
        Part(source, column - left, row - top)
        for source, (column, row) in zip(sources, places, strict=True)
    )
    return parts, replace(first, width=width, height=height, transform=origin)


def _place(
    source: RasterSource, header: Header, first_source: RasterSource, first: Header
) -> tuple[int, int]:
    """Column and row of the first pixel in the grid of the first file."""
    for what in ("dtype", "count", "colors", "crs"):
        if getattr(header, what) != getattr(first, what):
            reason = f"has another {what} than {first_source.path.name}; load it by itself"
            raise UnreadableSource(source.path, reason)
    if str(header.nodata) != str(first.nodata) or source.driver != first_source.driver:
        reason = f"has another format or value for none than {first_source.path.name}"
        raise UnreadableSource(source.path, reason)
    if header.has_mask:
        raise UnreadableSource(source.path, "has a mask; load it by itself")
    assert header.transform and first.transform  # noqa: S101, PT018  # for mypy: both are placed
    a, b, c, d, e, f = first.transform
    same = zip(header.transform, first.transform, strict=True)
    differs = max(abs(x - y) for x, y in list(same)[:2] + list(same)[3:5])
    dx, dy = header.transform[2] - c, header.transform[5] - f
    scale = a * e - b * d
    column, row = (e * dx - b * dy) / scale, (a * dy - d * dx) / scale
    off = max(abs(column - round(column)), abs(row - round(row)))
    if differs * max(header.width, header.height) > _MOST_OFF * abs(a or b) or off > _MOST_OFF:
        reason = f"does not lie in the grid of {first_source.path.name}; load it by itself"
        raise UnreadableSource(source.path, reason)
    return round(column), round(row)


def _check_size(
    source: RasterSource, header: Header, width: int, height: int, limits: ReadLimits
) -> None:
    """All types of pixels end in their number of bits, as ``float32`` does."""
    item_bytes = int("".join(c for c in header.dtype if c.isdigit())) // _ITEM_BITS
    size = width * height * header.count * item_bytes
    if size > limits.max_unpacked_bytes:
        reason = f"and the others span {size} bytes of pixels, more than may be"
        raise UnreadableSource(source.path, reason)
