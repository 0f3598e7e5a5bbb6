"""Rasters in the database and the store: versions in both times, who reads them, no leftovers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from layers.access import Clearance
from layers.errors import CannotPurge, CannotUndo, InvalidParameter, SourceError, UnknownRaster
from layers.purge import purge_load
from layers.raster_clearance import set_raster_clearance
from layers.raster_purge import files_of_load
from layers.rasters import current_rasters, raster_history
from layers.roles import Role, reader_role
from layers.undo import undo_load
from loaders.rasters import RasterOptions, RasterReport, RasterStore, load_raster
from tests.raster_files import terrain, write_asc, write_tif
from tests.support import City

START = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RasterStore:
    """An empty store."""
    return RasterStore(tmp_path / "store")


@pytest.fixture
def connection(city: City) -> Iterator[Connection]:
    """As the loader."""
    with city.address.connect(Role.LOADER) as connection:
        yield connection


class Rasters:
    """Loads into one raster of the module's database."""

    def __init__(self, city: City, connection: Connection, store: RasterStore, name: str) -> None:
        self.city, self.connection, self.store, self.name = city, connection, store, name

    def load(self, file: Path, **options: Any) -> RasterReport:
        """Load a file as a version."""
        frame = self.city.settings.city.frame()
        made = RasterOptions(city=frame, **options)
        return load_raster(self.connection, self.store, self.name, [file], made)

    def state(self) -> list[tuple[Any, ...]]:
        """What is held: valid time, file and clearance of each version."""
        statement = (
            "SELECT valid_during, file_name, clearance FROM city.rasters "
            "WHERE name = :name AND upper_inf(recorded_during) ORDER BY valid_during"
        )
        found = self.connection.execute(text(statement), {"name": self.name}).all()
        self.connection.commit()
        return [tuple(row) for row in found]

    def undo(self, load_id: int) -> int:
        """Undo a load; the number of the undoing."""
        done = undo_load(self.connection, load_id)
        self.connection.commit()
        return done.load_id


@pytest.fixture
def rasters(
    city: City, connection: Connection, store: RasterStore, request: pytest.FixtureRequest
) -> Rasters:
    """A raster that no other test has."""
    return Rasters(city, connection, store, f"r{abs(hash(request.node.name))}")


def test_a_raster_is_held_restricted_with_what_was_found(
    rasters: Rasters, city: City, tmp_path: Path
) -> None:
    pixels = terrain()
    report = rasters.load(write_tif(tmp_path / "dem.tif", pixels), title_zh="地形")

    with city.address.connect(Role.READ_RESTRICTED) as reader:
        (row,) = raster_history(reader, rasters.name)
    assert ("new", "terrain", Clearance.RESTRICTED) == (report.outcome, row.kind, row.clearance)
    assert ("地形", rasters.name, "EPSG:4547") == (row.title_zh, row.title_en, row.crs)
    assert (600, 600, "float32", None) == (row.width, row.height, row.dtype, row.nodata)
    west, south, east, north = row.bounds
    assert 114 < west < east < 114.2
    assert 22.4 < south < north < 22.6
    with rasterio.open(rasters.store.path(row.file_name)) as made:
        assert np.array_equal(pixels, made.read())


def test_files_are_for_their_owner_alone(rasters: Rasters, tmp_path: Path) -> None:
    rasters.load(write_tif(tmp_path / "dem.tif", terrain(50)))

    (file,) = rasters.store.folder.iterdir()
    assert 0o700 == stat.S_IMODE(rasters.store.folder.stat().st_mode)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert "dem" not in file.name


def test_a_file_loaded_twice_changes_nothing(rasters: Rasters, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", terrain(50))
    rasters.load(file, clearance=Clearance.PUBLIC)
    before = rasters.state()

    again = rasters.load(file)

    assert ("unchanged", None) == (again.outcome, again.pixels)
    assert before == rasters.state()
    assert 1 == len(list(rasters.store.folder.iterdir()))


def test_a_new_file_closes_the_version_before_and_keeps_it(
    rasters: Rasters, city: City, tmp_path: Path
) -> None:
    first = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)), valid_from=START)
    second = rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)), valid_from=LATER)

    assert ("new", "changed") == (first.outcome, second.outcome)
    assert first.pixels is not None
    assert second.pixels is not None
    with city.address.connect(Role.READ_RESTRICTED) as reader:
        versions = raster_history(reader, rasters.name)
        now = current_rasters(reader, datetime.now(UTC))
        then = current_rasters(reader, LATER - timedelta(days=1))
    spans = {
        (row.valid_during.lower, row.valid_during.upper, row.recorded_during.upper is None)
        for row in versions
    }
    assert {(START, None, False), (START, LATER, True), (LATER, None, True)} == spans
    assert second.pixels.file_name in {row.file_name for row in now}
    assert first.pixels.file_name in {row.file_name for row in then}
    assert 1 == len({row.raster_id for row in versions})
    assert 2 == len(list(rasters.store.folder.iterdir()))


