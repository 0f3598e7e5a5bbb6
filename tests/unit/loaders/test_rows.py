"""Rows of files as rows of layers: positions, keys, clearances, dates, and what is put aside."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely

from layers.access import Clearance
from layers.city import CityFrame
from layers.errors import MissingColumn, UnknownCRS, UnreadableSource
from layers.own_systems import parse_own_systems
from loaders.admin import AdminAreas
from loaders.mapping import Mapping
from tests.unit.loaders.conftest import SHENZHEN, Reader


def csv(folder: Path, text: str, *, encoding: str = "utf-8", name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def lines(folder: Path, geometries: list[str], **columns: list[object]) -> Path:
    """A GeoPackage of lines in EPSG:4547."""
    path = folder / "lines.gpkg"
    table = pa.table({**columns, "geometry": shapely.to_wkb(shapely.from_wkt(geometries))})
    pyogrio.write_arrow(
        table,
        path,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Unknown",
        crs="EPSG:4547",
    )
    return path


LINE = "LINESTRING Z (505955 2493941 3, 505965 2493951 4)"


@pytest.mark.parametrize(
    "header", ["lon,lat", "经度,纬度", "LNG,Latitude", "lo,la", "Longitude,LATITUDE"]
)
def test_degrees_are_found_by_name(tmp_path: Path, read_rows: Reader, header: str) -> None:
    path = csv(tmp_path, f"name,{header}\n图书馆,114.05,22.54\n")

    outcome = read_rows("facilities", path, crs="EPSG:4490")

    assert outcome.geometries == [shapely.Point(114.05, 22.54)]
    assert outcome.reports[0].unmapped == ()


def test_degrees_of_a_table_need_a_system_because_they_may_be_shifted(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = csv(tmp_path, "name,lon,lat\na,114.05,22.54\n")

    with pytest.raises(UnknownCRS) as caught:
        read_rows("facilities", path)
    assert [c.split()[0] for c in caught.value.candidates] == ["EPSG:4490", "gcj02", "bd09"]


def test_the_northing_of_a_survey_is_found_by_the_numbers(
    tmp_path: Path, read_rows: Reader
) -> None:
    survey = csv(tmp_path, "物探点号,X,Y\nA,2493941.25,505955.85\n", encoding="gbk")
    plain = csv(tmp_path, "物探点号,X,Y\nA,505955.85,2493941.25\n", name="b.csv")

    first = read_rows("pipeline_nodes", survey, crs="4547")
    second = read_rows("pipeline_nodes", plain, crs="4547")

    assert first.reports[0].crs == "EPSG:4547/yx"
    assert second.reports[0].crs == "EPSG:4547"
    assert first.geometries == second.geometries


def test_a_mapping_says_which_column_is_the_easting(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "code,N,E\nA,2493941.25,505955.85\n")

    outcome = read_rows("pipeline_nodes", path, crs="4547", mapping=Mapping({"x": "E", "y": "N"}))

    assert outcome.geometries[0].x == pytest.approx(114.0579, abs=1e-4)


def test_a_zone_prefix_that_was_not_said_is_found_out(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "code,X,Y\nA,2493941.25,38505955.85\n")

    with pytest.raises(UnknownCRS) as caught:
        read_rows("pipeline_nodes", path, crs="EPSG:4547")
    assert caught.value.candidates[0].startswith("EPSG:4526/yx ")


def test_a_file_that_lies_about_degrees_is_found_out(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.geojson"
    point = {"type": "Point", "coordinates": [505955.85, 2493941.25]}
    feature = {"type": "Feature", "properties": {"name": "a"}, "geometry": point}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))

    with pytest.raises(UnknownCRS) as caught:
        read_rows("facilities", path)
    assert caught.value.candidates[0].startswith("EPSG:4547 ")
    assert read_rows("facilities", path, crs="EPSG:4547").read == 1


def test_wkt_is_read_and_what_is_no_wkt_rejected(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, 'name;wkt\na;"POINT (114 22.5)"\nb;POINT 114\nc;\n')

    outcome = read_rows("facilities", path, crs="EPSG:4490")

    assert outcome.values("name") == ["a"]
    assert outcome.reasons == {"no_geometry": 2}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path: Path, read_rows: Reader, separator: str) -> None:
    rows = [["name", "lon", "lat"], ['"a, b; c"', "114", "22.5"]]
    path = csv(tmp_path, "\r\n".join(separator.join(row) for row in rows), name="a.txt")

    assert read_rows("facilities", path, crs="EPSG:4490").values("name") == ["a, b; c"]


def test_rows_with_too_few_fields_are_put_aside(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "name,lon,lat\na,114,22.5\nb,114\nc,114,22.5\n")

    outcome = read_rows("facilities", path, crs="EPSG:4490")

    assert outcome.values("name") == ["a", "c"]
    assert outcome.rejected[0].reasons[0] == "malformed_row: row 3: 2 fields instead of 3: b,114"


def test_a_quote_that_is_never_closed_is_refused_or_put_aside(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = csv(tmp_path, 'name,lon,lat\n"a,114,22.5\nb,114,22.5\n')

    try:
        outcome = read_rows("facilities", path, crs="EPSG:4490")
    except UnreadableSource:
        return
    assert outcome.accepted.num_rows == 0
    assert outcome.rejected


def test_an_empty_table_is_a_load_of_nothing(tmp_path: Path, read_rows: Reader) -> None:
    assert read_rows("facilities", csv(tmp_path, "name,lon,lat\n"), crs="4490").read == 0
    with pytest.raises(UnreadableSource, match="empty"):
        read_rows("facilities", csv(tmp_path, ""), crs="4490")


def test_segments_between_nodes_are_staged_without_geometry(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = csv(tmp_path, "起点点号,终点点号,管径\nA,B,200\nA,,200\n")

    outcome = read_rows("pipelines", path)

    assert outcome.values("geom") == [None]
    assert outcome.values("natural_key") == ["A-B"]
    assert outcome.reasons == {"no_geometry": 1}
    with pytest.raises(MissingColumn):
        read_rows("pipelines", csv(tmp_path, "起点点号,管径\nA,200\n"))


def test_positions_that_come_late_need_a_system_as_well(tmp_path: Path, read_rows: Reader) -> None:
    rows = "\n".join(["a,"] * 2_000_000 + ['b,"POINT (114 22.5)"'])
    path = csv(tmp_path, f"name,wkt\n{rows}\n")

    with pytest.raises(UnknownCRS):
        read_rows("facilities", path)


def test_clearance_follows_the_class_and_unknown_is_restricted(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = lines(tmp_path, [LINE] * 4, code=["1", "2", "3", "4"], kind=["YS", "天然气", None, "Q9"])

    outcome = read_rows("pipelines", path)

    assert outcome.values("category") == ["PS", "RQ", None]
    assert outcome.values("clearance") == [
        Clearance.GOVERNMENT,
        Clearance.RESTRICTED,
        Clearance.RESTRICTED,
    ]
    assert [row.clearance for row in outcome.rejected] == [Clearance.RESTRICTED]


def test_a_feature_holds_from_midnight_in_the_city(tmp_path: Path, read_rows: Reader) -> None:
    path = lines(tmp_path, [LINE, LINE], code=["1", "2"], 建设年代=["2015年6月1日", None])

    outcome = read_rows("pipelines", path)

    assert outcome.values("valid_from") == [datetime(2015, 5, 31, 16, tzinfo=UTC), None]


def test_elevations_say_where_they_are_from(tmp_path: Path, read_rows: Reader) -> None:
    flat = "LINESTRING (505955 2493941, 505965 2493951)"
    pipes = read_rows("pipelines", lines(tmp_path, [LINE, flat], code=["1", "2"]))
    nodes = read_rows(
        "pipeline_nodes",
        csv(tmp_path, "code,X,Y,地面高程\nA,2493941,505955,12.5\nB,2493941,505955,\n"),
        crs="4547",
    )

    assert pipes.values("z_source") == ["file", "unknown"]
    assert nodes.values("z_source") == ["surveyed", "unknown"]
    assert [point.z for point in nodes.geometries] == [12.5, 0]


def test_rows_without_a_key_get_one_of_their_geometry(tmp_path: Path, read_rows: Reader) -> None:
    other = "LINESTRING Z (505955 2493941 3, 505966 2493951 4)"
    path = lines(tmp_path, [LINE, LINE, other, LINE], code=[None, None, None, "4"])

    outcome = read_rows("pipelines", path)

    keys = outcome.values("natural_key")
    assert outcome.values("key_derived") == [True, True, True, False]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].endswith("#1")
    assert keys[3] == "4"
    assert read_rows("pipelines", path).values("natural_key") == keys


def test_a_key_may_be_made_of_columns_that_fill_nothing(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "name,街,号,lon,lat\na,深南路,1,114,22.5\n")

    outcome = read_rows("facilities", path, crs="4490", key=("街", "号"))

    assert outcome.values("natural_key") == ["深南路-1"]


def test_what_is_put_aside_is_kept_as_it_was_read(tmp_path: Path, read_rows: Reader) -> None:
    path = lines(tmp_path, [LINE], code=["1"], 管径=["粗"], 备注=["井\x00内"])

    (row,) = read_rows("pipelines", path).rejected

    original = json.loads(row.original)
    assert row.row_number == 1
    assert row.natural_key == "1"
    assert row.reasons == ("not_a_number: diameter_mm='粗'",)
    assert original["管径"] == "粗"
    assert original["geometry"] == LINE
    assert "\x00" not in original["备注"]


def test_a_row_may_have_several_reasons(tmp_path: Path, read_rows: Reader) -> None:
    path = lines(tmp_path, ["LINESTRING (0 0, 1 1)", LINE], code=["1", "2"], 管径=["粗", "100"])

    (row,) = read_rows("pipelines", path).rejected

    assert [reason.partition(":")[0] for reason in row.reasons] == ["not_a_number", "outside_city"]


def test_constants_and_replaced_words_fill_attributes(tmp_path: Path, read_rows: Reader) -> None:
    path = lines(tmp_path, [LINE], code=["1"], 材质=["3"])
    mapping = Mapping(values={"material": {"3": "铸铁"}}, constants={"kind": "配水"})

    outcome = read_rows("pipelines", path, mapping=mapping)

    assert outcome.values("material") == ["ZT"]
    assert outcome.values("kind") == ["JP"]


def test_gcj02_is_brought_back(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "name,lon,lat\na,114.06301399856547,22.54038281422246\n")

    outcome = read_rows("facilities", path, crs="gcj02")

    assert outcome.geometries[0].equals_exact(shapely.Point(114.0579, 22.5431), 1e-8)
    assert outcome.reports[0].accuracy_m == 1


def test_the_smallest_area_gives_the_code(frame: CityFrame) -> None:
    areas = np.array([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 9, 9), shapely.box(0, 0, 4, 4)])
    admin = AdminAreas(areas, ["street", "city", "district"], ["street", "city", "district"])
    places = np.array([[x, x] for x in (8, np.nan, 0.5, 3, 20, 9)])

    codes = admin.codes(places).to_pylist()

    assert codes == ["city", None, "street", "district", None, "city"]


def test_without_districts_there_are_no_codes() -> None:
    admin = AdminAreas(np.empty(0, object), [], [])

    assert admin.codes(np.zeros((1, 2))).to_pylist() == [None]


def test_a_column_of_diameters_and_sections_fills_both(tmp_path: Path, read_rows: Reader) -> None:
    sizes = ["DN300", "300×400", "0.5m", "", "219*6"]
    path = csv(
        tmp_path,
        "管线编号,管类,起点点号,终点点号,管径\n"
        + "".join(f"{n},JP,A{n},B{n},{size}\n" for n, size in enumerate(sizes)),
    )

    outcome = read_rows("pipelines", path)

    assert outcome.values("diameter_mm") == [300.0, None, 500.0, None]
    assert outcome.values("section") == [None, "300*400", None, None]
    assert outcome.reasons == {"unclear_section": 1}


def test_two_columns_that_give_different_sections_are_a_contradiction(
    tmp_path: Path, read_rows: Reader
) -> None:
    rows = "1,JP,A,B,300*400,300×400\n2,JP,A,C,300*400,300*500\n"
    path = csv(tmp_path, f"管线编号,管类,起点点号,终点点号,管径,断面\n{rows}")

    outcome = read_rows("pipelines", path)

    assert outcome.values("section") == ["300*400"]
    assert outcome.reasons == {"contradiction": 1}


def test_a_replaced_text_is_not_taken_for_a_section(tmp_path: Path, read_rows: Reader) -> None:
    path = csv(tmp_path, "管线编号,管类,起点点号,终点点号,管径\n1,JP,A,B,219*6\n")

    outcome = read_rows(
        "pipelines", path, mapping=Mapping(values={"diameter_mm": {"219*6": "219"}})
    )

    assert outcome.values("diameter_mm") == [219.0]


def test_a_system_said_with_northing_first_serves_a_table_too(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = csv(tmp_path, "物探点号,管类,X,Y\n1,JP,2493941.246,505955.846\n")

    (place,) = read_rows("pipeline_nodes", path, crs="EPSG:4547/yx").geometries

    assert (place.x, place.y) == pytest.approx((114.0579, 22.5431), abs=1e-7)


def geojson_point(folder: Path, x: float, y: float) -> Path:
    """A GeoJSON file, which states EPSG:4326, with one point."""
    path = folder / "a.geojson"
    point = {"type": "Point", "coordinates": [x, y]}
    feature = {"type": "Feature", "properties": {"name": "a"}, "geometry": point}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_axes_that_a_file_has_the_wrong_way_round_are_recognised_and_noted(
    tmp_path: Path, read_rows: Reader
) -> None:
    outcome = read_rows("facilities", geojson_point(tmp_path, 22.54, 114.05))

    assert outcome.geometries == [shapely.Point(114.05, 22.54)]
    (report,) = outcome.reports
    assert report.crs == "EPSG:4326/yx"
    assert report.notes == (
        "the file states EPSG:4326; its numbers are of EPSG:4326/yx, which was used",
    )


def test_a_zone_number_before_the_easting_is_recognised_and_noted(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = tmp_path / "zone.gpkg"
    written = pa.table({"name": ["a"], "geometry": [shapely.Point(38505955.846, 2493941.246).wkb]})
    pyogrio.write_arrow(
        written,
        path,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Point",
        crs="EPSG:4547",
    )

    outcome = read_rows("facilities", path)

    assert outcome.reports[0].crs == "EPSG:4526"
    assert outcome.geometries[0].x == pytest.approx(114.0579, abs=1e-7)


def test_parameters_of_the_installation_come_into_no_report(
    tmp_path: Path, read_rows: Reader
) -> None:
    datum = {"x_m": 31.4159, "y_m": -154.1618, "z_m": -80.2718, "accuracy_m": 2}
    own = parse_own_systems({"datums": {"EPSG:4214": datum}}, tmp_path)
    path = csv(tmp_path, "code,X,Y\nA,505955.85,2493941.25\n")

    outcome = read_rows(
        "pipeline_nodes", path, crs="EPSG:2435", city=replace(SHENZHEN, own_systems=own)
    )

    report = json.dumps(outcome.reports[0].as_json(), default=str)
    assert outcome.reports[0].accuracy_m == 2
    assert "3 parameters of this installation" in report
    assert not [n for n in ("31.4159", "154.1618", "80.2718") if n in report]
