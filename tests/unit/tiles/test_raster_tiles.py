"""Pictures of rasters: pixel values beside rasterio's, heights, seams, masks, odd placements."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio import Affine
from rasterio.warp import Resampling, reproject, transform_bounds

from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.rasters import RasterKind
from tests.raster_sources import hills, make_source, tile_over
from tiles.grids import CGCS2000
from tiles.matrix import TileAddress
from tiles.raster.expression import parse_expression
from tiles.raster.reading import read_tile
from tiles.raster.rendering import Drawing, check_drawing, render_tile
from tiles.raster.source import RasterSource, environment


@pytest.fixture(scope="module")
def terrain(tmp_path_factory: pytest.TempPathFactory) -> RasterSource:
    """Hills of 6 km in Shenzhen, EPSG:4547, with a hole of NaN."""
    heights = hills()
    heights[0, 500:520, 500:520] = np.nan
    return make_source(tmp_path_factory.mktemp("terrain"), heights, nodata=np.nan)


def picture(source: RasterSource, address: TileAddress, **drawing: Any) -> np.ndarray[Any, Any]:
    """The decoded picture of a tile, shape (rows, columns, planes)."""
    content = render_tile([source], address, Drawing(**drawing), most=4).content
    image = np.asarray(Image.open(io.BytesIO(content)))
    return image if image.ndim == 3 else image[:, :, np.newaxis]


def expected(source: RasterSource, address: TileAddress, size: int = 256) -> np.ndarray[Any, Any]:
    """The first band in the grid of a tile, as rasterio makes it from the full resolution."""
    west, south, east, north = address.box
    made = np.full((size, size), np.nan, np.float64)
    with rasterio.open(source.path) as dataset:
        reproject(
            rasterio.band(dataset, 1),
            made,
            dst_transform=rasterio.transform.from_bounds(west, south, east, north, size, size),
            dst_crs=f"EPSG:{address.grid.srid}",
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    return made


def decoded(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Heights of terrain-RGB."""
    red, green, blue = (image[:, :, plane].astype(np.float64) for plane in range(3))
    return -10_000 + (red * 65_536 + green * 256 + blue) * 0.1


@pytest.mark.parametrize("z", [13, 15])
def test_values_are_those_of_rasterio(terrain: RasterSource, z: int) -> None:
    address = tile_over(terrain, z)
    with environment():
        found = read_tile(terrain, address, [1], size=256)[0]

    wanted = expected(terrain, address)
    both = ~np.isnan(wanted) & ~np.ma.getmaskarray(found)
    assert both.mean() > 0.7
    assert np.abs(wanted - found.data)[both].max() < (0.1 if z == 15 else 3)


def test_terrain_rgb_decodes_to_the_height_within_a_tenth_of_a_metre(terrain: RasterSource) -> None:
    address = tile_over(terrain, 15)
    heights = decoded(picture(terrain, address, encoding="terrain-rgb"))

    wanted = expected(terrain, address)
    assert np.nanmax(np.abs(wanted - heights)) <= 0.1


def test_terrarium_decodes_to_the_same_heights(terrain: RasterSource) -> None:
    address = tile_over(terrain, 14)
    image = picture(terrain, address, encoding="terrarium", extension="webp").astype(np.float64)

    heights = image[:, :, 0] * 256 + image[:, :, 1] + image[:, :, 2] / 256 - 32_768
    rgb = decoded(picture(terrain, address, encoding="terrain-rgb"))
    assert np.abs(heights - rgb).max() <= 0.1


def test_heights_that_are_not_known_are_0_and_in_pictures_transparent(
    terrain: RasterSource,
) -> None:
    address = tile_over(terrain, 12)
    heights = decoded(picture(terrain, address, encoding="terrain-rgb"))
    grey = picture(terrain, address)

    outside = heights[0, 0], grey[0, 0, 1]
    assert outside == (0, 0)
    assert 255 == grey[:, :, 1].max()


@pytest.mark.parametrize("encoding", ["terrain-rgb", None])
def test_tiles_of_one_zoom_meet_without_a_seam(terrain: RasterSource, encoding: str | None) -> None:
    """Two tiles of 256 pixels beside each other are one of 512 of the zoom above."""
    parent = tile_over(terrain, 13)
    children = [
        TileAddress.within_matrix(14, 2 * parent.x + right, 2 * parent.y + down)
        for down in (0, 1)
        for right in (0, 1)
    ]
    said: dict[str, Any] = {"encoding": encoding, "algorithm": None if encoding else "hillshade"}
    whole = picture(terrain, parent, size=512, **said)[:, :, 0].astype(int)
    parts = [picture(terrain, child, **said)[:, :, 0].astype(int) for child in children]

    joined = np.block([parts[:2], parts[2:]])
    assert np.abs(whole - joined).max() <= (0 if encoding else 1)


def test_slopes_to_the_north_west_are_light_and_flat_ground_is_even(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(300), np.arange(300))
    rising = (x + y)[np.newaxis].astype(np.float32) * 4
    source = make_source(tmp_path, rising)
    light = picture(source, tile_over(source, 15), algorithm="hillshade")

    assert 225 < light[128, 128, 0] <= 255


def test_a_rotated_raster_lies_where_its_transform_says(tmp_path: Path) -> None:
    turned = Affine.translation(505_000, 2_495_000) @ Affine.rotation(30) @ Affine.scale(10, -10)
    source = make_source(tmp_path, hills(), transform=turned)
    address = tile_over(source, 14)
    heights = decoded(picture(source, address, encoding="terrain-rgb"))

    wanted = expected(source, address)
    assert np.nanmax(np.abs(wanted - heights)) < 3
    assert np.isnan(expected(source, tile_over(source, 12))).any()


