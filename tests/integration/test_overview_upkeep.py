"""Overviews of themes, of databases that come from an earlier version, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from geoservice.cli import app
from geoservice.schema import MIGRATIONS
from layers.access import Clearance
from layers.roles import Role
from tests.support import City, parcel
from tests.theme_support import document_of, edit, geojson_file, load_file, theme_of

SQUARE = [[[114.0, 22.5], [114.1, 22.5], [114.1, 22.6], [114.0, 22.6], [114.0, 22.5]]]


@pytest.fixture(scope="module", autouse=True)
def ponds(city: City, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A theme of one area and another of one point."""
    folder = tmp_path_factory.mktemp("themes")
    for name, geometry in (
        ("ponds", {"type": "Polygon", "coordinates": SQUARE}),
        ("wells", {"type": "Point", "coordinates": [114.0, 22.5]}),
    ):
        feature = {"type": "Feature", "geometry": geometry, "properties": {"编号": "A1", "n": 1}}
        load_file(city, name, geojson_file(folder / f"{name}.geojson", [feature]), key=("编号",))


def test_a_database_of_an_earlier_version_gets_the_tables_that_its_themes_lack(
    city: City,
) -> None:
    script = (MIGRATIONS / "versions" / "0013_functions.sql").read_text(encoding="utf-8")
    upgrade = script.partition("-- Themes that are there already.\n")[2]
    with city.address.connect(Role.OWNER) as connection:
        before = _shape(connection)
        tables = connection.execute(
            text(
                "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind = 'p' "
                "AND relnamespace = 'themes'::regnamespace AND relname ~ '_(overview|cells)$'"
            )
        ).scalar_one()
        connection.exec_driver_sql(f"DROP TABLE {tables} CASCADE")
        connection.exec_driver_sql(upgrade.replace("%", "%%"))
        after = _shape(connection)
        connection.rollback()

    assert 6 < len(before)
    assert before == after


def _shape(connection: Connection) -> set[tuple[Any, ...]]:
    """Columns and indexes of the tables that low zooms of themes read."""
    rows = connection.execute(
        text("""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'themes'::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relname ~ '_(overview|cells)' AND a.attnum > 0
        UNION ALL
        SELECT tablename, indexname, indexdef, '' FROM pg_indexes
        WHERE schemaname = 'themes' AND tablename ~ '_(overview|cells)'
        """)
    )
    return {tuple(row) for row in rows}


def test_what_low_zooms_count_moves_with_the_clearance_of_a_theme(city: City) -> None:
    lowered = document_of(city, "ponds") | {"clearance": "public"}
    edit(city, "ponds", lowered, reason="a test")
    seen = _counted(city, Role.READ_PUBLIC)
    edit(city, "ponds", lowered | {"clearance": "government"})

    assert 1 == seen
    assert 1 == _counted(city, Role.READ_GOVERNMENT)
    assert Clearance.GOVERNMENT is theme_of(city, "ponds").clearance
    with city.address.connect(Role.READ_PUBLIC) as connection:
        assert connection.execute(text("SELECT to_regclass('ponds_cells')")).scalar() is None
        known = connection.execute(text("SELECT layer FROM overviews")).scalars().all()
        assert "ponds" not in known


def _counted(city: City, role: Role) -> int:
    with city.address.connect(role) as connection:
        statement = "SELECT sum(present) FROM ponds_cells WHERE cell_zoom = 3"
        count: int = connection.execute(text(statement)).scalar_one()
    return count


def test_a_command_makes_what_an_upgraded_database_lacks(
    city: City, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    city.publish("parcels", [parcel("P1", 114.0, 22.5)])
    with city.address.connect(Role.LOADER) as connection:
        for table in ("parcels_cells", "parcels_overview", "overviews"):
            connection.execute(text(f"DELETE FROM city.{table}"))
        connection.commit()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEOSERVICE_DATABASE__FOLDER", str(city.settings.database.folder))
    monkeypatch.setenv("GEOSERVICE_DATABASE__NAME", city.settings.database.name)

    done = CliRunner().invoke(app, ["layers", "overviews", "parcels"])

    assert 0 == done.exit_code, done.output
    with city.address.connect(Role.READ_PUBLIC) as connection:
        made = connection.execute(text("SELECT layer, base_zoom FROM overviews")).all()
        counted = connection.execute(text("SELECT sum(present) FROM parcels_cells")).scalar_one()
    assert [("parcels", 0)] == [tuple(row) for row in made]
    assert 6 == counted