def test_a_load_is_undone_to_the_state_before_and_the_undo_as_well(
    rasters: Rasters, tmp_path: Path
) -> None:
    first = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)), valid_from=START)
    one = rasters.state()
    second = rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)), valid_from=LATER)
    two = rasters.state()

    undone = rasters.undo(number_of(second))
    after_undo = rasters.state()
    rasters.undo(undone)
    after_redo = rasters.state()

    assert (one, two) == (after_undo, after_redo)
    with pytest.raises(CannotUndo, match="undo the later ones first"):
        undo_load(rasters.connection, number_of(first))
    rasters.connection.rollback()
    assert two == rasters.state()


def test_loads_are_undone_one_after_the_other_to_nothing(rasters: Rasters, tmp_path: Path) -> None:
    first = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)))
    second = rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)))

    rasters.undo(number_of(second))
    rasters.undo(number_of(first))

    assert [] == rasters.state()
    with pytest.raises(CannotUndo, match="undone already"):
        undo_load(rasters.connection, number_of(first))
    rasters.connection.rollback()
    again = rasters.load(tmp_path / "a.tif")
    assert "new" == again.outcome


def test_a_load_that_changed_nothing_cannot_be_undone(rasters: Rasters, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(50))
    rasters.load(file)
    again = rasters.load(file)

    with pytest.raises(CannotUndo, match="it changed nothing"):
        undo_load(rasters.connection, number_of(again))
    rasters.connection.rollback()


def number_of(report: RasterReport) -> int:
    """The number of a load that was not a dry run."""
    assert report.load_id is not None
    return report.load_id


def test_each_level_sees_the_rasters_of_its_level(
    rasters: Rasters, city: City, tmp_path: Path
) -> None:
    rasters.load(write_tif(tmp_path / "a.tif", terrain(50)), clearance=Clearance.ENTERPRISE)

    seen = []
    for level in Clearance:
        with city.address.connect(reader_role(level)) as reader:
            try:
                raster_history(reader, rasters.name)
                seen.append(level)
            except UnknownRaster:
                continue
    assert [Clearance.ENTERPRISE, Clearance.GOVERNMENT, Clearance.RESTRICTED] == seen


@pytest.mark.parametrize("level", Clearance)
def test_no_reader_reaches_the_table_or_where_files_came_from(city: City, level: Clearance) -> None:
    for statement in ("SELECT * FROM city.rasters", "SELECT source_sha256 FROM rasters"):
        with city.address.connect(reader_role(level)) as reader, pytest.raises(ProgrammingError):
            reader.execute(text(statement))


def test_a_condition_sees_no_row_of_a_higher_level(
    rasters: Rasters, city: City, tmp_path: Path
) -> None:
    rasters.load(write_tif(tmp_path / "a.tif", terrain(50)), title_en="secret")

    with city.address.connect(Role.READ_PUBLIC) as reader:
        peek = "SELECT count(*) FROM rasters WHERE (title_en || 'x')::int = 1 AND name = :name"
        assert 0 == reader.execute(text(peek), {"name": rasters.name}).scalar()


def test_a_clearance_is_raised_for_all_versions_and_never_lowered_by_a_load(
    rasters: Rasters, tmp_path: Path
) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(50, 1))
    rasters.load(file, valid_from=START, clearance=Clearance.PUBLIC)
    other = write_tif(tmp_path / "b.tif", terrain(50, 2))
    rasters.load(other, valid_from=LATER, clearance=Clearance.GOVERNMENT)

    with pytest.raises(InvalidParameter, match="held as government"):
        rasters.load(file, clearance=Clearance.PUBLIC)

    assert {Clearance.GOVERNMENT} == {clearance for *_, clearance in rasters.state()}