def test_a_raster_across_the_antimeridian_is_on_both_sides(tmp_path: Path) -> None:
    heights = np.repeat(np.arange(400, dtype=np.float32)[np.newaxis], 400, axis=0)[np.newaxis]
    place = Affine(0.005, 0, 179, 0, -0.005, 1)
    source = make_source(tmp_path, heights, crs="EPSG:4326", transform=place, resolution_m=556.6)
    last = 2**9 - 1
    west = decoded(picture(source, TileAddress(9, last, 255), encoding="terrain-rgb"))
    east = decoded(picture(source, TileAddress(9, 0, 255), encoding="terrain-rgb"))

    assert (199, 200) == (round(west[128, 255]), round(east[128, 0]))
    assert b"" == render_tile([source], TileAddress(9, 100, 255), Drawing(), most=1).content


def test_a_tile_of_the_national_grid_is_cut_in_degrees(terrain: RasterSource) -> None:
    south, north = terrain.bounds.south, terrain.bounds.north
    size = 360 / 2**14
    x = int(((terrain.bounds.west + terrain.bounds.east) / 2 + 180) / size)
    y = int((90 - (south + north) / 2) / size)
    address = TileAddress.within_matrix(14, x, y, CGCS2000)
    heights = decoded(picture(terrain, address, encoding="terrain-rgb"))

    assert np.nanmax(np.abs(expected(terrain, address) - heights)) < 2


def test_sixteen_bits_are_stretched_between_what_the_catalogue_says(tmp_path: Path) -> None:
    ramp = np.linspace(1000, 5000, 300).astype(np.uint16)
    pixels = np.repeat(ramp[np.newaxis], 300, axis=0)[np.newaxis]
    source = make_source(tmp_path, pixels, kind=RasterKind.IMAGERY)
    address = tile_over(source, 14)
    by_default = picture(source, address)[:, :, 0].astype(int)
    said = picture(source, address, rescale=((1000.0, 5000.0),))[:, :, 0].astype(int)
    narrow = picture(source, address, rescale=((4000.0, 5000.0),))[:, :, 0]

    assert np.abs(by_default - said).max() <= 1
    assert narrow.min() == 0
    assert narrow.max() > 250


def test_an_expression_is_arithmetic_and_division_by_zero_is_no_value(tmp_path: Path) -> None:
    pixels = np.stack([np.full((200, 200), value, np.uint8) for value in (10, 30)])
    pixels[:, 90:110, 90:110] = 0
    source = make_source(tmp_path, pixels, kind=RasterKind.OTHER)
    expression = parse_expression("(b2 - b1) / (b2 + b1)")
    image = picture(source, tile_over(source, 15), expression=expression, rescale=((0.0, 1.0),))

    assert {(128, 255), (0, 0)} == {tuple(p) for p in image.reshape(-1, 2).tolist()}


def test_a_mask_of_the_file_becomes_transparency(shared_data: Path) -> None:
    path = shared_data / "05_rasters" / "cog_rgb_mask.tif"
    with rasterio.open(path) as dataset:
        bounds = BBox(*transform_bounds(dataset.crs, "EPSG:4490", *dataset.bounds))
    bands = [{"color": color, "min": 0, "max": 255} for color in ("red", "green", "blue")]
    source = RasterSource(
        "mask", path, "0" * 64, RasterKind.IMAGERY, bounds, bands, "uint8", None, 0.15
    )
    image = picture(source, tile_over(source, 19))

    assert image.shape[2] == 4
    assert {0, 255} == set(np.unique(image[:, :, 3]).tolist())


def test_the_first_raster_lies_on_top_and_the_next_fills_its_gaps(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    upper = np.full((1, 300, 300), 200, np.uint8)
    upper[0, :, 150:] = 0
    top = make_source(folders[0], upper, kind=RasterKind.IMAGERY, nodata=0)
    below = make_source(folders[1], np.full((1, 300, 300), 90, np.uint8), kind=RasterKind.IMAGERY)
    address = tile_over(top, 15)
    both = render_tile([top, below], address, Drawing(), most=2)
    one = render_tile([top, below], address, Drawing(), most=1)

    values = set(np.unique(np.asarray(Image.open(io.BytesIO(both.content)))).tolist())
    assert {90, 200} <= values
    assert (0, 1) == (both.left_out, one.left_out)


@pytest.mark.parametrize(
    "text",
    [
        "", "b", "1", "b1 +", "(b1", "b1)", "b1 ** 2", "b1; b2", "__import__('os')", "b1.real",
        "exp(b1)", "b1[0]", "b0", "b1 b2", "1e999*b1", "b1//b2", "１+b1",
        "(" * 40 + "b1" + ")" * 40,
        "-" * 100 + "b1", "b1+" * 100 + "b1",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_over_bands_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_expression(text)


@pytest.mark.parametrize(
    "drawing",
    [
        {"bands": (2,)}, {"bands": (1, 1)}, {"colormap": "nowhere"}, {"encoding": "rgb"},
        {"encoding": "terrarium", "extension": "jpg"}, {"algorithm": "exec"},
        {"encoding": "terrarium", "colormap": "viridis"}, {"expression": parse_expression("b7")},
    ],
)  # fmt: skip
def test_drawings_that_cannot_be_are_refused(
    terrain: RasterSource, drawing: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameter):
        check_drawing(Drawing(**drawing), [terrain])
