"""Loads in process on real PostGIS: survey tables, and what a late failure means."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from layers.registry import get_layer
from layers.roles import Role
from loaders import LoadOptions, LoadReport, load, loading
from tests.support import City


def load_csv(city: City, layer: str, path: Path, content: str) -> LoadReport:
    """Load a table in EPSG:4490."""
    path.write_text(content, encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
    with city.address.connect_loader() as connections:
        return load(connections, get_layer(layer), [path], options)


def test_a_segment_made_of_nodes_is_as_secret_as_they_are(city: City, tmp_path: Path) -> None:
    nodes = (
        "物探点号,管类,lon,lat,地面高程\n"
        "W1,JP,114.05,22.54,5\nW2,JP,114.051,22.54,5\nG1,TR,114.052,22.54,5\n"
    )
    lines = "管线编号,管类,起点点号,终点点号,起点埋深,终点埋深\nA,JP,W1,W2,1,1\nB,JP,W2,G1,1,1\n"
    assert load_csv(city, "pipeline_nodes", tmp_path / "nodes.csv", nodes).new == 3

    report = load_csv(city, "pipelines", tmp_path / "lines.csv", lines)

    assert (report.new, report.rejected) == (2, 0), report.examples
    with city.address.connect(Role.READ_GOVERNMENT) as connection:
        seen = connection.execute(text("SELECT code FROM pipelines")).scalars().all()
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        held = connection.execute(text("SELECT code FROM pipelines ORDER BY code")).scalars().all()
    assert (["A"], ["A", "B"]) == (list(seen), list(held))


def test_a_section_of_any_length_stops_no_load(city: City, tmp_path: Path) -> None:
    section = "300x" + "9" * 400
    lines = f"管线编号,管类,起点点号,终点点号,断面尺寸\nC,JP,W1,W2,{section}\n"

    report = load_csv(city, "pipelines", tmp_path / "lines.csv", lines)

    assert report.new + report.rejected == 1


def test_what_fails_after_the_commit_does_not_make_a_load_failed(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "_ANALYZE_ROWS", 1)
    monkeypatch.setattr(loading, "_refresh_statistics", fail)
    with pytest.raises(KeyboardInterrupt):
        load_csv(
            city, "roads", tmp_path / "a.csv", 'code,wkt\nR,"LINESTRING(114 22.5,114.1 22.5)"\n'
        )

    with city.address.connect(Role.OWNER) as connection:
        state = connection.execute(text("SELECT state FROM city.loads WHERE layer = 'roads'"))
        assert state.scalar_one() == "published"
