"""Sections across and along pipes, over a real terrain model."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from ezdxf import filemanagement
from ezdxf.entities.lwpolyline import LWPolyline
from PIL import Image
from pyproj import Transformer
from shapely.geometry import LineString, Point
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.settings import RasterSettings
from layers.access import Clearance
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.conftest import KeyMaker
from tests.raster_files import write_tif
from tests.support import City
from tests.underground_rows import (
    PATH_NODES,
    PATH_PIPES,
    STREET_PIPES,
    on_path,
    wild_pipes,
)
from tiles.fonts import chinese_font

START = datetime(2020, 1, 1, tzinfo=UTC)
TO_PLANE = Transformer.from_crs(4490, 4547, always_xy=True)
LINE = [[114.0700, 22.5400], [114.0710, 22.5403], [114.0704, 22.5409], [114.0702, 22.5398]]
"""Crosses itself."""
GROUND_M = 12.5
STREET = "line=114.2,22.6;114.201,22.6"


def in_plane(line: LineString) -> LineString:
    return LineString(np.column_stack(TO_PLANE.transform(*shapely.get_coordinates(line).T)))


@pytest.fixture(scope="module")
def served(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Pipes of a tangle under a flat terrain model, and of a street that no model covers."""
    folder = tmp_path_factory.mktemp("terrain")
    store = RasterStore(folder / "store")
    flat = np.full((1, 600, 600), GROUND_M, np.float32)
    with city.address.connect(Role.LOADER) as connection:
        file = write_tif(folder / "dem.tif", flat)
        options = RasterOptions(
            city.settings.city.frame(), clearance=Clearance.GOVERNMENT, valid_from=START
        )
        load_raster(connection, store, "dem", [file], options)
    city.publish("pipeline_nodes", PATH_NODES, valid_from=START)
    city.publish("pipelines", [*wild_pipes(), *STREET_PIPES, *PATH_PIPES], valid_from=START)
    settings = city.settings.model_copy(update={"rasters": RasterSettings(folder=store.folder)})
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def government(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT)


@pytest.fixture(scope="module")
def tangle(served: TestClient, government: dict[str, str]) -> dict[str, Any]:
    body = {"type": "LineString", "coordinates": LINE}
    answer = served.post("/pipelines/section", json=body, headers=government)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def street(served: TestClient, government: dict[str, str]) -> dict[str, dict[str, Any]]:
    answer = served.get(f"/pipelines/section?{STREET}", headers=government)
    assert answer.status_code == 200, answer.text
    return {cut["code"]: cut for cut in answer.json()["cuts"]}


def test_cuts_are_those_of_shapely_in_the_plane_within_a_millimetre(
    tangle: dict[str, Any],
) -> None:
    line = in_plane(LineString(LINE))
    expected = []
    for row in wild_pipes():
        axis = in_plane(shapely.from_wkt(row["wkt"]))
        travelled = 0.0
        for a, b in pairwise(line.coords):
            leg = LineString([a, b])
            met = shapely.get_parts(leg.intersection(axis))
            expected += [
                (row["code"], travelled + leg.project(at)) for at in met if isinstance(at, Point)
            ]
            travelled += leg.length
    found = sorted((cut["code"], cut["distance_m"]) for cut in tangle["cuts"])
    assert len(expected) > 50
    assert [code for code, _ in sorted(expected)] == [code for code, _ in found]
    assert [m for _, m in sorted(expected)] == pytest.approx([m for _, m in found], abs=0.001)
    places = [Point(cut["x_m"], cut["y_m"]) for cut in tangle["cuts"]]
    assert all(line.distance(place) < 0.001 for place in places)


def test_cover_is_what_lies_between_the_terrain_and_the_crown(tangle: dict[str, Any]) -> None:
    cut = tangle["cuts"][0]

    assert ("dem", "terrain") == (tangle["terrain"], cut["cover_from"])
    assert (10.0, 10.2, 9.8, GROUND_M, 2.3) == pytest.approx(
        tuple(
            cut[name]
            for name in (
                "elevation_m", "crown_elevation_m", "invert_elevation_m", "ground_elevation_m",
                "cover_m",
            )
        )
    )  # fmt: skip
    assert len(tangle["ground"]) <= 200


