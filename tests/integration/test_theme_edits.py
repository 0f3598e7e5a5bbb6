"""What is said of a theme may be changed: nothing is lost by it, nothing opened by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from typer.testing import CliRunner

from geoservice.cli import app
from layers.access import Clearance
from layers.errors import InvalidParameter, InvalidTheme, LoadInProgress, UnknownLayer
from layers.roles import Role
from layers.tables import qualified, qualified_past
from layers.themes import drop_theme, theme_history
from tests.support import City
from tests.theme_support import (
    Json,
    as_owner,
    document_of,
    edit,
    load_file,
    points_file,
    stations,
    theme_of,
    themes_of,
)


@pytest.fixture
def posts(city: City, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A theme of six points, one of them with a past version, known by a number."""
    name = f"posts_{abs(hash(request.node.name)) % 10**8}"
    rows = stations(6)
    load_file(city, name, points_file(tmp_path / "a.geojson", rows), key=("基站编号",))
    rows[0]["名称"] = "新名"
    load_file(city, name, points_file(tmp_path / "b.geojson", rows))
    return name


def attribute(said: Json, name: str) -> Json:
    """One attribute of a document."""
    found: Json = next(one for one in said["attributes"] if one["name"] == name)
    return found


def column_of(city: City, name: str, attribute_name: str, table: str = "") -> list[Any]:
    """The values of an attribute as stored, in the order of the keys."""
    theme = theme_of(city, name)
    column = theme.attribute[attribute_name].column
    with city.address.connect(Role.OWNER) as connection:
        statement = f"SELECT {column} FROM {table or qualified(theme)} ORDER BY natural_key"
        return list(connection.execute(text(statement)).scalars())


def test_titles_units_codes_and_style_are_what_a_document_says(city: City, posts: str) -> None:
    said = document_of(city, posts)
    said["title"] = {"en": "Posts", "zh": "立杆"}
    said["minzoom"], said["style"]["color"] = 11, "#123456"
    attribute(said, "a4").update(unit="dm", title={"en": "Height", "zh": "高"})
    entry = {"code": "宏站", "title": {"en": "Macro", "zh": "宏"}, "color": "#654321"}
    attribute(said, "a3")["codes"] = {"closed": False, "entries": [entry]}
    attribute(said, "a3")["in_tile"] = True
    said["style"]["color_by"] = "a3"

    edit(city, posts, said)

    assert said == document_of(city, posts)


def test_an_attribute_may_get_a_better_name(city: City, posts: str) -> None:
    said = document_of(city, posts)
    attribute(said, "a4")["name"] = "height_m"
    before = column_of(city, posts, "a4")

    edit(city, posts, said)

    assert before == column_of(city, posts, "height_m")
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        seen = connection.execute(text(f"SELECT height_m FROM {posts} ORDER BY height_m"))
        assert sorted(before) == list(seen.scalars())


def test_a_type_becomes_wider_for_all_versions_and_never_narrower(city: City, posts: str) -> None:
    said = document_of(city, posts)
    attribute(said, "a4")["type"] = "number"
    edit(city, posts, said)
    attribute(said, "a4").update(type="text", unit=None)

    edit(city, posts, said)

    past = qualified_past(theme_of(city, posts))
    assert [str(10 + n) for n in range(6)] == sorted(column_of(city, posts, "a4"))[-6:]
    assert ["10"] == column_of(city, posts, "a4", past)
    attribute(said, "a4")["type"] = "integer"
    with pytest.raises(InvalidTheme, match="a4 cannot become integer"):
        edit(city, posts, said)


def test_an_attribute_may_come_and_never_goes(city: City, posts: str, tmp_path: Path) -> None:
    said = document_of(city, posts)
    title = {"en": "Owner", "zh": "权属"}
    said["attributes"].append(
        {"name": "owner", "type": "text", "title": title, "aliases": ["权属单位"]}
    )
    edited = edit(city, posts, said)
    load_file(city, posts, points_file(tmp_path / "c.geojson", stations(1, 权属单位="铁塔")))

    assert "a6" == edited.attribute["owner"].column
    assert "铁塔" in column_of(city, posts, "owner")
    del said["attributes"][-1]
    with pytest.raises(InvalidTheme, match=r"owner \(a6\) is missing"):
        edit(city, posts, said)


def test_lowering_needs_a_reason_that_is_written_down(city: City, posts: str) -> None:
    said = document_of(city, posts) | {"clearance": "public"}
    with pytest.raises(InvalidParameter, match="restricted to public"):
        edit(city, posts, said)

    edit(city, posts, said, "decided by the office")

    with city.address.connect(Role.LOADER) as connection:
        last = theme_history(connection, posts)[-1]
    assert (2, "edited", "decided by the office") == (last.version, last.action, last.reason)
    assert "public" == last.descriptor["clearance"]


