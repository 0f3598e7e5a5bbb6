"""Rasters are read by their extension alone, placed or refused, and converted pixel by pixel."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio import Affine
from rasterio.control import GroundControlPoint
from rio_cogeo.cogeo import cog_validate

from layers.city import CityFrame
from layers.errors import SourceError, UnknownCRS, UnreadableSource, UnsafeArchive
from layers.extent import BBox
from layers.own_systems import parse_own_systems
from layers.rasters import RasterKind
from loaders.options import ReadLimits
from loaders.rasters.mosaic import assemble
from loaders.rasters.place import Placement, complete, place
from loaders.rasters.process import convert, inspect
from loaders.rasters.sources import prepare_raster
from tests.raster_files import SHENZHEN_4547, north_up, terrain, write_asc, write_hgt, write_tif

# Files without a place are written here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

SHENZHEN = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
WORLD = replace(SHENZHEN, extent=BBox(-180, -90, 180, 90))
LIMITS = ReadLimits()
CGCS2000_ESRI = (
    'GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]]'
)


@dataclass(frozen=True)
class Converted:
    """What was found of a raster."""

    bands: list[dict[str, object]]
    nodata: float | None


def placed(
    file: Path, folder: Path, *, crs: str | None = None, city: CityFrame = SHENZHEN
) -> Placement:
    """Where a file lies."""
    source = prepare_raster(file, LIMITS, folder)
    return place(complete(inspect(source, LIMITS), source, crs), source, city)


def converted(
    file: Path,
    folder: Path,
    *,
    crs: str | None = None,
    city: CityFrame = SHENZHEN,
    kind: RasterKind = RasterKind.TERRAIN,
    limits: ReadLimits = LIMITS,
) -> tuple[Path, Converted]:
    """The COG of a file, and what was found on the way."""
    return assembled([file], folder, crs=crs, city=city, kind=kind, limits=limits)


def assembled(
    files: list[Path],
    folder: Path,
    *,
    crs: str | None = None,
    city: CityFrame = SHENZHEN,
    kind: RasterKind = RasterKind.TERRAIN,
    limits: ReadLimits = LIMITS,
) -> tuple[Path, Converted]:
    """The same of several files."""
    sources = [prepare_raster(file, limits, folder) for file in files]
    headers = [complete(inspect(source, limits), source, crs) for source in sources]
    parts, whole = assemble(sources, headers, limits)
    header = place(whole, sources[0], city).header
    work = folder / "work"
    work.mkdir()
    output = work / "output.tif"
    return output, Converted(convert(parts, limits, header, kind, output), header.nodata)


def pixels_of(path: Path) -> np.ndarray[Any, Any]:
    """All bands."""
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read())


DTYPES = ["uint8", "int8", "uint16", "int16", "int64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_cog_has_every_pixel_and_the_place_of_its_source(tmp_path: Path, dtype: str) -> None:
    random = np.random.default_rng(3)
    pixels = (random.random((2, 700, 530)) * 120).astype(dtype)
    file = write_tif(tmp_path / "a.tif", pixels, nodata=7)

    output, found = converted(file, tmp_path)

    with rasterio.open(file) as source, rasterio.open(output) as made:
        assert source.crs == made.crs
        assert source.transform == made.transform
        assert (7, dtype) == (made.nodata, made.dtypes[0])
        assert source.overviews(1) != made.overviews(1)
    assert np.array_equal(pixels, pixels_of(output))
    assert cog_validate(output, quiet=True)[0]
    least = float(pixels[0][pixels[0] != 7].min())
    assert (least, 7.0) == (found.bands[0]["min"], found.nodata)


def test_what_is_no_number_stays_as_it_is(tmp_path: Path) -> None:
    pixels = terrain(40)
    pixels[0, 3, 4:7] = [np.nan, np.inf, -np.inf]
    file = write_tif(tmp_path / "a.tif", pixels, nodata=np.nan)

    output, found = converted(file, tmp_path)

    assert np.array_equal(pixels, pixels_of(output), equal_nan=True)
    assert found.nodata is not None
    assert np.isnan(found.nodata)
    assert np.isfinite(found.bands[0]["max"])  # type: ignore[call-overload]  # a number


def test_a_mask_a_palette_and_the_words_of_bands_are_kept(tmp_path: Path) -> None:
    pixels = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    file = tmp_path / "a.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_tif(file, pixels, photometric="palette")
        with rasterio.open(file, "r+") as source:
            source.write_colormap(1, {n: (n, 2, 3, 255) for n in range(256)})
            source.write_mask(pixels[0] > 50)
            source.set_band_description(1, "土地利用")
            source.set_band_unit(1, "class")

    output, _ = converted(file, tmp_path, kind=RasterKind.OTHER)

    with rasterio.open(output) as made:
        assert np.array_equal(pixels[0] > 50, made.read_masks(1) != 0)
        assert (9, 2, 3, 255) == made.colormap(1)[9]
        assert ("土地利用", "class") == (made.descriptions[0], made.units[0])


def test_an_hgt_tile_is_placed_by_its_name_alone(tmp_path: Path) -> None:
    heights = np.arange(1201 * 1201, dtype=np.int64).reshape(1201, 1201) % 3000
    heights[5, 7] = -32768
    file = write_hgt(tmp_path / "n22e114.SRTMGL3.hgt", heights)

    placement = placed(file, tmp_path)
    output, found = converted(file, tmp_path)

    assert pytest.approx([114, 22, 115, 23], abs=1e-3) == placement.bounds.as_list()
    assert -32768 == found.nodata
    assert np.array_equal(heights, pixels_of(output)[0])
    assert pytest.approx(92.3, abs=1) == placement.resolution_m


def test_a_zip_of_one_raster_is_that_raster(tmp_path: Path) -> None:
    file = write_hgt(tmp_path / "N22E114.hgt", np.zeros((1201, 1201), np.int64))
    archive = tmp_path / "N22E114.hgt.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.write(file, "some/folder/N22E114.hgt")

    assert placed(archive, tmp_path).bounds == placed(file, tmp_path).bounds


def test_an_hgt_tile_of_another_name_is_refused(tmp_path: Path) -> None:
    file = write_hgt(tmp_path / "shenzhen.hgt", np.zeros((1201, 1201), np.int64))

    with pytest.raises(UnreadableSource, match=r"such as N22E114\.hgt"):
        placed(file, tmp_path)


def test_an_ascii_grid_takes_its_system_from_the_prj_beside_it(tmp_path: Path) -> None:
    file = write_asc(tmp_path / "dem.asc", ["1.5 2 -9999", "4 5.25 6"])
    (tmp_path / "dem.prj").write_text(CRS.from_epsg(4547).to_wkt("WKT1_ESRI"))

    output, found = converted(file, tmp_path)

    assert [[[1.5, 2, -9999], [4, 5.25, 6]]] == pixels_of(output).tolist()
    assert (-9999, 1.5, 6) == (found.nodata, found.bands[0]["min"], found.bands[0]["max"])
    placement = placed(file, tmp_path)
    assert "EPSG:4547" == placement.crs
    assert pytest.approx(30, abs=0.01) == placement.resolution_m


def test_a_world_file_places_what_has_no_place_of_its_own(tmp_path: Path) -> None:
    easting, northing = SHENZHEN_4547
    file = write_tif(tmp_path / "photo.tif", terrain(20), crs=None, transform=None)
    (tmp_path / "photo.TFW").write_text(f"10\n0\n0\n-10\n{easting + 5}\n{northing - 5}\n")
    (tmp_path / "photo.tif.aux.xml").write_text("<PAMDataset/>")

    output, _ = converted(file, tmp_path, crs="EPSG:4547")

    with rasterio.open(output) as made:
        assert north_up(easting, northing, 10) == made.transform
    notes = prepare_raster(file, LIMITS, tmp_path).notes
    assert ("photo.tif.aux.xml beside it is not used",) == notes


def test_what_lies_beside_a_raster_is_part_of_its_hash(tmp_path: Path) -> None:
    file = write_asc(tmp_path / "dem.asc", ["1 2"])
    alone = prepare_raster(file, LIMITS, tmp_path).sha256
    (tmp_path / "dem.prj").write_text(CGCS2000_ESRI)

    assert alone != prepare_raster(file, LIMITS, tmp_path).sha256


def test_a_raster_without_a_system_is_refused_with_candidates(tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(20), crs=None)

    with pytest.raises(UnknownCRS) as refusal:
        placed(file, tmp_path)

    assert any(one.startswith("EPSG:4547") for one in refusal.value.candidates)
    assert "--crs" in str(refusal.value)
    assert "EPSG:4547" == placed(file, tmp_path, crs="4547").crs


@pytest.mark.parametrize("crs", ["EPSG:2383", "EPSG:2435", "EPSG:4610"])
def test_a_datum_without_known_parameters_is_refused(tmp_path: Path, crs: str) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(20), crs=None)

    with pytest.raises(UnknownCRS, match="belong to your survey office"):
        placed(file, tmp_path, crs=crs)


@pytest.mark.parametrize("crs", ["EPSG:2435", "local"])
def test_a_system_that_only_this_installation_knows_is_not_for_rasters(
    tmp_path: Path, crs: str
) -> None:
    document = {
        "datums": {"EPSG:4214": {"x_m": 12, "y_m": -110, "z_m": -80, "accuracy_m": 1}},
        "systems": {
            "local": {"projection": "+proj=tmerc +lon_0=114 +ellps=GRS80", "accuracy_m": 1}
        },
    }
    own = parse_own_systems(document, tmp_path)
    file = write_tif(tmp_path / "a.tif", terrain(20), crs=None)

    with pytest.raises(UnknownCRS, match="known to this installation only"):
        placed(file, tmp_path, crs=crs, city=replace(WORLD, own_systems=own))


@pytest.mark.parametrize("crs", ["gcj02", "BD-09", "EPSG:4547/yx"])
def test_a_raster_is_not_shifted_pixel_by_pixel(tmp_path: Path, crs: str) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(20))

    with pytest.raises(UnknownCRS, match="each pixel by itself"):
        placed(file, tmp_path, crs=crs)


def test_a_raster_of_another_city_is_refused(tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(20), crs="EPSG:32618")

    with pytest.raises(UnknownCRS, match="no part of it lies in Shenzhen") as refusal:
        placed(file, tmp_path)

    assert any(one.startswith("EPSG:4547") for one in refusal.value.candidates)


def test_a_raster_placed_by_control_points_only_is_refused(tmp_path: Path) -> None:
    points = [GroundControlPoint(0, 0, 114, 22.6), GroundControlPoint(19, 19, 114.1, 22.5)]
    points.append(GroundControlPoint(0, 19, 114.1, 22.6))
    file = tmp_path / "a.tif"
    write_tif(file, terrain(20), crs=None, transform=None)
    with rasterio.open(file, "r+") as source:
        source.gcps = (points, rasterio.crs.CRS.from_epsg(4326))

    with pytest.raises(UnreadableSource, match="3 control points only; rectify it first"):
        placed(file, tmp_path)


def test_bounds_cross_the_antimeridian_where_the_raster_does(tmp_path: Path) -> None:
    transform = north_up(179.5, -16, 0.01)
    file = write_tif(tmp_path / "fiji.tif", terrain(100), crs="EPSG:4326", transform=transform)

    bounds = placed(file, tmp_path, city=WORLD).bounds

    assert pytest.approx([179.5, -17, -179.5, -16]) == bounds.as_list()


def test_a_raster_of_the_whole_earth_does_not_cross_it(tmp_path: Path) -> None:
    transform = Affine(3.6, 0, -180, 0, -1.8, 90)
    file = write_tif(tmp_path / "earth.tif", terrain(100), crs="EPSG:4326", transform=transform)

    bounds = placed(file, tmp_path).bounds

    assert pytest.approx([-180, -90, 180, 90]) == bounds.as_list()


def test_tiles_of_a_terrain_model_become_one_raster(tmp_path: Path) -> None:
    west = np.full((1201, 1201), 7)
    west[0, 0] = -32768
    east = np.arange(1201 * 1201, dtype=np.int64).reshape(1201, 1201) % 3000
    files = [
        write_hgt(tmp_path / "N22E114.hgt", east),
        write_hgt(tmp_path / "N22E113.hgt", west),
    ]

    output, found = assembled(files, tmp_path)

    pixels = pixels_of(output)[0]
    assert (1201, 2401) == pixels.shape
    assert np.array_equal(west, pixels[:, :1201])
    assert np.array_equal(east[:, 1:], pixels[:, 1201:])
    assert (0, 2999) == (found.bands[0]["min"], found.bands[0]["max"])
    with rasterio.open(output) as made:
        assert pytest.approx([113, 22, 115, 23], abs=1e-3) == list(made.bounds)
    assert cog_validate(output, quiet=True)[0]


def test_what_stands_for_none_never_covers_a_value_and_fills_gaps(tmp_path: Path) -> None:
    easting, northing = SHENZHEN_4547
    one = terrain(20, 1)
    two = terrain(20, 2)
    two[0, :, :5] = -1
    files = [
        write_tif(tmp_path / "a.tif", one, nodata=-1),
        write_tif(
            tmp_path / "b.tif",
            two,
            nodata=-1,
            transform=north_up(easting + 150, northing - 300, 10),
        ),
        write_tif(
            tmp_path / "c.tif",
            two,
            nodata=-1,
            transform=north_up(easting + 150, northing, 10),
        ),
    ]

    output, _ = assembled(files, tmp_path)

    pixels = pixels_of(output)[0]
    assert (50, 35) == pixels.shape
    assert np.array_equal(one[0], pixels[:20, :20])
    assert np.array_equal(two[0, :, 5:], pixels[:20, 20:])
    assert np.array_equal(two[0], pixels[30:, 15:])
    assert (pixels[20:30] == -1).all()


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"nodata": -2}, "another format or value for none"),
    ({"crs": "EPSG:4548"}, "another crs"),
    ({"dtype": "float64"}, "another dtype"),
    ({"transform": north_up(SHENZHEN_4547[0] + 205, SHENZHEN_4547[1], 10)}, "lie in the grid"),
    ({"transform": north_up(SHENZHEN_4547[0] + 200, SHENZHEN_4547[1], 5)}, "lie in the grid"),
    ({"transform": north_up(SHENZHEN_4547[0] + 10**8, SHENZHEN_4547[1], 10)}, "more than may be"),
]


@pytest.mark.parametrize(("profile", "reason"), MISFITS, ids=[reason for _, reason in MISFITS])
def test_files_of_different_grids_are_refused(
    tmp_path: Path, profile: dict[str, Any], reason: str
) -> None:
    files = [
        write_tif(tmp_path / "a.tif", terrain(20), nodata=-1),
        write_tif(tmp_path / "b.tif", terrain(20), **{"nodata": -1} | profile),
    ]

    with pytest.raises(UnreadableSource, match=reason):
        assembled(files, tmp_path, limits=replace(LIMITS, max_unpacked_bytes=10**8))


def test_files_that_leave_gaps_need_a_value_for_none(tmp_path: Path) -> None:
    easting, northing = SHENZHEN_4547
    transform = north_up(easting + 300, northing, 10)
    files = [
        write_tif(tmp_path / "a.tif", terrain(20)),
        write_tif(tmp_path / "b.tif", terrain(20), transform=transform),
    ]

    with pytest.raises(UnreadableSource, match="leave gaps"):
        assembled(files, tmp_path)


def virtual(folder: Path) -> Path:
    """A VRT, which may name any file and any server, under the name of a GeoTIFF."""
    path = folder / "a.tif"
    path.write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    return path


def cut(folder: Path) -> Path:
    """A GeoTIFF whose second half is missing."""
    path = write_tif(folder / "a.tif", terrain(500))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def cut_grid(folder: Path) -> Path:
    """An ASCII grid that ends in the middle of its rows."""
    path = write_asc(folder / "a.asc", ["1 2 3"] * 50)
    path.write_bytes(path.read_bytes()[:200])
    (folder / "a.prj").write_text("EPSG:4547")
    return path


def huge(folder: Path) -> Path:
    """A GeoTIFF that says it has far more pixels than it may."""
    path = folder / "a.tif"
    shape = {"width": 900_000, "height": 900_000, "count": 1, "dtype": "float32"}
    with rasterio.open(
        path, "w", driver="GTiff", sparse_ok=True, bigtiff="yes", tiled=True, **shape
    ):
        pass
    return path


def complex_numbers(folder: Path) -> Path:
    """A GeoTIFF of complex numbers."""
    return write_tif(folder / "a.tif", terrain(20).astype(np.complex64))


def two_in_one(folder: Path) -> Path:
    """An archive of two rasters."""
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a.tif", b"")
        opened.writestr("b.tif", b"")
    return path


def bomb(folder: Path) -> Path:
    """An archive that unpacks to a thousand times its size."""
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("N22E114.hgt", bytes(60_000_000))
    return path


def picture(folder: Path) -> Path:
    """A format that is not read."""
    path = folder / "a.png"
    path.write_bytes(b"\x89PNG")
    return path


REFUSED: list[tuple[Callable[[Path], Path], type[SourceError], str]] = [
    (virtual, UnreadableSource, "is not what its extension says"),
    (cut, UnreadableSource, "converting stopped"),
    (cut_grid, UnreadableSource, "converting stopped"),
    (huge, UnreadableSource, "bytes of pixels, more than"),
    (complex_numbers, UnreadableSource, "no plain numbers"),
    (two_in_one, UnreadableSource, "several rasters"),
    (bomb, UnsafeArchive, "more than is allowed"),
    (picture, UnreadableSource, "is no raster"),
]


@pytest.mark.parametrize(
    ("write", "error", "reason"), REFUSED, ids=[w.__name__ for w, *_ in REFUSED]
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, write: Callable[[Path], Path], error: type[SourceError], reason: str
) -> None:
    file = write(tmp_path)

    with pytest.raises(error, match=reason) as refusal:
        converted(file, tmp_path)

    assert str(tmp_path) not in str(refusal.value)


def test_a_raster_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).random((3, 3000, 3000))
    file = write_tif(tmp_path / "a.tif", pixels)

    with pytest.raises(UnreadableSource, match="took longer than 2 s"):
        converted(file, tmp_path, limits=replace(LIMITS, timeout_s=2))


REAL = [
    ("05_rasters/RGB.byte.tif", "EPSG:32618", 0),
    ("05_rasters/cog.tif", "EPSG:32621", None),
    ("05_rasters/cog_dateline.tif", "EPSG:32660", None),
    ("05_rasters/cog_nodata.tif", "EPSG:32621", 1),
    ("05_rasters/cog_rgb_mask.tif", "EPSG:26913", None),
    ("05_rasters/elevation_model_2021_lapinlahti.tif", "EPSG:4326", None),
    ("02_utility_networks/water_ky4_elevation.tif", "EPSG:3547", -999999),
]


@pytest.mark.parametrize(("name", "crs", "nodata"), REAL)
def test_a_real_raster_is_kept_pixel_by_pixel_where_it_lies(
    tmp_path: Path, shared_data: Path, name: str, crs: str, nodata: float | None
) -> None:
    file = shared_data / name

    placement = placed(file, tmp_path, city=WORLD)
    output, found = converted(file, tmp_path, city=WORLD)

    with rasterio.open(file) as source, rasterio.open(output) as made:
        assert np.array_equal(source.read(), made.read())
        assert np.array_equal(source.dataset_mask(), made.dataset_mask())
        assert source.transform == made.transform
        box = rasterio.warp.transform_bounds(source.crs, "EPSG:4326", *source.bounds)
    assert crs == placement.crs
    assert nodata == found.nodata
    # GDAL looks at fewer positions along the edges, which are curved.
    assert pytest.approx(box, abs=1e-4) == tuple(placement.bounds.as_list())
    assert cog_validate(output, quiet=True)[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("05_rasters/corrupt.tif", "converting stopped: source.tif, band 1"),
        ("05_rasters/cog_gcps.tif", "210 control points only"),
        ("05_rasters/float_nan.tif", "--crs"),
    ],
)
def test_a_real_raster_that_cannot_be_used_is_refused(
    tmp_path: Path, shared_data: Path, name: str, reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        converted(shared_data / name, tmp_path, city=WORLD)


def test_a_real_raster_of_nothing_but_nan_for_none_keeps_it(
    tmp_path: Path, shared_data: Path
) -> None:
    file = shared_data / "05_rasters/float_nan.tif"

    output, found = converted(file, tmp_path, crs="EPSG:3857", city=WORLD)

    assert np.array_equal(pixels_of(file), pixels_of(output), equal_nan=True)
    assert found.nodata is not None
    assert np.isnan(found.nodata)
