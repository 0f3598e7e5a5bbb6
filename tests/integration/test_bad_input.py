"""Bad input on the command line: a clear sentence, an exit code, and nothing half written."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import text

from layers.roles import Role
from tests.support import City

Writer = Callable[[Path], Path]

SQUARE = [[[114.0, 22.5], [114.001, 22.5], [114.001, 22.501], [114.0, 22.501], [114.0, 22.5]]]
BOWTIE = [[[114.0, 22.5], [114.001, 22.501], [114.001, 22.5], [114.0, 22.501], [114.0, 22.5]]]


def run(city: City, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the service as a process."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "geoservice", *arguments],
        env=environment(city),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def environment(city: City) -> dict[str, str]:
    """Variables that point a command at the module's database."""
    return os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_LOAD__MAX_UNPACKED_BYTES": "200000000",
    }


def geojson(path: Path, rings: list[list[list[list[float]]]]) -> Path:
    """A GeoJSON file of polygons with codes C0, C1, ..."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": f"C{number}"},
            "geometry": {"type": "Polygon", "coordinates": ring},
        }
        for number, ring in enumerate(rings)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def written(city: City) -> tuple[int, int]:
    """Rows of parcels, held and past, and tables left in staging."""
    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text("SELECT (SELECT count(*) FROM city.parcels) + count(*) FROM city.parcels_past")
        ).scalar_one()
        staged = connection.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'")
        ).scalar_one()
    return int(rows), int(staged)


def truncated_shapefile(folder: Path) -> Path:
    """A shapefile whose header promises more than there is."""
    path = folder / "cut.shp"
    header = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 50_000)
    header += struct.pack("<2i8d", 1000, 5, 113.0, 22.0, 114.0, 23.0, 0, 0, 0, 0)
    path.write_bytes(header)
    path.with_suffix(".shx").write_bytes(header)
    path.with_suffix(".dbf").write_bytes(b"\x03" + bytes(31) + b"\r\x1a")
    path.with_suffix(".prj").write_text(
        'GEOGCS["x",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
    )
    return path


def zip_bomb(folder: Path) -> Path:
    """A small archive that unpacks to gigabytes of zeros."""
    path = folder / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("parcels.geojson", "w", force_zip64=True) as member,
    ):
        for _ in range(1_000):
            member.write(bytes(1_000_000))
    return path


def nested_json(folder: Path) -> Path:
    """Ten megabytes of opening brackets."""
    path = folder / "deep.geojson"
    path.write_bytes(b"[" * 10_000_000)
    return path


def plain_csv(folder: Path) -> Path:
    """A table without coordinates."""
    path = folder / "places.csv"
    path.write_text("code,name\nA,甲\n", encoding="utf-8")
    return path


def random_bytes(folder: Path) -> Path:
    """A file that only says it is a GeoPackage."""
    path = folder / "noise.gpkg"
    path.write_bytes(os.urandom(4096))
    return path


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (truncated_shapefile, "cut.shp"),
        (zip_bomb, "bomb.zip"),
        (nested_json, "deep.geojson"),
        (plain_csv, "places.csv"),
        (random_bytes, "noise.gpkg"),
    ],
    ids=["truncated", "zip-bomb", "nesting", "no-coordinates", "noise"],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    city: City, tmp_path: Path, write: Writer, words: str
) -> None:
    before = written(city)

    done = run(city, "load", "parcels", str(write(tmp_path)))

    assert 65 == done.returncode, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert str(tmp_path) not in done.stderr
    assert before == written(city)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("load", "parcel", "FILE"), 64, "parcel"),
        (("load", "parcels", "nowhere.geojson"), 65, "nowhere.geojson"),
        (("load", "parcels", "FILE", "--crs", "EPSG:999999"), 65, "999999"),
        (("load", "parcels", "FILE", "--crs", "mars"), 65, "mars"),
        (("load", "parcels", "FILE", "--map", "code=NOSUCH"), 65, "NOSUCH"),
        (("load", "parcels", "FILE", "--map", "nosuch=code"), 65, "nosuch"),
        (("load", "parcels", "FILE", "--valid-from", "yesterday"), 64, "valid-from"),
        (("load", "parcels", "FILE", "--on-error", "ignore"), 64, "on_error"),
        (("load", "parcels", "FILE", "--valid-from", "0001-01-01"), 64, "valid-from"),
        (("keys", "create", "--clearance", "secret"), 64, "secret"),
        (("keys", "create", "--clearance", "public", "--allow", "fly"), 64, "fly"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    city: City, tmp_path: Path, arguments: tuple[str, ...], code: int, word: str
) -> None:
    file = geojson(tmp_path / "parcels.geojson", [SQUARE])
    before = written(city)

    done = run(city, *(str(file) if a == "FILE" else a for a in arguments))

    assert code == done.returncode, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert before == written(city)


def test_a_bare_date_since_when_rows_are_true_is_midnight_in_the_city(
    city: City, tmp_path: Path
) -> None:
    ring = [[[x + 0.2, y] for x, y in SQUARE[0]]]
    file = geojson(tmp_path / "dated.geojson", [ring])

    done = run(city, "load", "parcels", str(file), "--valid-from", "2020-01-01", "--set", "code=V1")

    assert 0 == done.returncode, done.stderr
    with city.address.connect(Role.OWNER) as connection:
        began = connection.execute(
            text("SELECT lower(valid_during) FROM city.parcels WHERE natural_key = 'V1'")
        ).scalar_one()
    assert "2019-12-31T16:00:00+00:00" == began.astimezone(UTC).isoformat()


def test_what_a_file_calls_its_columns_is_shown_and_not_obeyed(city: City, tmp_path: Path) -> None:
    ring = [[[x + 0.3, y] for x, y in SQUARE[0]]]
    file = geojson(tmp_path / "[red].geojson", [ring])
    odd = '"W0", "[/x]": 1, "\\u001b[31mred": 2'
    file.write_text(file.read_text().replace('"C0"', odd))

    done = run(city, "load", "parcels", str(file))
    listed = run(city, "loads", "list")

    assert (0, 0) == (done.returncode, listed.returncode), done.stderr + listed.stderr
    assert r"[/x], \x1b[31mred" in done.stdout
    assert "\x1b[31m" not in done.stdout


def test_a_name_that_is_not_utf8_is_told(city: City, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.geojson")
    geojson(file, [SQUARE])

    done = run(city, "load", "parcels", str(file))

    assert 65 == done.returncode
    assert "is not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_geometry_goes_to_quarantine_and_the_rest_is_loaded(
    city: City, tmp_path: Path
) -> None:
    file = geojson(tmp_path / "two.geojson", [SQUARE, BOWTIE])

    report = json.loads(run(city, "load", "parcels", str(file), "--json").stdout)

    assert (2, 1, 1) == (report["read"], report["new"], report["rejected"])
    with city.address.connect(Role.OWNER) as connection:
        row = connection.execute(
            text("SELECT natural_key, reasons, original FROM city.quarantine WHERE load_id = :id"),
            {"id": report["load_id"]},
        ).one()
    assert "C1" == row.natural_key
    assert row.reasons[0].startswith("invalid_geometry")
    assert "C1" == row.original["code"]


def test_on_error_reject_writes_nothing(city: City, tmp_path: Path) -> None:
    file = geojson(tmp_path / "three.geojson", [SQUARE, BOWTIE])
    before = written(city)

    done = run(city, "load", "parcels", str(file), "--on-error", "reject")

    assert 65 == done.returncode
    assert "invalid_geometry" in done.stderr
    assert before == written(city)


def test_a_dry_run_writes_nothing(city: City, tmp_path: Path) -> None:
    file = geojson(tmp_path / "dry.geojson", [SQUARE, BOWTIE])
    before = written(city)

    done = run(city, "load", "parcels", str(file), "--dry-run", "--json")

    assert 2 == json.loads(done.stdout)["read"]
    assert before == written(city)


def test_a_loader_that_is_killed_leaves_nothing_and_the_next_load_says_so(
    city: City, tmp_path: Path
) -> None:
    ring = SQUARE[0]
    rings = [
        [[[x + n % 400 * 0.001, y + n // 400 * 0.002] for x, y in ring]] for n in range(40_000)
    ]
    file = geojson(tmp_path / "many.geojson", rings)
    before = written(city)
    command = [sys.executable, "-P", "-m", "geoservice", "load", "parcels", str(file)]
    process = subprocess.Popen(
        command, env=environment(city), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _wait_until_staged(city)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert before[0] == written(city)[0]
    small = geojson(tmp_path / "small.geojson", [SQUARE])
    assert 0 == run(city, "load", "parcels", str(small)).returncode
    listed = run(city, "loads", "list").stdout
    assert "interrupted" in listed
    assert 0 == written(city)[1]


def _wait_until_staged(city: City) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if written(city)[1]:
            return
        time.sleep(0.02)
    pytest.fail("the load did not begin to stage")


def test_two_loads_of_a_layer_at_once_both_end_whole(city: City, tmp_path: Path) -> None:
    ring = SQUARE[0]
    files = []
    for number in range(2):
        shifted = [
            [[[x + n * 0.001, y + 0.1 + number * 0.05] for x, y in ring]] for n in range(300)
        ]
        path = geojson(tmp_path / f"part{number}.geojson", shifted)
        path.write_text(path.read_text().replace('"C', f'"D{number}-'))
        files.append(path)
    command = [sys.executable, "-P", "-m", "geoservice", "load", "parcels"]
    both = [
        subprocess.Popen([*command, str(file)], env=environment(city), stdout=subprocess.DEVNULL)
        for file in files
    ]

    codes = [process.wait(timeout=60) for process in both]

    assert [0, 0] == codes
    with city.address.connect(Role.OWNER) as connection:
        held = connection.execute(
            text("SELECT count(*) FROM city.parcels WHERE natural_key LIKE 'D%'")
        ).scalar_one()
    assert 600 == held