def test_raising_moves_all_versions_and_what_was_rejected(
    city: City, posts: str, tmp_path: Path
) -> None:
    edit(city, posts, document_of(city, posts) | {"clearance": "public"}, "it may be seen")
    far = {"lon": 2.35, "lat": 48.85, "基站编号": "X", "挂高(m)": 1}
    load_file(city, posts, points_file(tmp_path / "c.geojson", [*stations(1), far]))
    theme = theme_of(city, posts)
    tables = (qualified(theme), qualified_past(theme))
    rejected = (
        "SELECT clearance FROM city.quarantine JOIN city.loads USING (load_id) "
        f"WHERE layer = '{posts}'"
    )
    assert [0, 0, 0] == [
        as_owner(city, f"SELECT max(clearance) FROM {table}") for table in tables
    ] + [as_owner(city, rejected)]

    edit(city, posts, document_of(city, posts) | {"clearance": "government"})

    assert [2, 2, 2] == [
        as_owner(city, f"SELECT min(clearance) FROM {table}") for table in tables
    ] + [as_owner(city, rejected)]
    assert as_owner(city, f"SELECT to_regclass('{qualified(theme)}_0')") is None


def test_an_attribute_is_opened_with_a_reason_only(city: City, posts: str) -> None:
    said = document_of(city, posts)
    attribute(said, "a4")["clearance"] = "restricted"
    edit(city, posts, said)
    del attribute(said, "a4")["clearance"]

    with pytest.raises(InvalidParameter, match="a4 from restricted to public"):
        edit(city, posts, said)


def test_a_key_is_taken_if_it_tells_apart_what_is_held(city: City, tmp_path: Path) -> None:
    rows = stations(4)
    load_file(city, "benches", points_file(tmp_path / "a.geojson", rows))
    said = document_of(city, "benches")
    with pytest.raises(InvalidTheme, match="a3 0 are empty and 2 come again"):
        edit(city, "benches", said | {"key": ["a3"]})
    edit(city, "benches", said | {"key": ["a1"]})
    rows[2]["名称"] = "另名"

    again = load_file(city, "benches", points_file(tmp_path / "b.geojson", rows)).report

    assert again is not None
    assert (0, 1, 3) == (again.new, again.changed, again.unchanged)
    with pytest.raises(InvalidTheme, match="keeps one"):
        edit(city, "benches", said)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "other"}, "keeps its name"),
        ({"geometry_type": "MultiPolygon"}, "it stays Point"),
        ({"clearance": "secret"}, "clearance"),
        ({"colour": "red"}, "colour"),
        ({"minzoom": 18, "maxzoom": 3}, "minzoom is above maxzoom"),
        ({"key": ["nothing"]}, "key names attribute 'nothing'"),
        ({"key": ["a3; DROP TABLE city.loads"]}, "which is not there"),
        ({"style": {"color": "red"}}, "style.color"),
        ({"style": {"color": "#112233", "color_by": "a4"}}, "a4 has no codes"),
        ({"attributes": []}, "which is not there"),
    ],
)
def test_what_a_theme_cannot_be_is_refused(
    city: City, posts: str, change: Json, reason: str
) -> None:
    said = document_of(city, posts)

    with pytest.raises(InvalidTheme, match=reason):
        edit(city, posts, said | change)

    assert said == document_of(city, posts)


def test_what_the_style_shows_cannot_be_hidden(city: City, posts: str) -> None:
    edit(city, posts, document_of(city, posts) | {"clearance": "public"}, "it may be seen")
    said = document_of(city, posts)
    attribute(said, "name")["clearance"] = "government"

    with pytest.raises(InvalidTheme, match="the style shows name"):
        edit(city, posts, said)


def test_an_edit_waits_for_a_load_and_gives_up_in_time(
    city: City, posts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layers.rewrite.LOCK_TIMEOUT_S", 1)
    with city.address.connect(Role.LOADER) as connection:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('publish'), hashtext(:name))"),
            {"name": posts},
        )
        with pytest.raises(LoadInProgress):
            edit(city, posts, document_of(city, posts) | {"minzoom": 9})


def test_later_files_make_types_wider_and_say_so(city: City, posts: str, tmp_path: Path) -> None:
    rows = stations(6)
    for row in rows:
        row["挂高(m)"] = row["挂高(m)"] + 0.5

    done = load_file(city, posts, points_file(tmp_path / "c.geojson", rows))

    assert "number" == attribute(document_of(city, posts), "a4")["type"]
    assert any("a4 is now number, was integer" in note for note in done.notes)
    assert done.report is not None
    assert (6, 0) == (done.report.changed, done.report.rejected)


