"""What requests may say of rasters."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from geoservice.raster_service import RasterService
from layers.errors import InvalidParameter
from tiles.raster.expression import Expression, parse_expression
from tiles.raster.rendering import Drawing

_LIST = re.compile(r"[1-9]\d{0,2}(,[1-9]\d{0,2})*", re.ASCII)
_NUMBER = r"-?\d{1,15}(?:\.\d{1,12})?(?:[eE][-+]?\d{1,2})?"
_SPANS = re.compile(rf"{_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER}){{0,2}}", re.ASCII)


def parse_bands(text: str | None) -> tuple[int, ...] | None:
    """Numbers of bands, such as ``4,3,2``.

    Raises:
        InvalidParameter: not of that form.
    """
    if text is None:
        return None
    if not _LIST.fullmatch(text):
        raise InvalidParameter("bands", text, "needs numbers of bands from 1: 4,3,2")
    return tuple(map(int, text.split(",")))


def parse_rescale(text: str | None) -> tuple[tuple[float, float], ...] | None:
    """Values that become black and white, such as ``0,3000``, or one pair for each of three bands.

    Raises:
        InvalidParameter: not of that form, or a pair does not rise.
    """
    if text is None:
        return None
    if not _SPANS.fullmatch(text):
        raise InvalidParameter("rescale", text, "needs least,greatest such as 0,3000; three with ;")
    pairs = [part.split(",") for part in text.split(";")]
    spans = tuple((float(low), float(high)) for low, high in pairs)
    if any(low >= high for low, high in spans):
        raise InvalidParameter("rescale", text, "needs the lesser value first")
    if len(spans) == 2:
        raise InvalidParameter("rescale", text, "needs one pair, or three")
    return spans


async def get_drawing(
    bands: Annotated[
        str | None, Query(max_length=40, description="One band, or three: 4,3,2")
    ] = None,
    expression: Annotated[
        str | None, Query(max_length=400, description="Arithmetic over bands: (b2-b1)/(b2+b1)")
    ] = None,
    rescale: Annotated[
        str | None, Query(max_length=200, description="Values of black and white: 0,3000")
    ] = None,
    colormap: Annotated[
        str | None, Query(max_length=40, description="Colours for one band: viridis")
    ] = None,
    encoding: Annotated[
        str | None, Query(max_length=40, description="Heights as terrain-rgb or terrarium")
    ] = None,
    algorithm: Annotated[
        str | None, Query(max_length=40, description="Heights as hillshade")
    ] = None,
    size: Annotated[Literal["256", "512"], Query(description="Pixels across a tile")] = "256",
) -> Drawing:
    """How the caller wants pixels drawn, as png."""
    parsed: Expression | None = parse_expression(expression) if expression is not None else None
    spans = parse_rescale(rescale)
    numbers = parse_bands(bands)
    if spans is not None and len(spans) == 3 and (numbers is None or len(numbers) != 3):
        raise InvalidParameter("rescale", rescale, "has three pairs, but bands does not name three")
    return Drawing(
        size=int(size),
        bands=numbers,
        expression=parsed,
        rescale=spans,
        colormap=colormap,
        encoding=encoding,
        algorithm=algorithm,
    )


async def get_rasters(request: Request) -> RasterService:
    """The rasters of this worker."""
    service: RasterService = request.app.state.rasters
    return service


RequestedDrawing = Annotated[Drawing, Depends(get_drawing)]
Rasters = Annotated[RasterService, Depends(get_rasters)]
