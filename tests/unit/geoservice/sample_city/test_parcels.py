"""Parcel files: topology, codes, and the encoding that the files do not name."""

import re
from typing import Any

import numpy as np
import pytest
import shapely
from pyogrio.raw import read

CODE = re.compile(
    r"(?P<county>\d{6})(?P<zone>\d{3})(?P<subzone>\d{3})"
    r"(?P<own>[GJZ])(?P<use>[ABSXCDEFHGWYLN])(?P<seq>(?!00000)\d{5})"
)


def test_parcels_do_not_overlap(sample_city: Any) -> None:
    parcels = sample_city.parcels["geometry"]

    assert shapely.is_valid(parcels).all()
    assert shapely.area(shapely.union_all(parcels)) == pytest.approx(shapely.area(parcels).sum())
    assert shapely.coverage_is_valid(parcels)


def test_area_is_the_plane_area(sample_city: Any) -> None:
    stored = sample_city.parcels["宗地面积"]

    assert np.abs(stored - shapely.area(sample_city.parcels["geometry"])).max() <= 0.0051


def test_codes_follow_their_grammar_and_are_unique(sample_city: Any) -> None:
    codes = sample_city.parcels["宗地代码"].tolist()
    found = [CODE.fullmatch(code) for code in codes]

    assert all(found)
    assert len(set(codes)) == len(codes)
    assert all(match["own"] == "J" for match in found if match and match["use"] in "AC")


def test_letters_agree_with_right_and_use(sample_city: Any) -> None:
    columns = ("宗地代码", "权利类型", "地类编码")
    rights = {
        "GB": "国有建设用地使用权", "JB": "集体建设用地使用权", "JC": "宅基地使用权",
        "GH": "海域使用权",
    }  # fmt: skip

    for code, right, use in zip(*(sample_city.parcels[name] for name in columns), strict=True):
        assert rights[code[12:14]] == right
        assert (use == "0702") == (code[12:14] == "JC")
        assert (use == "H") == (code[13] == "H")


def test_each_file_holds_one_district(sample_city: Any) -> None:
    for file in sample_city.manifest.of_layer("parcels"):
        meta, _, _, columns = read(sample_city.directory / file.path, encoding="GBK")
        codes = columns[list(meta["fields"]).index("宗地代码")]

        assert {code[:6] for code in codes} == {file.path[3:9]}
        assert len(codes) == file.rows


def test_parcels_lie_in_the_street_of_their_code(sample_city: Any) -> None:
    meta, _, geometry, columns = read(sample_city.directory / "districts.gpkg")
    table = dict(zip(meta["fields"], columns, strict=True))
    streets = dict(zip(table["行政区划代码"], shapely.from_wkb(geometry), strict=True))
    on_land = [code for code in sample_city.parcels["宗地代码"] if code[13] != "H"]
    used = {code[:9] for code in on_land}

    assert used <= set(streets)


def test_sea_parcels_lie_off_the_land(sample_city: Any) -> None:
    _, _, geometry, _ = read(sample_city.directory / "districts.gpkg", where="级别 = '市'")
    is_sea = np.array([code[13] == "H" for code in sample_city.parcels["宗地代码"]])
    sea = shapely.transform(sample_city.parcels["geometry"][is_sea], _degrees)

    assert is_sea.sum() == round(6_000 / 500)
    assert not shapely.intersects(sea, shapely.from_wkb(geometry)[0]).any()


def test_files_do_not_say_that_they_are_gbk(sample_city: Any) -> None:
    for file in sample_city.manifest.of_layer("parcels"):
        path = sample_city.directory / file.path
        table = path.with_suffix(".dbf").read_bytes()

        assert not path.with_suffix(".cpg").exists()
        assert table[29] == 0
        assert "宗地代码".encode("gbk") in table[:64]
        assert table.decode("gbk", errors="replace").count("深圳市") >= file.rows


def test_field_names_fit_into_ten_bytes(sample_city: Any) -> None:
    names = [name for name in sample_city.parcels if name != "geometry"]

    assert names == [
        "宗地代码", "地类编码", "地类名称", "坐落", "宗地面积", "权利类型", "权利性质", "权利人",
        "登记日期", "状态",
    ]  # fmt: skip
    assert all(len(name.encode("gbk")) <= 10 for name in names)


def _degrees(xy: np.ndarray) -> np.ndarray:
    """Longitude, latitude of EPSG:4547 easting, northing."""
    from pyproj import Transformer

    transformer = Transformer.from_crs("EPSG:4547", "EPSG:4490", always_xy=True)
    return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