def test_an_unknown_depth_is_said_to_be_unknown(street: dict[str, dict[str, Any]]) -> None:
    dry = street["DRY"]

    assert [None] * 5 == [
        dry[name]
        for name in (
            "elevation_m", "elevation_of", "crown_elevation_m", "invert_elevation_m", "cover_m",
        )
    ]  # fmt: skip
    assert ["elevation", "ground", "cover"] == dry["unknown"]


def test_cover_comes_from_the_survey_where_no_terrain_is_known(
    street: dict[str, dict[str, Any]],
) -> None:
    deep = street["DEEP"]

    assert ("depth", pytest.approx(1.5, abs=1e-3)) == (deep["cover_from"], deep["cover_m"])


@pytest.mark.parametrize(
    ("code", "of", "crown_m", "invert_m"),
    [("BOX", "axis", 10.4, 9.6), ("THIN", "invert", None, 10.0), ("HUGE", "crown", 10.0, None)],
)
def test_crown_and_invert_are_told_as_far_as_the_size_is_known(
    street: dict[str, dict[str, Any]], code: str, of: str, crown_m: float, invert_m: float
) -> None:
    cut = street[code]

    assert (of, crown_m, invert_m) == (
        cut["elevation_of"],
        cut["crown_elevation_m"],
        cut["invert_elevation_m"],
    )


def test_government_sees_no_gas_and_is_told_which_classes_it_does_not_see(
    served: TestClient, government: dict[str, str], headers_of: KeyMaker
) -> None:
    seen = served.get(f"/pipelines/section?{STREET}", headers=government)
    all_ = served.get(
        f"/pipelines/section?{STREET}", headers=headers_of(Clearance.RESTRICTED)
    ).json()

    assert "GAS" not in seen.text
    assert ["RQ", "RL", "DL", "TX", "GY", "QT"] == seen.json()["categories_not_shown"]
    assert ("GAS", []) == (all_["cuts"][-1]["code"], all_["categories_not_shown"])


@pytest.mark.parametrize("level", [None, Clearance.ENTERPRISE])
def test_who_may_not_know_of_pipes_finds_nothing(
    served: TestClient, headers_of: KeyMaker, level: Clearance | None
) -> None:
    headers = {} if level is None else headers_of(level)

    assert 404 == served.get(f"/pipelines/section?{STREET}", headers=headers).status_code


def test_before_the_pipes_were_laid_there_is_nothing_to_cut(
    served: TestClient, government: dict[str, str]
) -> None:
    path = f"/pipelines/section?{STREET}&datetime=2019-01-01T00:00:00Z"

    found = served.get(path, headers=government).json()

    assert ([], None) == (found["cuts"], found["terrain"])


@pytest.mark.parametrize("f", ["svg", "png", "dxf"])
@pytest.mark.parametrize("line", [STREET, "line=114.3,22.6;114.301,22.6"])
def test_a_section_is_drawn_even_where_nothing_is_known(
    served: TestClient, government: dict[str, str], f: str, line: str
) -> None:
    if f == "png" and chinese_font() is None:
        pytest.skip("this machine has no font for Chinese")

    answer = served.get(f"/pipelines/section?{line}&f={f}", headers=government)

    assert answer.status_code == 200, answer.text
    if f == "png":
        assert Image.open(io.BytesIO(answer.content)).width == 2000
    else:
        assert "管线横断面图" in answer.text
        assert "\x01" not in answer.text


