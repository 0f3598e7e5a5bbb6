"""Map styles, their sprites and the legends of layers over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from geoservice.api.answers import JSON, base_url, cache_control, json_response, tagged_response
from geoservice.api.parameters import (
    CallerAccess,
    PathNumber,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
    time_parameters,
)
from layers.base import Title
from layers.errors import InvalidParameter, NotFoundError
from layers.extent import BBox
from layers.rasters import RasterKind, current_rasters
from layers.registry import get_layer, layers_at
from tiles.generalised import read_base_zooms
from tiles.glyphs import LAST, RANGE, glyph_range
from tiles.glyphs import MEDIA_TYPE as GLYPHS
from tiles.legend_pictures import Language, LegendOptions, legend_png, legend_svg
from tiles.looks import LOOKS, Look
from tiles.sprites import Sprite, make_sprite
from tiles.style import CITY_STYLES, CityOnMap, StyleRequest, map_style

router = APIRouter(tags=["Styles"])

PNG = "image/png"
SVG = "image/svg+xml"
_TWICE = "@2x"
_MOST_STACK_CHARS = 200

WithGlyphs = Annotated[bool, Query(description="whether the style names a source of glyphs")]
LookName = Annotated[str, Query(alias="look", description="day, night or print")]
LanguageName = Annotated[str, Query(alias="lang", description="zh, en or both")]
_LANGUAGES: tuple[Language, ...] = ("zh", "en", "both")


@router.get("/styles/{name}.json", summary="A map style")
async def style(  # what a style may ask for, and what it is made from
    request: Request,
    settings: ServiceSettings,
    database: ServiceDatabase,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    name: str,
    glyphs: WithGlyphs = False,  # a query parameter
) -> Response:
    """A MapLibre style of all layers that the caller may see, with their legend.

    ``city`` is for the day, ``city-night`` and ``city-print`` are what they say. With ``datetime``
    or ``as_recorded`` its sources show the city as it was, or as it was believed to be.
    MapLibre GL JS writes names in fonts of the reader; ``glyphs`` is for clients that cannot.
    """
    city = settings.city
    on_map = CityOnMap(
        name=Title(city.name_en, city.name_zh),
        extent=BBox(*city.extent),
        time_zone=city.time_zone,
        view=city.view,
        attribution=city.attribution,
    )
    base = base_url(request)
    time = time_parameters(at, as_recorded)
    asked = urlencode({"encoding": "terrain-rgb", **time}, safe=":")
    async with database.read(access) as connection:
        terrain = await connection.run_sync(_terrain, at or datetime.now(UTC))
    async with database.readers(access).connection() as reader:
        base_zooms = await read_base_zooms(reader)
    wanted = StyleRequest(
        name=name,
        look=_look_of(name),
        base_url=base,
        time=time,
        names_glyphs=glyphs,
        terrain=terrain and f"{base}/rasters/{quote(terrain)}/tiles.json?{asked}",
        base_zooms=base_zooms,
    )
    return json_response(
        map_style(layers_at(access.level), access.level, wanted=wanted, city=on_map),
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


def _terrain(connection: Connection, at: datetime) -> str | None:
    """The name of the finest terrain that the level sees at an instant; None if there is none."""
    terrains = [one for one in current_rasters(connection, at) if one.kind == RasterKind.TERRAIN]
    finest = min(terrains, key=lambda one: (one.resolution_m, one.name), default=None)
    return None if finest is None else str(finest.name)


def _look_of(style_name: str) -> Look:
    look = CITY_STYLES.get(style_name)
    if look is None:
        message = f"there is no style {style_name!r}, only {', '.join(CITY_STYLES)}"
        raise NotFoundError(message)
    return look


@router.get("/sprites/{name}.json", summary="The index of a style's sprite")
async def sprite_index(request: Request, access: CallerAccess, name: str) -> Response:
    """Where in its picture each symbol and pattern of a style lies; ``@2x`` for fine screens."""
    sprite = await _sprite(access, name)
    answer = json_response(sprite.index)
    return tagged_response(request, access, bytes(answer.body), JSON)


@router.get("/sprites/{name}.png", summary="The picture of a style's sprite")
async def sprite_picture(request: Request, access: CallerAccess, name: str) -> Response:
    """All symbols and patterns of a style in one picture; ``@2x`` for fine screens."""
    sprite = await _sprite(access, name)
    return tagged_response(request, access, sprite.png, PNG)


async def _sprite(access: CallerAccess, name: str) -> Sprite:
    look = _look_of(name.removesuffix(_TWICE))
    ratio = 2 if name.endswith(_TWICE) else 1
    return await asyncio.to_thread(make_sprite, layers_at(access.level), look, ratio)


@router.get("/legends/{layer}.svg", summary="The legend of a layer as SVG")
async def legend_as_svg(
    request: Request,
    access: CallerAccess,
    layer: str,
    look: LookName = "day",
    lang: LanguageName = "both",
) -> Response:
    """Titles and colours of a layer as a look draws them; texts are in fonts of the reader."""
    options = LegendOptions(access.level, *_drawn_as(look, lang))
    content = legend_svg(get_layer(layer, access.level), options)
    return tagged_response(request, access, content, SVG)


@router.get("/legends/{layer}.png", summary="The legend of a layer as PNG")
async def legend_as_png(
    request: Request,
    access: CallerAccess,
    layer: str,
    look: LookName = "day",
    lang: LanguageName = "both",
) -> Response:
    """The same as pixels, two for each unit of the SVG; needs a Chinese font on the machine."""
    options = LegendOptions(access.level, *_drawn_as(look, lang))
    shown = get_layer(layer, access.level)
    content = await asyncio.to_thread(legend_png, shown, options)
    return tagged_response(request, access, content, PNG)


def _drawn_as(look: str, lang: str) -> tuple[Look, Language]:
    if look not in LOOKS:
        raise InvalidParameter("look", look, f"is none of {', '.join(LOOKS)}")
    language = next((one for one in _LANGUAGES if one == lang), None)
    if language is None:
        raise InvalidParameter("lang", lang, f"is none of {', '.join(_LANGUAGES)}")
    return LOOKS[look], language


@router.get("/fonts/{stack}/{first}-{last}.pbf", summary="Glyphs of a range of characters")
async def glyphs_of_range(
    request: Request, access: CallerAccess, stack: str, first: PathNumber, last: PathNumber
) -> Response:
    """256 glyphs as MapLibre takes them, in the Chinese font of the machine for any stack."""
    if first % RANGE or last != first + RANGE - 1 or last > LAST or len(stack) > _MOST_STACK_CHARS:
        message = f"there is no range {first}-{last} of glyphs; the first one is 0-{RANGE - 1}"
        raise NotFoundError(message)
    content = await asyncio.to_thread(glyph_range, stack, first)
    return tagged_response(request, access, content, GLYPHS)
