"""Systems and datum parameters of an installation: used, and never shown.

All numbers are made up: real parameters are secrets.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import CRS, Transformer

from layers.city import CityFrame
from layers.crs import Operation, find_operation
from layers.crs_candidates import candidates
from layers.errors import UnknownCRS
from layers.extent import BBox
from layers.own_systems import parse_own_systems

FILE = Path("some.csv")
PLACES = np.array([[114.0579, 22.5431], [113.80, 22.45], [114.60, 22.80]])
"""Longitude and latitude in degrees, CGCS2000."""

SEVEN = {
    "x_m": 31.4159,
    "y_m": -154.1618,
    "z_m": -80.2718,
    "rx_s": 0.5,
    "ry_s": -0.25,
    "rz_s": 1.5,
    "scale_ppm": -2.5,
    "convention": "position_vector",
    "accuracy_m": 0.5,
}
THREE = {"x_m": 31.4159, "y_m": -154.1618, "z_m": -80.2718, "accuracy_m": 2}
CANARIES = ("31.4159", "154.1618", "80.2718")


def shenzhen(document: object, folder: Path = Path()) -> CityFrame:
    own = parse_own_systems(document, folder)
    return CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai", own)


def operation(crs: str, document: object, folder: Path = Path()) -> Operation:
    return find_operation(crs, shenzhen(document, folder), FILE)


def on_old_datum(towgs84: str) -> np.ndarray[Any, Any]:
    """The places in Beijing 1954 by PROJ's own classic form of the same parameters."""
    old = CRS(f"+proj=longlat +ellps=krass +towgs84={towgs84} +type=crs")
    new = CRS("+proj=longlat +ellps=GRS80 +towgs84=0,0,0 +type=crs")
    lon, lat = Transformer.from_crs(new, old, always_xy=True).transform(PLACES[:, 0], PLACES[:, 1])
    return np.column_stack([lon, lat])