def test_a_drawing_for_cad_is_true_to_scale(
    served: TestClient, government: dict[str, str], street: dict[str, dict[str, Any]]
) -> None:
    answer = served.get(f"/pipelines/section?{STREET}&f=dxf", headers=government)
    space = filemanagement.read(io.StringIO(answer.text)).modelspace()

    box = next(one for one in space.query("ELLIPSE") if one.dxf.major_axis.x == 0.6)
    at = (street["BOX"]["distance_m"], 10.0, 2 / 3)
    assert at == pytest.approx((box.dxf.center.x, box.dxf.center.y, box.dxf.ratio), abs=1e-4)
    assert ("PS", 0x4C3926) == (box.dxf.layer, box.dxf.true_color)
    [line] = [one for one in space.query("LINE") if one.dxf.layer == "UNKNOWN_ELEVATION"][:1]
    assert ("DASHED", pytest.approx(street["DRY"]["distance_m"], abs=1e-4)) == (
        line.dxf.linetype,
        line.dxf.start.x,
    )
    assert "JS-1 配水 DN300 高程10.00" in [one.dxf.text for one in space.query("TEXT")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "114.2,22.6",
        "114.2,22.6;114.2,22.6",
        "114.2,22.6;114.2",
        "114.2,22.6;a,b",
        "114.2,22.6;nan,22.6",
        "114.2,22.6;inf,1e400",
        "114.2,22.6;120,30",
        "114.2,22.6;114.3,22.6",
        ";".join(["114.2,22.6", "114.201,22.6"] * 51),
    ],
)
def test_a_line_that_cannot_be_cut_along_is_refused(
    served: TestClient, government: dict[str, str], line: str
) -> None:
    answer = served.get(f"/pipelines/section?line={line}", headers=government)

    assert (400, "line") == (answer.status_code, answer.json()["errors"][0]["parameter"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "Point", "coordinates": [114.2, 22.6]},
        {"type": "LineString"},
        {"type": "LineString", "coordinates": 7},
        {"type": "LineString", "coordinates": []},
        {"type": "LineString", "coordinates": [[114.2, "22.6"], [114.201, 22.6]]},
        {"type": "LineString", "coordinates": [[114.2, True], [114.201, 22.6]]},
        {"type": "LineString", "coordinates": [[114.2, 10**400], [114.201, 22.6]]},
        {"type": "LineString", "coordinates": [[114.2, 22.6]] * 101},
        {"type": "Feature", "geometry": None},
    ],
)
def test_a_body_that_is_no_line_is_refused(
    served: TestClient, government: dict[str, str], body: dict[str, Any]
) -> None:
    answer = served.post("/pipelines/section", json=body, headers=government)

    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def ids(served: TestClient, headers_of: KeyMaker) -> dict[str, int]:
    """Feature ids of the segments by their code, that of gas too."""
    headers = headers_of(Clearance.RESTRICTED)
    found = served.get("/collections/pipelines/items?limit=1000", headers=headers).json()
    return {one["properties"]["code"]: one["id"] for one in found["features"]}


@pytest.fixture(scope="module")
def path(ids: dict[str, int]) -> str:
    return ",".join(str(ids[code]) for code in ("P1", "P2", "P3"))


@pytest.fixture(scope="module")
def profile(served: TestClient, government: dict[str, str], path: str) -> dict[str, Any]:
    answer = served.get(f"/pipelines/profile?path={path}", headers=government)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_chainage_is_measured_in_the_plane(profile: dict[str, Any]) -> None:
    line = LineString([TO_PLANE.transform(*on_path(number, 0)[:2]) for number in (1, 1.5, 2, 3, 4)])

    assert profile["length_m"] == pytest.approx(line.length, abs=0.001)
    nodes = [line.project(Point(line.coords[n])) for n in (0, 2, 3, 4)]
    assert nodes == pytest.approx([one["distance_m"] for one in profile["nodes"]], abs=0.001)


def test_segments_are_turned_into_the_direction_of_the_path(profile: dict[str, Any]) -> None:
    assert [("N1", "N2", False), ("N2", "N3", True), ("N3", "N4", False)] == [
        (one["start_node"], one["end_node"], one["is_reversed"]) for one in profile["segments"]
    ]


def test_slope_crown_invert_and_cover_are_those_of_the_survey(profile: dict[str, Any]) -> None:
    first, second, _ = profile["segments"]
    start = first["stations"][0]

    assert [8.0, 8.2, 7.8, 10.0, 1.8] == pytest.approx(
        [
            start[name]
            for name in (
                "elevation_m", "crown_elevation_m", "invert_elevation_m", "ground_elevation_m",
                "cover_m",
            )
        ]
    )  # fmt: skip
    assert ("survey", "survey") == (start["ground_from"], start["cover_from"])
    for segment, fall_m in ((first, 0.5), (second, 0.4)):
        length_m = segment["end_m"] - segment["start_m"]
        assert 1000 * fall_m / length_m == pytest.approx(segment["slope_permille"], abs=1e-3)