def test_a_refused_file_leaves_a_failed_load_and_no_file(rasters: Rasters, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", terrain(300))
    file.write_bytes(file.read_bytes()[:200_000])

    with pytest.raises(SourceError, match="converting stopped"):
        rasters.load(file)

    assert [] == rasters.state()
    assert [] == list(rasters.store.folder.iterdir())
    state, message = rasters.connection.execute(
        text("SELECT state, message FROM city.loads ORDER BY load_id DESC LIMIT 1")
    ).one()
    assert "failed" == state
    assert "a.tif" in message


def test_a_dry_run_leaves_nothing(rasters: Rasters, tmp_path: Path) -> None:
    report = rasters.load(write_tif(tmp_path / "a.tif", terrain(50)), dry_run=True)

    assert (None, "new") == (report.load_id, report.outcome)
    assert [] == rasters.state()
    assert [] == list(rasters.store.folder.iterdir())


def test_what_a_publication_that_failed_has_placed_goes_with_the_next_load(
    rasters: Rasters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    file = write_tif(tmp_path / "a.tif", terrain(50, 1))
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "commit", failing_where_it_publishes(fail))
        with pytest.raises(KeyboardInterrupt):
            rasters.load(file)
    left = {file.suffix for file in rasters.store.folder.iterdir()}
    report = rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)))

    assert {".tif", ".lock"} == left
    assert report.pixels is not None
    assert [report.pixels.file_name] == [file.name for file in rasters.store.folder.iterdir()]


def failing_where_it_publishes(fail: Any) -> Any:
    """Commits that end well until the one that publishes."""
    commit = Connection.commit
    calls = {"left": 4}

    def counted(connection: Connection) -> None:
        calls["left"] -= 1
        if calls["left"] == 0:
            fail()
        commit(connection)

    return counted


def test_a_file_that_was_published_stays_when_its_load_died_right_after(
    rasters: Rasters, tmp_path: Path
) -> None:
    report = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)))
    assert report.pixels is not None
    kept = rasters.store.path(report.pixels.file_name)
    kept.with_suffix(".lock").touch()

    rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)))

    assert kept.exists()
    assert [] == list(rasters.store.folder.glob("*.lock"))


def test_files_of_another_database_in_the_same_folder_are_left_alone(
    rasters: Rasters, tmp_path: Path
) -> None:
    rasters.store.folder.mkdir()
    (rasters.store.folder / "abc.lock").write_text("1 other")
    (rasters.store.folder / "abc.tif").touch()

    rasters.load(write_tif(tmp_path / "a.tif", terrain(50)))

    assert (rasters.store.folder / "abc.tif").exists()


def run(city: City, store: RasterStore, *arguments: str) -> subprocess.Popen[str]:
    """One command of the service as a process."""
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_RASTERS__FOLDER": str(store.folder),
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "geoservice", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_load_that_is_killed_leaves_nothing_after_the_next(
    rasters: Rasters, city: City, store: RasterStore, tmp_path: Path
) -> None:
    large = write_tif(tmp_path / "large.tif", terrain(4000))
    child = run(city, store, "load", "raster", rasters.name, str(large))
    deadline = time.monotonic() + 60
    while not list(store.folder.glob("*.work/copy.tif")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    left = list(store.folder.iterdir())

    report = rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)))

    assert left
    assert report.pixels is not None
    assert [report.pixels.file_name] == [file.name for file in store.folder.iterdir()]
    assert 1 == len(rasters.state())


