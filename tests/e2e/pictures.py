"""Screenshots: their pixels, and a copy of 256 colours that is small enough for the repository."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning

Pixels = npt.NDArray[np.uint8]

_COLORS = 256
_CELL = 8
"""Colours that differ by less share a cell, and so an entry of the palette."""


def read_pixels(png: bytes) -> Pixels:
    """The pixels of a picture as an array (height, width, 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(io.BytesIO(png)) as image:
            return np.moveaxis(image.read([1, 2, 3]), 0, -1)


def save_small(png: bytes, path: Path) -> None:
    """Write a picture with a palette of its most frequent colours."""
    pixels = read_pixels(png)
    height, width, _ = pixels.shape
    colors, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    palette = _palette(colors, np.bincount(index.ravel()))
    nearest = np.array([_nearest(color, palette) for color in colors.astype(int)], np.uint8)
    profile = {"driver": "PNG", "width": width, "height": height, "count": 1, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile, zlevel=9) as image:
            image.write(nearest[index].reshape(1, height, width))
            image.write_colormap(1, {n: tuple(color) for n, color in enumerate(palette.tolist())})
    path.with_suffix(".png.aux.xml").unlink(missing_ok=True)


def _palette(colors: Pixels, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The commonest colour of each of the fullest cells of the colour cube."""
    cells, cell_of = np.unique(colors // _CELL, axis=0, return_inverse=True)
    weight = np.bincount(cell_of.ravel(), counts)
    by_count = np.argsort(-counts, kind="stable")
    first_of = {int(cell_of.ravel()[n]): n for n in reversed(by_count.tolist())}
    fullest = np.argsort(-weight, kind="stable")[: min(_COLORS, len(cells))]
    return colors[[first_of[int(cell)] for cell in fullest]].astype(np.int64)


def _nearest(color: npt.NDArray[np.int64], palette: npt.NDArray[np.int64]) -> int:
    return int(((palette - color) ** 2).sum(axis=1).argmin())