def test_what_is_not_known_along_a_path_is_null(profile: dict[str, Any]) -> None:
    dry = profile["segments"][2]
    inner = profile["segments"][0]["stations"][1]

    assert [None, None] == [dry["slope_permille"], dry["stations"][0]["invert_elevation_m"]]
    assert [None, None] == [inner["ground_elevation_m"], inner["cover_m"]]


def test_nodes_are_told_with_their_ground_and_bottom(profile: dict[str, Any]) -> None:
    assert [
        ("N1", "污水井", 10.0, 7.5),
        ("N2", None, 9.8, None),
        ("N3", "污水井", 9.5, None),
        ("N4", None, None, None),
    ] == [
        (one["code"], one["appurtenance"], one["ground_elevation_m"], one["bottom_elevation_m"])
        for one in profile["nodes"]
    ]
    assert profile["nodes"][3]["feature_id"] is None


def test_the_ground_along_a_path_is_that_of_the_terrain_where_no_node_is_known(
    served: TestClient, government: dict[str, str], ids: dict[str, int]
) -> None:
    answer = served.get(f"/pipelines/profile?path={ids['W1']}", headers=government).json()

    told = {
        (one["ground_from"], one["cover_from"], round(one["cover_m"], 3))
        for one in answer["segments"][0]["stations"]
    }
    assert ("dem", {("terrain", "terrain", 2.3)}) == (answer["terrain"], told)


@pytest.mark.parametrize("f", ["svg", "png", "dxf"])
def test_a_path_is_drawn(served: TestClient, government: dict[str, str], path: str, f: str) -> None:
    if f == "png" and chinese_font() is None:
        pytest.skip("this machine has no font for Chinese")

    answer = served.get(f"/pipelines/profile?path={path}&f={f}", headers=government)

    assert answer.status_code == 200, answer.text
    assert f == "png" or "管线纵断面图" in answer.text


def test_the_drawing_for_cad_has_crown_and_invert_at_their_elevations(
    served: TestClient, government: dict[str, str], path: str
) -> None:
    answer = served.get(f"/pipelines/profile?path={path}&f=dxf", headers=government)
    space = filemanagement.read(io.StringIO(answer.text)).modelspace()

    lines = [one for one in space.query("LWPOLYLINE") if one.dxf.layer == "PS"]
    begins = [next(one.vertices_in_wcs()).y for one in lines if isinstance(one, LWPolyline)]
    assert [8.2, 7.8, 7.6, 7.2] == pytest.approx(begins)
    assert ["UNKNOWN_ELEVATION"] == [
        one.dxf.layer for one in space.query("TEXT") if one.dxf.text.startswith("P3 ")
    ]


def test_a_hidden_segment_is_answered_as_one_that_is_not_there(
    served: TestClient, government: dict[str, str], ids: dict[str, int]
) -> None:
    hidden = served.get(f"/pipelines/profile?path={ids['FUEL']}", headers=government)
    absent = served.get("/pipelines/profile?path=99999999", headers=government)

    assert (404, 404) == (hidden.status_code, absent.status_code)
    assert hidden.json()["detail"] == absent.json()["detail"].replace("99999999", str(ids["FUEL"]))


@pytest.mark.parametrize("said", ["", "0", "a", "1,,2", "1,1", "9" * 30, ",".join(["7"] * 201)])
def test_a_path_that_names_no_segments_is_refused(
    served: TestClient, government: dict[str, str], ids: dict[str, int], said: str
) -> None:
    answer = served.get(f"/pipelines/profile?path={said}", headers=government)

    assert (400, "path") == (answer.status_code, answer.json()["errors"][0]["parameter"])


def test_segments_that_do_not_join_are_no_path(
    served: TestClient, government: dict[str, str], ids: dict[str, int]
) -> None:
    said = f"{ids['P1']},{ids['P3']}"
    answer = served.get(f"/pipelines/profile?path={said}", headers=government)

    reason = f"{ids['P3']} does not begin where {ids['P1']} ends"
    assert (400, reason) == (answer.status_code, answer.json()["errors"][0]["reason"])