def assert_within_a_millimetre(found: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(found, PLACES, atol=1e-8)


@pytest.mark.parametrize(
    ("shift", "towgs84", "kind"),
    [
        (THREE, "31.4159,-154.1618,-80.2718", "3 parameters"),
        (SEVEN, "31.4159,-154.1618,-80.2718,0.5,-0.25,1.5,-2.5", "7 parameters"),
        (
            {**SEVEN, "rx_s": -0.5, "ry_s": 0.25, "rz_s": -1.5, "convention": "coordinate_frame"},
            "31.4159,-154.1618,-80.2718,0.5,-0.25,1.5,-2.5",
            "7 parameters",
        ),
    ],
)
def test_parameters_of_the_operator_bring_an_old_datum_to_cgcs2000(
    shift: dict[str, object], towgs84: str, kind: str
) -> None:
    found = operation("EPSG:4214", {"datums": {"EPSG:4214": shift}})

    assert_within_a_millimetre(found.apply(on_old_datum(towgs84)))
    assert found.accuracy_m == shift["accuracy_m"]
    assert found.description == f"Beijing 1954 to CGCS2000 by {kind} of this installation"


@pytest.mark.parametrize("code", [2435, 2414, 21463 - 3, 21423 - 3])
def test_every_zone_of_the_datum_is_brought_with_them(code: int) -> None:
    crs = CRS.from_epsg(code)
    out = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    old = on_old_datum("31.4159,-154.1618,-80.2718")

    found = operation(f"EPSG:{code}", {"datums": {"EPSG:4214": THREE}})

    plane = np.column_stack(out.transform(old[:, 0], old[:, 1]))
    assert_within_a_millimetre(found.apply(plane))


def test_an_esri_name_of_the_datum_is_known() -> None:
    wkt = CRS.from_epsg(2435).to_wkt("WKT1_ESRI")

    found = operation(wkt, {"datums": {"EPSG:4214": THREE}})

    assert "3 parameters" in found.description


def test_parameters_of_one_datum_serve_no_other() -> None:
    with pytest.raises(UnknownCRS, match="Xian 1980"):
        operation("EPSG:2383", {"datums": {"EPSG:4214": THREE}})


def ntv2(path: Path, *, lat_s: float, lon_s: float) -> None:
    """An NTv2 grid over Shenzhen with the same shift everywhere, in arc seconds north and east."""

    def text(name: str, value: str) -> bytes:
        return name.ljust(8).encode() + value.ljust(8).encode()

    def integer(name: str, value: int) -> bytes:
        return name.ljust(8).encode() + struct.pack("<iI", value, 0)

    def real(name: str, value: float) -> bytes:
        return name.ljust(8).encode() + struct.pack("<d", value)

    south, north, west, east, step = (d * 3600 for d in (22.0, 23.5, 113.0, 115.0, 0.5))
    rows, columns = int((north - south) / step) + 1, int((east - west) / step) + 1
    head = [
        integer("NUM_OREC", 11),
        integer("NUM_SREC", 11),
        integer("NUM_FILE", 1),
        text("GS_TYPE", "SECONDS"),
        text("VERSION", "1"),
        text("SYSTEM_F", "OLD"),
        text("SYSTEM_T", "NEW"),
        real("MAJOR_F", 6378245.0),
        real("MINOR_F", 6356863.0188),
        real("MAJOR_T", 6378137.0),
        real("MINOR_T", 6356752.3141),
        text("SUB_NAME", "CITY"),
        text("PARENT", "NONE"),
        text("CREATED", "20200101"),
        text("UPDATED", "20200101"),
        real("S_LAT", south),
        real("N_LAT", north),
        real("E_LONG", -east),  # west is positive
        real("W_LONG", -west),
        real("LAT_INC", step),
        real("LONG_INC", step),
        integer("GS_COUNT", rows * columns),
    ]
    node = struct.pack("<4f", lat_s, -lon_s, 0.0, 0.0)
    path.write_bytes(b"".join(head) + node * (rows * columns) + text("END", ""))


def test_a_grid_of_the_operator_brings_an_old_datum_to_cgcs2000(tmp_path: Path) -> None:
    ntv2(tmp_path / "city.gsb", lat_s=1.8, lon_s=-3.6)
    document = {"datums": {"EPSG:4610": {"grid": "city.gsb", "accuracy_m": 0.1}}}

    found = operation("EPSG:4610", document, tmp_path)

    assert_within_a_millimetre(found.apply(PLACES - [[-0.001, 0.0005]]))
    assert found.description == "Xian 1980 to CGCS2000 by grid of this installation"


def test_a_local_grid_may_be_a_projection() -> None:
    text = "+proj=tmerc +lat_0=22 +lon_0=114.05 +k=1 +x_0=20000 +y_0=10000 +ellps=GRS80"
    document = {"systems": {"sz-local": {"projection": text, "accuracy_m": 0.05}}}
    plane = Transformer.from_crs("EPSG:4490", CRS(text + " +type=crs"), always_xy=True)

    found = operation("SZ-Local", document)

    assert_within_a_millimetre(
        found.apply(np.column_stack(plane.transform(PLACES[:, 0], PLACES[:, 1])))
    )
    assert (found.crs, found.accuracy_m) == ("sz-local", 0.05)


def test_a_local_grid_may_be_on_an_old_datum() -> None:
    text = "+proj=tmerc +lat_0=0 +lon_0=114 +k=1 +x_0=500000 +y_0=0 +ellps=krass"
    system = {"projection": text, "datum": "EPSG:4214", "accuracy_m": 1}
    document = {"datums": {"EPSG:4214": THREE}, "systems": {"sz-old": system}}
    old = on_old_datum("31.4159,-154.1618,-80.2718")
    out = Transformer.from_crs(CRS.from_epsg(4214), CRS.from_epsg(2435), always_xy=True).transform(
        old[:, 0], old[:, 1]
    )

    found = operation("sz-old", document)

    assert_within_a_millimetre(found.apply(np.column_stack(out)))
    assert found.accuracy_m == 2


def plane_places() -> np.ndarray[Any, Any]:
    """The places in EPSG:4547, metres."""
    out = Transformer.from_crs("EPSG:4490", "EPSG:4547", always_xy=True)
    return np.column_stack(out.transform(PLACES[:, 0], PLACES[:, 1]))


def test_a_local_grid_may_be_an_affine_image_of_another() -> None:
    affine = {"a": 0.8, "b": -0.6, "c": 400_000, "d": 0.6, "e": 0.8, "f": 2_400_000}
    system = {"affine": affine, "base": "EPSG:4547", "accuracy_m": 0.05}
    moved = plane_places() - [400_000, 2_400_000]
    local = moved @ np.array([[0.8, -0.6], [0.6, 0.8]])  # the inverse of a turn is its transpose

    found = operation("grid/yx", {"systems": {"grid": system}})

    assert_within_a_millimetre(found.apply(local[:, ::-1]))
    assert found.crs == "grid/yx"


def test_four_parameters_turn_scale_and_move() -> None:
    four = {"x_m": 100.0, "y_m": -50.0, "rotation_s": 3600.0, "scale_ppm": 10.0}
    system = {"helmert_2d": four, "base": "EPSG:4547", "stands_for": "EPSG:2383", "accuracy_m": 0.1}
    turn, scale = np.radians(1.0), 1 + 10e-6
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    local = ((plane_places() - [100.0, -50.0]) / scale) @ turned

    named = operation("xian", {"systems": {"xian": system}})
    stated = operation("EPSG:2383", {"systems": {"xian": system}})

    assert_within_a_millimetre(named.apply(local))
    assert_within_a_millimetre(stated.apply(local))


def test_own_systems_are_candidates_for_a_file_without_one() -> None:
    affine = {"a": 1, "b": 0, "c": 490_000, "d": 0, "e": 1, "f": 2_480_000}
    document = {
        "systems": {"grid": {"affine": affine, "base": "EPSG:4547", "accuracy_m": 1, "title": "T"}}
    }

    found = candidates(plane_places() - [490_000, 2_480_000], shenzhen(document), FILE)

    assert found == ("grid (T, of this installation)",)


def test_parameters_are_shown_nowhere() -> None:
    document = {
        "datums": {"EPSG:4214": SEVEN},
        "systems": {
            "grid": {
                "affine": {"a": 31.4159, "b": 0, "c": 154.1618, "d": 0, "e": 80.2718, "f": 0},
                "base": "+proj=tmerc +lon_0=114 +x_0=31.4159 +ellps=GRS80",
                "accuracy_m": 1,
            }
        },
    }
    city = shenzhen(document)
    datum, grid = (find_operation(name, city, FILE) for name in ("EPSG:2435", "grid"))

    shown = " ".join(map(repr, (city, city.own_systems, datum, grid)))
    shown += " ".join(
        map(repr, (*city.own_systems.shifts.values(), *city.own_systems.systems.values()))
    )

    assert not [canary for canary in CANARIES if canary in shown]


BAD: list[tuple[object, str]] = [
    ([], "datums and systems"),
    ({"datum": {}}, "datums and systems"),
    ({"datums": {"EPSG:4547": THREE}}, "geographic"),
    ({"datums": {"EPSG:4214": {**THREE, "x_m": "31.4159"}}}, "x_m: needs a number"),
    ({"datums": {"EPSG:4214": {**THREE, "x_m": float("nan")}}}, "x_m: needs a number"),
    ({"datums": {"EPSG:4214": {**SEVEN, "convention": "31.4159"}}}, "convention"),
    ({"datums": {"EPSG:4214": {**THREE, "accuracy_m": 31.4159}}}, "accuracy_m"),
    ({"datums": {"EPSG:4214": {**THREE, "dx": 31.4159}}}, "knows no dx"),
    ({"datums": {"EPSG:4214": {"grid": "/31.4159.gsb", "accuracy_m": 1}}}, "grid"),
    ({"datums": {"EPSG:4214": {"grid": "a b.gsb", "accuracy_m": 1}}}, "grid"),
    ({"systems": {"EPSG:1": {}}}, "a name is of"),
    ({"systems": {"gcj02": {}}}, "a name is of"),
    ({"systems": {"a": {"accuracy_m": 1}}}, "needs one of"),
    ({"systems": {"a": {"projection": "31.4159", "accuracy_m": 1}}}, "not a coordinate"),
    (
        {"systems": {"a": {"projection": "EPSG:4547", "datum": "EPSG:4214", "accuracy_m": 1}}},
        "datums",
    ),
    (
        {
            "systems": {
                "a": {
                    "affine": dict.fromkeys("abcdef", 1),
                    "base": "EPSG:4547",
                    "accuracy_m": 1,
                }
            }
        },
        "onto a line",
    ),
]


@pytest.mark.parametrize(("document", "reason"), BAD)
def test_a_wrong_entry_is_named_and_its_value_is_not(document: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_own_systems(document, Path("/nowhere"))

    assert not [canary for canary in CANARIES if canary in str(caught.value)]


def test_a_local_grid_without_a_way_is_refused_by_its_name_alone() -> None:
    text = "+proj=tmerc +lon_0=114 +x_0=31.4159 +ellps=krass"
    document = {"systems": {"sz-old": {"projection": text, "accuracy_m": 1}}}

    with pytest.raises(UnknownCRS, match="sz-old") as caught:
        operation("sz-old", document)

    assert "31.4159" not in str(caught.value)


def test_a_spoilt_grid_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "secret.gsb").write_bytes(b"no grid")
    document = {"datums": {"EPSG:4214": {"grid": "secret.gsb", "accuracy_m": 1}}}

    with pytest.raises(UnknownCRS) as caught:
        operation("EPSG:4214", document, tmp_path)

    assert "secret" not in str(caught.value)