def test_the_commands_load_list_and_describe_a_raster(
    city: City, store: RasterStore, tmp_path: Path
) -> None:
    file = write_asc(tmp_path / "dem.asc", ["1.5 2 -9999", "4 5.25 6"])
    arguments = ["--crs", "EPSG:4547", "--title-en", "Terrain [/b]", "--clearance", "government"]
    load = run(city, store, "load", "raster", "hills", str(file), *arguments, "--json")
    out, err = load.communicate(timeout=60)
    assert 0 == load.returncode, err

    report = json.loads(out)
    listed, _ = run(city, store, "rasters", "list").communicate(timeout=60)
    described, _ = run(city, store, "rasters", "describe", "hills").communicate(timeout=60)
    shown, _ = run(city, store, "load", "raster", "hills", str(file), *arguments).communicate()

    assert ("new", "terrain", -9999) == (
        report["outcome"],
        report["kind"],
        report["pixels"]["nodata"],
    )
    assert "hills" in listed
    assert "government" in listed
    assert "Terrain [/b]" in described
    assert "5.25" not in described
    assert "unchanged" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["Hills", "a.tif"], 64, "lower-case letters"),
        (["hills", "a.tif", "--clearance", "secret"], 64, "secret"),
        (["hills", "a.tif", "--kind", "dem"], 64, "terrain"),
        (["hills", "b.tif"], 65, "no such file"),
        (["hills", "a.tif"], 65, "--crs"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(
    city: City, store: RasterStore, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    write_tif(tmp_path / "a.tif", terrain(20), crs=None)
    name, file, *options = arguments

    command = run(city, store, "load", "raster", name, str(tmp_path / file), *options)
    _, err = command.communicate(timeout=60)

    assert code == command.returncode
    assert words in err.replace("\n", " ")
    assert "Traceback" not in err


def test_a_purge_of_what_is_held_is_refused_with_the_way_out(
    rasters: Rasters, tmp_path: Path
) -> None:
    report = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)))

    with pytest.raises(CannotPurge, match="undo it first"):
        purge_load(rasters.connection, number_of(report), "wrong file")
    rasters.connection.rollback()


def test_a_purge_deletes_versions_and_their_file_but_not_those_of_other_loads(
    rasters: Rasters, tmp_path: Path
) -> None:
    kept = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)))
    wrong = number_of(rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2))))
    rasters.undo(wrong)

    connection, load = rasters.connection, wrong
    with rasters.store.removing(connection, files_of_load(connection, load)):
        tombstone = purge_load(connection, load, "wrong file")
        connection.commit()

    (state,) = rasters.state()
    assert kept.pixels is not None
    assert 1 == tombstone.versions
    assert [state[1]] == [file.name for file in rasters.store.folder.iterdir()]
    assert kept.pixels.file_name == state[1]


def test_a_purge_that_fails_keeps_the_file(rasters: Rasters, tmp_path: Path) -> None:
    report = rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)))
    connection, load = rasters.connection, number_of(report)

    with (
        pytest.raises(CannotPurge),
        rasters.store.removing(connection, files_of_load(connection, load)),
    ):
        purge_load(connection, load, "wrong file")

    assert report.pixels is not None
    assert [report.pixels.file_name] == [file.name for file in rasters.store.folder.iterdir()]


def test_the_next_load_removes_files_of_a_purge_that_died(rasters: Rasters, tmp_path: Path) -> None:
    wrong = number_of(rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1))))
    rasters.undo(wrong)
    (file,) = rasters.store.folder.iterdir()
    identity = "SELECT oid || ' ' || datname FROM pg_database WHERE datname = current_database()"
    database = rasters.connection.execute(text(identity)).scalar_one()
    file.with_suffix(".lock").write_text(database)
    purge_load(rasters.connection, wrong, "wrong file")
    rasters.connection.commit()

    rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)))

    assert not file.exists()
    assert 1 == len(list(rasters.store.folder.iterdir()))


def test_a_clearance_is_lowered_for_all_versions_only_with_a_reason(
    rasters: Rasters, tmp_path: Path
) -> None:
    rasters.load(write_tif(tmp_path / "a.tif", terrain(50, 1)), valid_from=START)
    rasters.load(write_tif(tmp_path / "b.tif", terrain(50, 2)), valid_from=LATER)
    connection = rasters.connection

    with pytest.raises(InvalidParameter, match="reason"):
        set_raster_clearance(connection, rasters.name, Clearance.PUBLIC, " ")
    connection.rollback()
    before = set_raster_clearance(connection, rasters.name, Clearance.PUBLIC, "open data")
    connection.commit()

    levels = "SELECT DISTINCT clearance FROM city.rasters WHERE name = :name"
    found = connection.execute(text(levels), {"name": rasters.name}).scalars().all()
    why = connection.execute(text("SELECT message FROM city.loads ORDER BY load_id DESC LIMIT 1"))
    assert Clearance.RESTRICTED == before
    assert [0] == found
    assert f"clearance of {rasters.name}: restricted to public; open data" == why.scalar_one()