def test_a_few_odd_values_go_to_quarantine_instead(city: City, posts: str, tmp_path: Path) -> None:
    rows = stations(60)
    rows[7]["挂高(m)"] = "约十米"

    done = load_file(city, posts, points_file(tmp_path / "c.geojson", rows))

    assert "integer" == attribute(document_of(city, posts), "a4")["type"]
    assert done.report is not None
    assert 1 == done.report.rejected
    assert "not_an_integer" in done.report.reasons


def test_a_dropped_theme_leaves_its_history_only(city: City, posts: str, tmp_path: Path) -> None:
    theme = theme_of(city, posts)
    with city.address.connect(Role.OWNER) as connection:
        with pytest.raises(InvalidParameter):
            drop_theme(connection, posts, reason=" ")
        drop_theme(connection, posts, reason="not needed any more")
        connection.commit()

    assert as_owner(city, f"SELECT to_regclass('{qualified(theme)}')") is None
    assert as_owner(city, f"SELECT to_regclass('read_restricted.{posts}')") is None
    kept = f"SELECT reason FROM city.theme_edits WHERE theme_id = {qualified(theme)[8:]}"
    assert "not needed any more" == as_owner(city, f"{kept} AND action = 'dropped'")
    with city.address.connect(Role.LOADER) as connection, pytest.raises(UnknownLayer):
        theme_history(connection, posts)
    loads_of = f"SELECT count(*) FROM city.loads WHERE layer = '{posts}' AND state = 'purged'"
    assert 2 == as_owner(city, f"{loads_of} AND purge->>'reason' LIKE '%not needed any more'")
    again = load_file(city, posts, points_file(tmp_path / "d.geojson", stations(2)))
    assert again.is_new
    assert again.report is not None
    assert 2 == again.report.new


@pytest.fixture
def command(city: City, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``geoservice ...`` on the module's database; returns what it printed."""
    monkeypatch.setenv("GEOSERVICE_DATABASE__FOLDER", str(city.settings.database.folder))
    monkeypatch.setenv("GEOSERVICE_DATABASE__NAME", city.settings.database.name)

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
        assert 0 == done.exit_code
        return done.output

    return run


def test_the_commands_take_a_theme_from_its_file_to_its_end(
    city: City, tmp_path: Path, command: Any
) -> None:
    path = points_file(tmp_path / "摄像头.geojson", stations(3))
    said = tmp_path / "cameras.yaml"

    loaded = command("load", "theme", "cameras", path, "--title", "摄像头", "--key", "基站编号")
    command("themes", "export", "cameras", said)
    document = yaml.safe_load(said.read_text(encoding="utf-8"))
    said.write_text(
        yaml.safe_dump(document | {"title": {"en": "Cameras", "zh": "监控"}}, allow_unicode=True),
        encoding="utf-8",
    )
    command("themes", "edit", "cameras", said)
    command("themes", "clearance", "cameras", "public", "--reason", "open data")
    reloaded = command("load", "cameras", path)
    described = command("themes", "describe", "cameras")
    listed = command("themes", "list") + command("layers", "list")
    command("themes", "drop", "cameras", "--reason", "only a test")

    assert "themes clearance cameras" in loaded
    assert "监控" in described
    assert "open data" in described
    assert 2 == listed.count("cameras")
    assert "unchanged" in reloaded
    assert "cameras" not in {theme.name for theme in themes_of(city)}


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "theme", "parcels", "{file}"),
        ("load", "theme", "Bad-Name", "{file}"),
        ("load", "theme", "raster", "{file}"),
        ("load", "theme", "empty"),
        ("load", "nothing_of_that_name", "{file}"),
        ("load", "theme", "signs", "{file}", "--clearance", "secret"),
        ("themes", "edit", "signs", "{file}.yaml"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, command: Any, arguments: tuple[str, ...]
) -> None:
    path = points_file(tmp_path / "a.geojson", stations(2))
    told = [one.replace("{file}", str(path)) for one in arguments]

    with pytest.raises(Exception, match=r"\w") as failure:
        command(*told)

    assert isinstance(failure.value, (InvalidParameter, InvalidTheme, UnknownLayer, ValueError))


def test_a_theme_that_is_there_is_not_changed_by_the_way(
    city: City, posts: str, tmp_path: Path
) -> None:
    path = points_file(tmp_path / "c.geojson", stations(2))

    with pytest.raises(InvalidParameter, match="themes edit"):
        load_file(city, posts, path, clearance=Clearance.PUBLIC)
