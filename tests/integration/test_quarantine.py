"""Rejected rows wait with what they said, are given out, corrected, and released once."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from layers.roles import Role
from tests.support import City

Command = Callable[..., Any]

LINES = "管线编号,管类,起点点号,终点点号,管径,备注\n"


@pytest.fixture
def run(city: City) -> Command:
    """Runs a command on the module's database; JSON is parsed where ``--json`` is asked for."""

    def command(*arguments: str, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "geoservice", *arguments],
            env=os.environ
            | {
                "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
                "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert code == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        if "--json" in arguments and not code:
            return json.loads(done.stdout)
        return done.stdout + done.stderr

    return command


def written(path: Path, content: str, encoding: str = "utf-8") -> str:
    """A file with this content; its name."""
    path.write_text(content, encoding=encoding)
    return str(path)


def quarantined(city: City, load_id: int) -> list[Any]:
    """The rows that a load rejected."""
    with city.address.connect(Role.OWNER) as connection:
        return list(
            connection.execute(
                text(
                    "SELECT row_number, file, reasons, original, released_by "
                    "FROM city.quarantine WHERE load_id = :id ORDER BY row_number"
                ),
                {"id": load_id},
            )
        )


def held(city: City, layer: str, key: str) -> int:
    """How many features of a layer have keys that begin so."""
    with city.address.connect(Role.OWNER) as connection:
        return int(
            connection.execute(
                text(f"SELECT count(*) FROM city.{layer} WHERE natural_key LIKE :key"),
                {"key": f"{key}%"},
            ).scalar_one()
        )


def nodes(folder: Path, *names: str) -> str:
    """A point table."""
    rows = [f"{name},JP,114.{at:03d},22.6,5" for at, name in enumerate(names, start=100)]
    return written(folder / "points.csv", "物探点号,管类,lon,lat,地面高程\n" + "\n".join(rows))


def test_rows_that_all_rows_reject_keep_what_their_files_said(
    city: City, tmp_path: Path, run: Command
) -> None:
    first = written(tmp_path / "a.csv", LINES + "Q1,给水,N1,N2,DN 300?,甲\n", "gb18030")
    second = written(tmp_path / "b.csv", LINES + "Q2,给水,N1,N2, 0300 ,乙\nQ2,给水,N1,N3,200,丙\n")

    report = run("load", "pipelines", first, second, "--json")

    assert (3, 0, 3) == (report["read"], report["new"], report["rejected"])
    rows = quarantined(city, report["load_id"])
    assert ["a.csv", "b.csv", "b.csv"] == [row.file for row in rows]
    assert ["missing_node", "duplicate_key"] == [row.reasons[0].split(":")[0] for row in rows[1:]]
    assert ("给水", " 0300 ", "乙") == tuple(rows[1].original[c] for c in ("管类", "管径", "备注"))
    assert "丙" == rows[2].original["备注"]


def test_rows_are_released_when_what_they_lacked_is_there_and_only_once(
    city: City, tmp_path: Path, run: Command
) -> None:
    lines = written(tmp_path / "lines.csv", LINES + "R1,JP,P1,P2,300,\nR2,JP,P1,P9,300,\n")
    load_id = run("load", "pipelines", lines, "--json")["load_id"]
    run("load", "pipeline_nodes", nodes(tmp_path, "P1", "P2"), "--crs", "EPSG:4490", "--json")

    (released,) = run("quarantine", "retry", str(load_id), "--json")
    again = run("quarantine", "retry", str(load_id))

    assert (2, 1, 1) == tuple(released[count] for count in ("read", "new", "rejected"))
    assert {released["load_id"]} == {row.released_by for row in quarantined(city, load_id)}
    assert ["R2"] == [row.original["管线编号"] for row in quarantined(city, released["load_id"])]
    assert "no row" in again
    assert 1 == held(city, "pipelines", "R")


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_rows_corrected_in_a_file_are_released_and_the_others_wait(
    city: City, tmp_path: Path, run: Command, suffix: str
) -> None:
    key = f"S{suffix[1:]}"
    rows = "".join(f"{key}{n},书吧,114.2{n},22.6,{v}\n" for n, v in enumerate(("多", "少", "10")))
    table = written(tmp_path / "places.csv", "编码,名称,lon,lat,容量\n" + rows)
    load_id = run("load", "facilities", table, "--crs", "EPSG:4490", "--json")["load_id"]
    exported = tmp_path / f"bad{suffix}"
    run("quarantine", "export", str(load_id), str(exported))
    content = exported.read_text(encoding="utf-8-sig")
    assert "not_an_integer" in content
    assert "少" in content
    exported.write_text(content.replace("多", "40"), encoding="utf-8")
    if suffix == ".csv":
        lines = exported.read_text(encoding="utf-8").splitlines()
        exported.write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")

    (released,) = run("quarantine", "retry", str(load_id), str(exported), "--json")
    again = run("quarantine", "retry", str(load_id), str(exported))

    assert 1 == released["new"]
    waiting = [row for row in quarantined(city, load_id) if row.released_by is None]
    assert (1 if suffix == ".csv" else 0) == len(waiting)
    assert "no row" in again
    assert 2 == held(city, "facilities", key)


def test_geometries_are_corrected_in_a_geopackage_in_their_own_system(
    city: City, tmp_path: Path, run: Command
) -> None:
    bowtie = "POLYGON((500000 2490000,500100 2490100,500100 2490000,500000 2490100,500000 2490000))"
    square = "POLYGON((500000 2490000,500100 2490000,500100 2490100,500000 2490100,500000 2490000))"
    table = written(tmp_path / "plots.csv", f'宗地代码,坐落,wkt\nT1,甲,"{bowtie}"\n')
    load_id = run("load", "parcels", table, "--crs", "EPSG:4547", "--json")["load_id"]
    exported = tmp_path / "bad.gpkg"
    run("quarantine", "export", str(load_id), str(exported))
    with sqlite3.connect(exported) as package:
        (srs,) = package.execute("SELECT srs_id FROM gpkg_geometry_columns").fetchone()
    package.close()
    _replace_geometry(exported, square)

    (released,) = run("quarantine", "retry", str(load_id), str(exported), "--json")

    assert 4547 == srs
    assert (1, 0) == (released["new"], released["rejected"]), released["reasons"]
    assert 1 == held(city, "parcels", "T1")


def _replace_geometry(path: Path, wkt: str) -> None:
    """Write the one geometry anew, as QGIS does."""
    import geopandas

    frame = geopandas.read_file(path, engine="pyogrio")
    frame["geometry"] = geopandas.GeoSeries.from_wkt([wkt], crs=frame.crs)
    path.unlink()
    frame.to_file(path, driver="GPKG", layer="quarantine", engine="pyogrio")


def test_a_row_that_was_never_in_quarantine_is_refused(
    city: City, tmp_path: Path, run: Command
) -> None:
    table = written(tmp_path / "u.csv", "编码,名称,lon,lat,容量\nU1,书吧,114.2,22.6,多\n")
    load_id = run("load", "facilities", table, "--crs", "EPSG:4490", "--json")["load_id"]
    made_up = written(tmp_path / "made.csv", "quarantine_row,编码\n7,U7\n")

    said = run("quarantine", "retry", str(load_id), made_up, code=65)

    assert "row 7" in said
    assert [None] == [row.released_by for row in quarantined(city, load_id)]


def test_another_mapping_may_release_rows(city: City, tmp_path: Path, run: Command) -> None:
    table = written(
        tmp_path / "v.csv", '管线编号,管类,wkt\nV1,水,"LINESTRING(114 22.5,114.001 22.5)"\n'
    )
    load_id = run("load", "pipelines", table, "--crs", "EPSG:4490", "--json")["load_id"]
    words = written(tmp_path / "words.yaml", "values: {kind: {水: JP}}\n")

    (released,) = run("quarantine", "retry", str(load_id), "--map", words, "--json")

    assert 1 == released["new"]
    assert str(load_id) in run("quarantine", "list")


def test_findings_go_to_files_in_which_nothing_of_a_row_is_obeyed(
    city: City, tmp_path: Path, run: Command
) -> None:
    row = 'W<script>alert(1)</script>,书吧,114.2,22.6,"<img src=x>"\n'
    table = written(
        tmp_path / "w.csv",
        f"编码,名称,lon,lat,容量\n{row}W2,书吧,114.3,22.6,1\nW3,书吧,114.3,22.6,2\n",
    )
    page, findings = tmp_path / "report.html", tmp_path / "found.geojson"

    run(
        "load",
        "facilities",
        table,
        "--crs",
        "EPSG:4490",
        "--report",
        str(page),
        "--findings",
        str(findings),
    )

    html, document = page.read_text(encoding="utf-8"), json.loads(findings.read_text())
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert 2 == html.count("<circle")
    assert {"not_an_integer": 1, "same_geometry": 1} == document["counts"]
    places = [feature["geometry"]["coordinates"] for feature in document["features"]]
    assert [[114.2, 22.6], [114.3, 22.6]] == sorted(places)
    sentence = document["features"][0]["properties"]["sentence"]
    assert {"en", "zh"} == sentence.keys()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--strict", "no_such_rule"), "no_such_rule"),
        (("--strict", "parcels_overlap"), "parcels_overlap"),
        (("--threshold", "overlap_m2=much"), "much"),
        (("--threshold", "nothing=1"), "nothing"),
        (("--checks", "some"), "checks"),
        (("--report", "page.txt"), ".html"),
        (("--findings", "found.xlsx"), ".geojson"),
    ],
)
def test_rules_and_files_that_there_are_not_are_refused(
    tmp_path: Path, run: Command, arguments: tuple[str, ...], word: str
) -> None:
    table = written(tmp_path / "x.csv", "编码,lon,lat\nX1,114.2,22.6\n")

    assert word in run("load", "facilities", table, *arguments, code=64)


