"""Surveys of pipes, delivered in all the ways that offices use, loaded through the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyogrio
import pytest
from sqlalchemy import text

from layers.errors import SourceError
from layers.roles import Role
from loaders.mapping import Mapping
from loaders.options import LoadOptions
from loaders.survey import load_survey
from tests.support import City
from tests.unit.loaders.access_files import Table, write_access

NORTH, EAST = 2493941.245741, 505955.846174
"""(114.0579 E, 22.5431 N) in EPSG:4547."""

POINT_COLUMNS = {
    "Prj_No": str, "Map_No": str, "Exp_No": str, "X": float, "Y": float, "High": float,
    "Code": str, "Feature": str, "Subsid": str, "WellDeep": float, "Belong": str, "MDate": date,
}  # fmt: skip
LINE_COLUMNS = {
    "S_Point": str, "E_Point": str, "S_Deep": float, "E_Deep": float, "S_H": float, "E_H": float,
    "Material": str, "PSize": float, "EmBed": str, "FlowDir": str, "Belong": str, "Road": str,
}  # fmt: skip


def points(code: str, count: int, east: float = EAST) -> list[tuple[Any, ...]]:
    """Points 20 m apart to the north; ground at 12 m; the symbol code is the same of all."""
    return [
        ("P1", f"{n}", f"{code}{n}", NORTH + 20 * n, east, 12.0, "SY", "直通", None, None,
         "水务集团", date(2016, 8, 30))
        for n in range(count)
    ]  # fmt: skip


def lines(code: str, count: int) -> list[tuple[Any, ...]]:
    """Lines between them, 1.5 m below ground, of 600 mm."""
    return [
        (
            f"{code}{n}",
            f"{code}{n + 1}",
            1.5,
            1.5,
            None,
            None,
            "PE",
            600.0,
            "直埋",
            "+",
            "水务",
            "路",
        )
        for n in range(count)
    ]


def as_csv(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """A file for each table, GB18030."""
    for name, (columns, rows) in tables.items():
        body = [",".join("" if v is None else str(v) for v in row) for row in rows]
        file = folder / f"{name}.csv"
        file.write_text("\n".join([",".join(columns), *body]) + "\n", encoding="gb18030")
    return sorted(folder.glob("*.csv"))


def as_folder(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """A folder of such files."""
    inside = folder / "成果"
    inside.mkdir()
    as_csv(inside, tables)
    return [inside]


def as_workbook(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """A workbook with a sheet for each table."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, (columns, rows) in tables.items():
        sheet = book.create_sheet(name)
        sheet.append([f"{name}成果表"])
        sheet.append(list(columns))
        for row in rows:
            sheet.append(list(row))
    book.save(folder / "a.xlsx")
    return [folder / "a.xlsx"]


