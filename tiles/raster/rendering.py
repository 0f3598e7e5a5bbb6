"""One tile of rasters as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rio_tiler.colormap import cmap

from layers.errors import InvalidParameter
from layers.rasters import RasterKind
from tiles.matrix import TileAddress
from tiles.raster.elevation import ENCODINGS, HILLSHADE_BUFFER, hillshade
from tiles.raster.expression import Expression
from tiles.raster.reading import read_tile, touches
from tiles.raster.source import Masked, RasterSource, environment, opened

FORMATS: Mapping[str, str] = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
"""Media type of each extension."""

SIZES = (256, 512)
MAX_EXPRESSION_BANDS = 8
ALGORITHMS = ("hillshade",)

Span = tuple[float, float]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawing:
    """How pixels become a picture; None leaves it to the raster.

    Attributes:
        extension: Of ``FORMATS``.
        size: Pixels across.
        bands: Grey from one, or red, green and blue from three.
        rescale: Value that becomes black and value that becomes white, of all bands or of each.
        colormap: Name of ``colormaps``.
        encoding: Of ``ENCODINGS``, for heights.
        algorithm: Of ``ALGORITHMS``, for heights.
    """

    extension: str = "png"
    size: int = 256
    bands: tuple[int, ...] | None = None
    expression: Expression | None = None
    rescale: tuple[Span, ...] | None = None
    colormap: str | None = None
    encoding: str | None = None
    algorithm: str | None = None

    @property
    def canonical(self) -> str:
        """What tells it from others, as text."""
        parts = (
            self.extension, self.size, self.bands, self.expression, self.rescale, self.colormap,
            self.encoding, self.algorithm,
        )  # fmt: skip
        return "|".join("" if part is None else str(part) for part in parts)

    @property
    def is_height(self) -> bool:
        """Whether it is for heights only."""
        return self.encoding is not None or self.algorithm is not None


@dataclass(frozen=True)
class RasterTile:
    """A picture of one tile, empty where there is nothing.

    Attributes:
        content: The encoded picture.
        left_out: How many rasters that may lie in the tile were not read.
    """

    content: bytes
    left_out: int = 0


def colormaps() -> tuple[str, ...]:
    """Names of the colormaps, in order."""
    return tuple(sorted(cmap.list()))


def check_drawing(drawing: Drawing, sources: Sequence[RasterSource]) -> None:
    """Refuse what contradicts itself, or cannot be done with a raster.

    Raises:
        InvalidParameter: says which parameter and why.
    """
    for name, value, is_known in (
        ("colormap", drawing.colormap, drawing.colormap in cmap.list()),
        ("encoding", drawing.encoding, drawing.encoding in ENCODINGS),
        ("algorithm", drawing.algorithm, drawing.algorithm in ALGORITHMS),
    ):
        if value is not None and not is_known:
            known = ", ".join({"encoding": ENCODINGS, "algorithm": ALGORITHMS}.get(name, ()))
            raise InvalidParameter(name, value, f"is not known here{known and f': {known}'}")
    _check_together(drawing)
    for source in sources:
        if drawing.is_height and source.kind is not RasterKind.TERRAIN:
            name = "encoding" if drawing.encoding else "algorithm"
            raise InvalidParameter(name, name, f"{source.name} is not of kind terrain")
        if drawing.expression:
            source.check_bands(drawing.expression.bands, "expression", MAX_EXPRESSION_BANDS)
        if drawing.bands:
            source.check_bands(drawing.bands, "bands", 3)


def _check_together(drawing: Drawing) -> None:
    if drawing.bands is not None and len(drawing.bands) not in (1, 3):
        raise InvalidParameter("bands", drawing.bands, "names one band, or three")
    if drawing.bands and drawing.expression:
        raise InvalidParameter("expression", str(drawing.expression), "stands instead of bands")
    if drawing.colormap and drawing.bands and len(drawing.bands) > 1:
        raise InvalidParameter("colormap", drawing.colormap, "colours one band")
    if drawing.encoding and (drawing.extension == "jpg" or drawing.algorithm):
        reason = "needs a lossless picture of heights: png or webp, and no algorithm"
        raise InvalidParameter("encoding", drawing.encoding, reason)
    others = drawing.bands or drawing.expression or drawing.rescale or drawing.colormap
    if drawing.is_height and others:
        reason = "takes no bands, expression, rescale or colormap"
        name = "encoding" if drawing.encoding else "algorithm"
        raise InvalidParameter(name, name, reason)


def render_tile(
    sources: Sequence[RasterSource], address: TileAddress, drawing: Drawing, *, most: int
) -> RasterTile:
    """One tile of rasters, the first on top; blocking.

    Args:
        drawing: As ``check_drawing`` let it through.
        most: Rasters that are read for one tile at most.

    Raises:
        InvalidParameter: as ``read_tile``.
    """
    wanted = [source for source in sources if touches(source, address)]
    canvas: NDArray[np.uint8] | None = None
    covered: NDArray[np.bool_] | None = None
    used = 0
    with environment():
        for source in wanted:
            if used == most or (covered is not None and covered.all()):
                break
            used += 1
            colors, valid = _colored(source, address, drawing)
            if canvas is None or covered is None:
                canvas, covered = np.where(valid, colors, 0).astype(np.uint8), valid
            else:
                canvas = np.where(valid & ~covered, _alike(colors, canvas), _alike(canvas, colors))
                covered = covered | valid
    is_full = covered is not None and bool(covered.all())
    left_out = 0 if is_full else len(wanted) - used
    if canvas is None or covered is None or not covered.any():
        return RasterTile(b"", left_out)
    return RasterTile(_encoded(canvas, covered, drawing), left_out)


def _alike(colors: Bytes, other: Bytes) -> Bytes:
    """Grey as red, green and blue, where the other has these."""
    return np.broadcast_to(colors, other.shape) if len(colors) < len(other) else colors


def _colored(
    source: RasterSource, address: TileAddress, drawing: Drawing
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Colours, shape (1 or 3, size, size), and where there are any."""
    size = drawing.size
    if drawing.algorithm:
        heights = read_tile(source, address, [1], size=size, buffer=HILLSHADE_BUFFER)[0]
        shades = hillshade(heights, address, size)
        return shades.data[np.newaxis], ~np.ma.getmaskarray(shades)
    bands = _bands(source, drawing)
    pixels = read_tile(source, address, bands, size=size)
    if drawing.encoding:
        return ENCODINGS[drawing.encoding](pixels[0]), ~np.ma.getmaskarray(pixels)[0]
    if drawing.expression:
        by_number = dict(zip(bands, pixels, strict=True))
        pixels = drawing.expression.values(by_number)[np.newaxis]
    valid = np.asarray(~np.ma.getmaskarray(pixels).any(axis=0))
    if drawing.colormap is None and _shows_palette(source, drawing):
        return _looked_up(pixels[0], valid, opened(source).colormap(1))
    grey = _rescaled(pixels, _spans(source, drawing, bands))
    if drawing.colormap is not None:
        return _looked_up(grey[0], valid, cmap.get(drawing.colormap))
    return grey, valid