def test_a_strict_load_rejects_what_is_else_only_told(
    city: City, tmp_path: Path, run: Command
) -> None:
    square = "POLYGON((114 22.5,114.001 22.5,114.001 22.501,114 22.5))"
    table = written(tmp_path / "y.csv", f'宗地代码,wkt\nY1,"{square}"\n')
    arguments = ("load", "parcels", table, "--crs", "EPSG:4490", "--json", "--dry-run")

    told = run(*arguments)
    strict = run(*arguments, "--strict", "parcel_code_structure")

    assert (1, {"parcel_code_structure": 1}) == (told["new"], told["warnings"])
    assert (1, {"parcel_code_structure": 1}) == (strict["rejected"], strict["reasons"])


def test_an_exported_table_can_be_read_by_a_spreadsheet(
    city: City, tmp_path: Path, run: Command
) -> None:
    table = written(tmp_path / "z.csv", "编码,名称,lon,lat,容量\nZ1,书吧,114.2,22.6,多\n")
    load_id = run("load", "facilities", table, "--crs", "EPSG:4490", "--json")["load_id"]
    exported = tmp_path / "bad.csv"

    run("quarantine", "export", str(load_id), str(exported))

    with exported.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert b"\xef\xbb\xbf" == exported.read_bytes()[:3]
    assert ("1", "Z1", "多") == (row["quarantine_row"], row["编码"], row["容量"])