def as_dbf(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """A DBF for each table."""
    for name, (columns, rows) in tables.items():
        kinds = {str: pa.string(), float: pa.float64(), date: pa.date32()}
        values = [list(column) for column in zip(*rows, strict=True)]
        arrays = [pa.array(v, kinds[t]) for v, t in zip(values, columns.values(), strict=True)]
        table = pa.table(arrays, names=list(columns))
        options = {"driver": "ESRI Shapefile", "encoding": "GBK", "geometry_type": None}
        pyogrio.write_arrow(table, folder / f"{name}.dbf", **options)
    return sorted(folder.glob("*.dbf"))


def as_access(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """A database with all tables."""
    return [write_access(folder / "a.mdb", tables)]


def as_zip(folder: Path, tables: dict[str, Table]) -> list[Path]:
    """An archive of files."""
    inside = as_folder(folder, tables)[0]
    return [Path(shutil.make_archive(str(folder / "a"), "zip", inside))]


def load(city: City, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """``geoservice load survey`` as a process."""
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
    }
    command = [sys.executable, "-P", "-m", "geoservice", "load", "survey", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def loaded(city: City, *files: Path, **options: Any) -> dict[str, Any]:
    """The report of a survey that was loaded by the code behind the command."""
    chosen = LoadOptions(city.settings.city.frame(), crs="EPSG:4547", **options)
    with city.address.connect_loader() as connections:
        report: dict[str, Any] = load_survey(connections, files, chosen).as_json()
    return report


def nodes(city: City, codes: str) -> list[Any]:
    """Kind, ground, symbol and longitude of the points that are held of some codes."""
    return _rows(
        city,
        "SELECT kind, ST_Z(geom), element_code, round(ST_X(geom)::numeric, 6) "
        "FROM city.pipeline_nodes WHERE code ~ :codes ORDER BY code",
        codes,
    )


def segments(city: City, codes: str) -> list[Any]:
    """Kind and elevations of both ends of the segments that are held from points of some codes."""
    return _rows(
        city,
        "SELECT kind, ST_Z(ST_StartPoint(geom)), ST_Z(ST_EndPoint(geom)) "
        "FROM city.pipelines WHERE start_node ~ :codes ORDER BY start_node",
        codes,
    )


def _rows(city: City, statement: str, codes: str) -> list[Any]:
    with city.address.connect(Role.OWNER) as connection:
        return [tuple(row) for row in connection.execute(text(statement), {"codes": codes})]


@pytest.mark.parametrize("deliver", [as_csv, as_folder, as_zip, as_workbook, as_dbf, as_access])
def test_a_survey_loads_however_it_is_delivered(
    city: City, tmp_path: Path, deliver: Callable[[Path, dict[str, Table]], list[Path]]
) -> None:
    way = deliver.__name__.removeprefix("as_").upper()
    water, sewer = f"{way}W", f"{way}S"
    tables: dict[str, Table] = {
        "JSPoint": (POINT_COLUMNS, points(water, 3)),
        "JSLine": (LINE_COLUMNS, lines(water, 2)),
        "WSPOINT": (POINT_COLUMNS, points(sewer, 4, EAST + 10)),
        "WSLINE": (LINE_COLUMNS, lines(sewer, 3)),
    }

    files = deliver(tmp_path, tables)

    report, again = loaded(city, *files), loaded(city, *files)

    assert (7, 0) == (report["pipeline_nodes"]["new"], report["pipeline_nodes"]["rejected"])
    assert (5, 0) == (report["pipelines"]["new"], report["pipelines"]["rejected"])
    assert (7, 5) == (again["pipeline_nodes"]["unchanged"], again["pipelines"]["unchanged"])
    assert ["JS", "JS", "JS", "WS", "WS", "WS", "WS"] == [
        row[0] for code in (water, sewer) for row in nodes(city, f"^{code}")
    ]
    assert {(12.0, "SY")} == {row[1:3] for row in nodes(city, f"^{water}")}
    assert 114.0579 == float(nodes(city, f"^{water}")[0][3])
    # The crown of a pressure pipe lies 1.5 m deep, the invert of a sewer: the axis half a pipe off.
    assert {(10.2, 10.2)} == {row[1:] for row in segments(city, f"^{water}")}
    assert {(10.8, 10.8)} == {row[1:] for row in segments(city, f"^{sewer}")}


def test_the_command_reports_both_loads(city: City, tmp_path: Path) -> None:
    tables: dict[str, Table] = {
        "管点_给水": (POINT_COLUMNS, points("CMD", 3)),
        "管线_给水": (LINE_COLUMNS, lines("CMD", 2)),
    }
    as_csv(tmp_path, tables)

    done = load(city, tmp_path, "--crs", "EPSG:4547", "--json")

    assert 0 == done.returncode, done.stderr
    report = json.loads(done.stdout)
    assert 3 == report["pipeline_nodes"]["new"]
    assert {"kind": "JS"} == report["pipelines"]["sources"][0]["constants"]


def test_columns_in_chinese_and_a_class_column_are_known(city: City, tmp_path: Path) -> None:
    (tmp_path / "点.csv").write_text(
        "物探点号,管线类别,X,Y,地面高程\n"
        f"甲0,燃气,{NORTH},{EAST},5\n甲1,燃气,{NORTH + 9},{EAST},5\n"
    )
    (tmp_path / "线.csv").write_text(
        "起点点号,终点点号,管线类别,起点埋深,终点埋深,管径\n甲0,甲1,RQ,1,1,200\n"
    )

    report = loaded(city, tmp_path)

    assert (2, 1) == (report["pipeline_nodes"]["new"], report["pipelines"]["new"])
    assert ["RQ"] == [row[0] for row in segments(city, "^甲")]


def test_what_is_said_of_one_table_does_not_trouble_the_other(city: City, tmp_path: Path) -> None:
    tables: dict[str, Table] = {
        "点": (POINT_COLUMNS, points("U", 3)),
        "线": (LINE_COLUMNS, [(*row[:7], 0.6, *row[8:]) for row in lines("U", 2)]),
    }
    mapping = Mapping(
        columns={"appurtenance": "Feature", "road_name": "Belong"},
        constants={"kind": "YS"},
        units={"diameter_mm": "m"},
    )

    report = loaded(city, *as_csv(tmp_path, tables), mapping=mapping)

    assert (3, 2) == (report["pipeline_nodes"]["new"], report["pipelines"]["new"])
    # A drain of 0.6 m: the invert 1.5 m below 12 m, the axis half of it above.
    assert {("YS", 10.8, 10.8)} == set(segments(city, "^U"))


def test_lines_that_cannot_be_loaded_take_their_points_back(city: City, tmp_path: Path) -> None:
    tables: dict[str, Table] = {
        "JSPoint": (POINT_COLUMNS, points("BAD", 3)),
        "JSLine": (LINE_COLUMNS, [*lines("BAD", 2), ("BAD2", "NOWHERE", *lines("BAD", 1)[0][2:])]),
    }
    files = as_csv(tmp_path, tables)

    with pytest.raises(SourceError, match=r"missing_node.*points were not kept"):
        loaded(city, *files, on_error="reject")

    assert [] == nodes(city, "^BAD")
    assert [] == segments(city, "^BAD")


def test_bad_lines_are_kept_aside_and_the_others_loaded(city: City, tmp_path: Path) -> None:
    tables: dict[str, Table] = {
        "YSPoint": (POINT_COLUMNS, points("Q", 3)),
        "YSLine": (LINE_COLUMNS, [*lines("Q", 2), ("Q2", "NOWHERE", *lines("Q", 1)[0][2:])]),
    }

    report = loaded(city, *as_access(tmp_path, tables))

    assert {"missing_node": 1} == report["pipelines"]["reasons"]
    assert 2 == report["pipelines"]["new"]


@pytest.mark.parametrize("missing", ["points", "lines"])
def test_half_a_survey_is_refused_before_anything_is_loaded(
    city: City, tmp_path: Path, missing: str
) -> None:
    tables: dict[str, Table] = {
        "JSPoint": (POINT_COLUMNS, points("H", 3)),
        "JSLine": (LINE_COLUMNS, lines("H", 2)),
    }
    del tables["JSPoint" if missing == "points" else "JSLine"]

    with pytest.raises(SourceError, match=f"no table of {missing}"):
        loaded(city, *as_csv(tmp_path, tables))

    assert [] == nodes(city, "^H")


def test_what_a_survey_cannot_be_told_is_refused(city: City, tmp_path: Path) -> None:
    done = load(city, tmp_path, "--dry-run")

    assert 64 == done.returncode
    assert "points that are held" in done.stderr