def _shows_palette(source: RasterSource, drawing: Drawing) -> bool:
    plain = drawing.bands in (None, (1,)) and not drawing.expression and not drawing.rescale
    return plain and source.has_palette


def _bands(source: RasterSource, drawing: Drawing) -> tuple[int, ...]:
    if drawing.expression:
        return drawing.expression.bands
    if drawing.bands:
        return drawing.bands
    colors = [band["color"] for band in source.bands]
    if not drawing.encoding and drawing.colormap is None and {"red", "green", "blue"} <= {*colors}:
        return tuple(colors.index(color) + 1 for color in ("red", "green", "blue"))
    return source.value_bands[:1]


def _spans(source: RasterSource, drawing: Drawing, bands: Sequence[int]) -> Sequence[Span]:
    if drawing.rescale:
        return drawing.rescale
    if drawing.expression:
        return [(-1.0, 1.0)]
    if source.dtype == "uint8":
        return [(0.0, 255.0)]
    return [_span(source.bands[number - 1]) for number in bands]


def _span(band: Mapping[str, Any]) -> Span:
    """What the catalogue says of a band: between which values most of it lies."""
    ends = (band.get("p2", band["min"]), band.get("p98", band["max"]))
    if ends[0] is None or ends[1] is None:
        return 0.0, 1.0
    scale, offset = float(band.get("scale") or 1), float(band.get("offset") or 0)
    low, high = sorted(float(end) * scale + offset for end in ends)
    return (low, high) if high > low else (low, low + 1.0)


def _rescaled(pixels: Masked, spans: Sequence[Span]) -> Bytes:
    lows = np.array([span[0] for span in spans]).reshape(-1, 1, 1)
    highs = np.array([span[1] for span in spans]).reshape(-1, 1, 1)
    if (lows == 0).all() and (highs == 255).all() and pixels.dtype == np.uint8:
        return np.asarray(pixels.filled(0))
    values = np.asarray(np.ma.filled(pixels, 0), np.float64)
    return np.asarray(np.round(np.clip((values - lows) / (highs - lows), 0, 1) * 255), np.uint8)


def _looked_up(
    values: Any, valid: NDArray[np.bool_], colors: Any
) -> tuple[Bytes, NDArray[np.bool_]]:
    """The colours of a table of 256 for whole numbers; transparent ones are none."""
    table = np.zeros((256, 4), np.uint8)
    for value, color in colors.items():
        if 0 <= value < 256:
            table[value] = color
    found = table[np.asarray(np.ma.filled(values, 0)).astype(np.uint8)]
    return np.moveaxis(found[..., :3], 2, 0), valid & (found[..., 3] > 0)


def _encoded(colors: Bytes, valid: NDArray[np.bool_], drawing: Drawing) -> bytes:
    alpha = np.where(valid, 255, 0).astype(np.uint8)[np.newaxis]
    if drawing.encoding:
        # Heights of 0 m where there are none: readers do not look at transparency.
        empty = ENCODINGS[drawing.encoding](np.ma.zeros((1, 1)))
        colors, alpha = np.where(valid, colors, empty).astype(np.uint8), alpha[:0]
    elif drawing.extension == "jpg":
        colors, alpha = np.where(valid, colors, 255).astype(np.uint8), alpha[:0]
    elif valid.all():
        alpha = alpha[:0]
    planes = np.moveaxis(np.concatenate([colors, alpha]), 0, 2)
    image = Image.fromarray(np.ascontiguousarray(planes.squeeze()))
    options: dict[str, Any] = {
        "png": {"compress_level": 6},
        "webp": {"lossless": drawing.encoding is not None, "quality": 80, "method": 2},
        "jpg": {"quality": 85},
    }[drawing.extension]
    name = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}[drawing.extension]
    with io.BytesIO() as file:
        image.save(file, name, **options)
        return file.getvalue()
