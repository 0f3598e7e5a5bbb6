"""Loads by mappings and by systems of the installation, from the command line to the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from layers.roles import Role
from tests.support import City

CANARIES = ("31.4159", "154.1618", "80.2718")
SYSTEMS = """
datums:
  EPSG:4214: {x_m: 31.4159, y_m: -154.1618, z_m: -80.2718, accuracy_m: 2}
"""
LINES = (
    "线号,管线种类名,起点号,终点号,管径(m),建设年代,备注\n"
    "M1,给水管道,MA,MB,0.3,2016年8月30日,待定\n"
    "M2,给水管道,MB,MC,0.4,2016/8/30,\n"
)
NODES = "物探点号,管类,lon,lat\nMA,JS,114.05,22.54\nMB,JS,114.051,22.54\nMC,JS,114.052,22.54\n"


def run(city: City, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command of the service, in a folder, on the module's database."""
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_LOAD__MAPPINGS_FOLDER": str(folder / "mappings"),
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "geoservice", *arguments],
        env=environment | more,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def loaded(done: subprocess.CompletedProcess[str]) -> Any:
    """The report of a load that was asked for as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_checked_file_loads_by_the_mapping_that_was_written_and_saved(
    city: City, tmp_path: Path
) -> None:
    (tmp_path / "nodes.csv").write_text(NODES, encoding="utf-8")
    (tmp_path / "lines.csv").write_text(LINES, encoding="gb18030")
    loaded(run(city, tmp_path, "load", "pipeline_nodes", "nodes.csv", "--crs", "4490", "--json"))
    checked = run(
        city, tmp_path, "check", "lines.csv", "--layer-as", "pipelines", "--write", "office.yaml"
    )
    assert checked.returncode == 0, checked.stderr
    assert run(city, tmp_path, "mappings", "save", "office", "office.yaml").returncode == 0

    by_file = loaded(
        run(city, tmp_path, "load", "pipelines", "lines.csv", "--map", "office.yaml", "--json")
    )
    by_name = loaded(
        run(city, tmp_path, "load", "pipelines", "lines.csv", "--map", "office", "--json")
    )

    assert (by_file["new"], by_file["rejected"]) == (2, 0), by_file
    assert (by_name["unchanged"], by_name["rejected"]) == (2, 0)
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        rows = connection.execute(
            text("SELECT kind, diameter_mm, installed_on::text FROM pipelines ORDER BY diameter_mm")
        ).all()
    assert [tuple(row) for row in rows] == [("JS", 300, "2016-08-30"), ("JS", 400, "2016-08-30")]


def test_parameters_of_the_installation_are_used_and_kept_nowhere(
    city: City, tmp_path: Path
) -> None:
    (tmp_path / "systems.yaml").write_text(SYSTEMS, encoding="utf-8")
    table = "编码,名称,X,Y\nB1,图书馆,505955.85,2493941.25\nB2,,505955.85,\nB3,远,1.5,2.5\n"
    (tmp_path / "old.csv").write_text(table, encoding="utf-8")

    done = run(
        city,
        tmp_path,
        *("load", "facilities", "old.csv", "--crs", "EPSG:2435", "--json"),
        GEOSERVICE_CITY__SYSTEMS_FILE=str(tmp_path / "systems.yaml"),
    )

    report = loaded(done)
    assert (report["new"], report["rejected"]) == (1, 2)
    with city.address.connect(Role.LOADER) as connection:
        held = connection.execute(
            text("SELECT to_jsonb(l)::text FROM city.loads l WHERE load_id = :n"),
            {"n": report["load_id"]},
        ).scalar_one()
        kept = connection.execute(text("SELECT to_jsonb(q)::text FROM city.quarantine q")).scalars()
        everything = " ".join((held, *kept, done.stdout, done.stderr))
    source = json.loads(held)["source"]["sources"][0]
    assert source["crs"] == "EPSG:2435"
    assert source["accuracy_m"] == 2
    assert source["transformation"].endswith("to CGCS2000 by 3 parameters of this installation")
    assert not [canary for canary in CANARIES if canary in everything]


@pytest.mark.parametrize(
    ("crs", "said"),
    [
        ("EPSG:2435", "operator must supply"),
        ("+proj=tmerc +lon_0=114 +nadgrids=/etc/passwd", "may not stand in a PROJ string"),
    ],
)
def test_a_system_without_a_way_is_refused_before_anything_is_written(
    city: City, tmp_path: Path, crs: str, said: str
) -> None:
    (tmp_path / "old.csv").write_text("编码,X,Y\nC1,505955.85,2493941.25\n", encoding="utf-8")

    done = run(city, tmp_path, "load", "facilities", "old.csv", "--crs", crs)

    assert done.returncode == 65
    assert said in done.stderr
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        found = connection.execute(text("SELECT count(*) FROM facilities WHERE code = 'C1'"))
        assert found.scalar_one() == 0
