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


def read_pixels(png: bytes) -> Pixels:
    """The pixels of a picture as an array (height, width, 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(io.BytesIO(png)) as image:
            return np.moveaxis(image.read([1, 2, 3]), 0, -1)


def save_small(png: bytes, path: Path) -> None:
    """Write a picture with a palette of colours that stand for all of its own."""
    pixels = read_pixels(png)
    height, width, _ = pixels.shape
    colors, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    palette, nearest = _palette(colors.astype(np.int64), np.bincount(index.ravel()))
    profile = {"driver": "PNG", "width": width, "height": height, "count": 1, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile, zlevel=9) as image:
            image.write(nearest[index].reshape(1, height, width))
            image.write_colormap(1, {n: tuple(color) for n, color in enumerate(palette.tolist())})
    path.with_suffix(".png.aux.xml").unlink(missing_ok=True)


def _palette(
    colors: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Pixels]:
    """Colours picked one by one where many pixels are far from all picked before.

    Returns: The palette, and for each colour the number of its nearest in it.
    """
    chosen: list[int] = []
    distance = np.full(len(colors), np.inf)
    nearest = np.zeros(len(colors), np.uint8)
    while len(chosen) < min(_COLORS, len(colors)):
        worst = int(counts.argmax() if not chosen else (distance * np.sqrt(counts)).argmax())
        away = ((colors - colors[worst]) ** 2).sum(axis=1)
        nearest[away < distance] = len(chosen)
        distance = np.minimum(distance, away)
        chosen.append(worst)
    return colors[chosen], nearest
