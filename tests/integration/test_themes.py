"""Themes: a file becomes a layer that has all that typed layers have, seen by whom it may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mapbox_vector_tile import decode
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice import theme_loading
from geoservice.app import create_app
from geoservice.schema import migrate
from geoservice.theme_loading import connect_knowing_themes
from layers.access import Clearance
from layers.changes import changes_of_load, published_load
from layers.ddl import partitions_ddl
from layers.errors import LayerChanged
from layers.roles import Role, reader_role
from layers.tables import qualified
from layers.themes import drop_theme
from layers.undo import undo_load
from loaders import LoadOptions, load
from tests.conftest import KeyMaker
from tests.support import City
from tests.theme_support import (
    as_owner,
    document_of,
    edit,
    load_file,
    points_file,
    stations,
    theme_of,
    themes_of,
)

TILE = "15/26765/14276"
RESTRICTED = Clearance.RESTRICTED


def eventually(found: Callable[[], Any], within_s: float = 2.0) -> Any:
    """What is found to be true within the time that workers may take to know of a change."""
    until = time.monotonic() + within_s
    while not (answer := found()) and time.monotonic() < until:
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="module")
def base_stations(city: City, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A theme of twenty points with Chinese columns, known by their number, at ``restricted``."""
    path = points_file(tmp_path_factory.mktemp("files") / "基站.geojson", stations())
    load_file(city, "base_stations", path, title_zh="通信基站", key=("基站编号",))
    return "base_stations"


def test_all_of_a_descriptor_is_inferred(city: City, base_stations: str) -> None:
    said = document_of(city, base_stations)

    types = {a["name"]: a["type"] for a in said["attributes"]}
    assert {"a1": "text", "name": "text", "a3": "text", "a4": "integer", "a5": "date"} == types
    assert ["a1", "a2", "a3", "a4", "a5"] == [a["column"] for a in said["attributes"]]
    assert ("restricted", "Point", ["a1"]) == (
        said["clearance"],
        said["geometry_type"],
        said["key"],
    )
    assert ("name", "a3") == (said["style"]["label"], said["style"]["color_by"])
    assert {"en": "Base stations", "zh": "通信基站"} == said["title"]
    height = said["attributes"][3]
    assert ({"en": "挂高", "zh": "挂高"}, "m") == (height["title"], height["unit"])
    assert 6 == said["minzoom"]


def test_a_theme_is_where_every_layer_is(
    client: TestClient, headers_of: KeyMaker, base_stations: str
) -> None:
    headers = headers_of(RESTRICTED)

    collection = client.get(f"/collections/{base_stations}", headers=headers).json()
    tilejson = client.get(f"/tiles/{base_stations}.json", headers=headers).json()
    style = client.get("/styles/city.json", headers=headers).json()

    assert "通信基站" == collection["title_zh"]
    assert {"name", "a3"} == set(tilejson["vector_layers"][0]["fields"])
    described = {one["name"]: one for one in style["metadata"]["geoservice:layers"]}
    legend = described[base_stations]["legend"]
    assert {"宏站", "微站"} == {entry["label"]["zh"] for entry in legend}
    assert base_stations in style["sources"]


def test_features_of_a_theme_are_read_by_box_and_by_instant(
    client: TestClient, headers_of: KeyMaker, base_stations: str
) -> None:
    headers = headers_of(RESTRICTED)
    items = f"/collections/{base_stations}/items?limit=100"

    boxed = client.get(f"{items}&bbox=114.05,22.54,114.05049,22.56", headers=headers).json()
    before = client.get(f"{items}&datetime=2000-01-01T00:00:00Z", headers=headers).json()

    assert [f"基站{n}" for n in range(5)] == [f["properties"]["name"] for f in boxed["features"]]
    assert 10 == boxed["features"][0]["properties"]["a4"]
    assert 0 == before["numberReturned"]


def test_a_tile_of_a_theme_holds_its_features_with_labels_and_codes(
    client: TestClient, headers_of: KeyMaker, base_stations: str
) -> None:
    answer = client.get(f"/tiles/{base_stations}/{TILE}.mvt", headers=headers_of(RESTRICTED))

    features = decode(answer.content)[base_stations]["features"]
    assert {f"基站{n}" for n in range(20)} == {f["properties"]["name"] for f in features}
    assert {"宏站", "微站"} == {f["properties"]["a3"] for f in features}


def seen_by(client: TestClient, headers: dict[str, str], name: str, word: str) -> set[str]:
    """The routes whose answer holds a word, of all that could say something of a layer."""
    paths = {
        "list": "/collections",
        "collection": f"/collections/{name}",
        "items": f"/collections/{name}/items?limit=100",
        "tile": f"/tiles/{name}/{TILE}.mvt",
        "tilejson": f"/tiles/{name}.json",
        "style": "/styles/city.json",
    }
    answers = {route: client.get(path, headers=headers) for route, path in paths.items()}
    assert not [route for route, answer in answers.items() if answer.status_code == 500]
    return {route for route, answer in answers.items() if word.encode() in answer.content}


EVERYWHERE = {"list", "collection", "items", "tile", "tilejson", "style"}


@pytest.fixture(scope="module")
def keys(headers_of: KeyMaker) -> dict[Clearance, dict[str, str]]:
    """Headers of a caller of each level."""
    return {level: headers_of(level) for level in Clearance}


def test_a_restricted_theme_is_seen_by_nobody_below_until_it_is_lowered(
    city: City, client: TestClient, keys: dict[Clearance, dict[str, str]], tmp_path: Path
) -> None:
    def seen() -> dict[str, set[str]]:
        return {
            level.label: seen_by(client, headers, "birds", "canary")
            for level, headers in keys.items()
        }

    def is_listed() -> bool:
        return "birds" in client.get("/collections", headers=keys[Clearance.ENTERPRISE]).text

    birds = points_file(tmp_path / "birds.geojson", stations(3, 名称="canary"))
    load_file(city, "birds", birds, title_zh="canary")
    closed = seen()
    edit(city, "birds", document_of(city, "birds") | {"clearance": "enterprise"}, "it may be seen")
    eventually(is_listed)
    opened = seen()
    edit(city, "birds", document_of(city, "birds") | {"clearance": "restricted"})
    rows_at_once = client.get("/collections/birds/items", headers=keys[Clearance.ENTERPRISE])
    eventually(lambda: not is_listed())
    closed_again = seen()

    nobody: dict[str, set[str]] = {"public": set(), "enterprise": set(), "government": set()}
    assert nobody | {"restricted": EVERYWHERE} == closed == closed_again
    assert (
        dict.fromkeys(("enterprise", "government", "restricted"), EVERYWHERE) | {"public": set()}
        == opened
    )
    assert rows_at_once.status_code in (404, 503)


def test_a_reader_role_reads_no_table_of_themes(city: City, base_stations: str) -> None:
    theme = theme_of(city, base_stations)
    for level in Clearance:
        with psycopg.connect(city.address.libpq_url(reader_role(level)), autocommit=True) as one:
            for table in (qualified(theme), f"{qualified(theme)}_3", "city.themes"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    one.execute(f"SELECT * FROM {table}")
            if level < RESTRICTED:
                with pytest.raises(psycopg.errors.UndefinedTable):
                    one.execute(f"SELECT * FROM {base_stations}")


def test_an_attribute_has_a_clearance_of_its_own(
    city: City, client: TestClient, keys: dict[Clearance, dict[str, str]], tmp_path: Path
) -> None:
    rows = points_file(tmp_path / "rows.geojson", stations(3, 备注="canary"))
    load_file(city, "masts", rows, clearance=Clearance.PUBLIC)
    said = document_of(city, "masts")
    next(a for a in said["attributes"] if a["aliases"] == ["备注"])["clearance"] = "government"
    public, government = keys[Clearance.PUBLIC], keys[Clearance.GOVERNMENT]
    assert {"items", "style"} >= seen_by(client, public, "masts", "canary")

    edit(city, "masts", said)

    eventually(lambda: "备注" not in client.get("/collections/masts", headers=public).text)
    assert set() == seen_by(client, public, "masts", "canary")
    assert "items" in seen_by(client, government, "masts", "canary")
    assert 3 == client.get("/collections/masts/items", headers=public).json()["numberReturned"]


def test_a_second_load_closes_and_opens_versions_by_key(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    rows = stations(5)
    load_file(city, "towers", points_file(tmp_path / "a.geojson", rows), key=("基站编号",))
    middle = datetime.now(UTC).isoformat()
    rows[1]["名称"] = "改名"
    changed = points_file(tmp_path / "b.geojson", rows)

    second = load_file(city, "towers", changed).report
    third = load_file(city, "towers", changed).report

    assert second is not None
    assert third is not None
    assert (0, 1, 4) == (second.new, second.changed, second.unchanged)
    assert (0, 0, 5) == (third.new, third.changed, third.unchanged)
    items = "/collections/towers/items"
    headers = headers_of(RESTRICTED)
    names = {
        when: {f["properties"]["name"] for f in answer.json()["features"]}
        for when, answer in {
            "then": client.get(items, params={"datetime": middle}, headers=headers),
            "now": client.get(items, headers=headers),
        }.items()
    }
    assert {"基站1"} == names["then"] - names["now"]
    assert {"改名"} == names["now"] - names["then"]


def test_a_load_of_a_theme_is_undone_and_told_like_any_other(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    rows = stations(4)
    load_file(city, "poles", points_file(tmp_path / "a.geojson", rows), key=("基站编号",))
    rows[1]["名称"] = "改名"
    second = load_file(city, "poles", points_file(tmp_path / "b.geojson", rows)).report
    assert second is not None
    with connect_knowing_themes(city.address) as connection:
        load_row = published_load(connection, second.load_id or 0)
        (change,) = changes_of_load(connection, theme_of(city, "poles"), load_row, plane_srid=4547)
    with connect_knowing_themes(city.address) as connection:
        undone = undo_load(connection, second.load_id or 0)
        connection.commit()

    assert ("name",) == change.changed
    assert {"基站1"} == {(change.before or {})["name"]}
    assert (2, 1) == (undone.closed, undone.restored)  # what it brought, and what it cut short
    items, headers = "/collections/poles/items", headers_of(RESTRICTED)
    between = {"as_recorded": load_row.recorded_at.isoformat()}
    now = client.get(items, headers=headers).json()["features"]
    then = client.get(items, params=between, headers=headers).json()["features"]
    assert {"基站1"} == _names(now) - _names(then)
    assert {"改名"} == _names(then) - _names(now)


def _names(features: list[dict[str, Any]]) -> set[str]:
    return {feature["properties"]["name"] for feature in features}


def test_what_is_prepared_for_a_theme_outlives_its_columns(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    """A server refuses a prepared statement whose columns have got another type."""
    load_file(city, "wells", points_file(tmp_path / "a.geojson", stations(3)))
    headers = headers_of(RESTRICTED)
    for _ in range(12):
        assert client.get("/collections/wells/items", headers=headers).status_code == 200
    said = document_of(city, "wells")
    said["attributes"][3] |= {"type": "text", "unit": None}

    edit(city, "wells", said)

    answers = [client.get("/collections/wells/items", headers=headers) for _ in range(6)]
    assert {200, 503} >= {answer.status_code for answer in answers}
    answer = eventually(lambda: _answered(client, "/collections/wells/items", headers))
    assert "10" == answer["features"][0]["properties"]["a4"]


def _answered(client: TestClient, path: str, headers: dict[str, str]) -> Any:
    answer = client.get(path, headers=headers)
    return answer.json() if answer.status_code == 200 else None


def test_without_a_key_the_same_file_again_changes_nothing(city: City, tmp_path: Path) -> None:
    path = points_file(tmp_path / "a.geojson", stations(5))
    first = load_file(city, "huts", path)

    second = load_file(city, "huts", path).report

    assert second is not None
    assert (0, 0, 5) == (second.new, second.changed, second.unchanged)
    assert any("--key could be 基站编号" in note for note in first.notes)


def test_many_rows_go_through_a_draft_of_the_partition(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    lines = (f"{n},{114 + n % 200 * 0.001},{22.5 + n // 200 * 0.001}" for n in range(25_000))
    path = tmp_path / "many.csv"
    path.write_text("\n".join(("code,lon,lat", *lines)), encoding="utf-8")

    done = load_file(city, "many", path, crs="EPSG:4490", key=("code",))

    assert done.report is not None
    assert 25_000 == done.report.new
    theme = theme_of(city, "many")
    indexes = as_owner(
        city, f"SELECT count(*) FROM pg_index WHERE indrelid = '{qualified(theme)}_3'::regclass"
    )
    assert sum(" INDEX " in one for one in partitions_ddl(theme, RESTRICTED)) == indexes + 4
    answer = client.get("/collections/many/items?limit=3", headers=headers_of(RESTRICTED)).json()
    assert 3 == answer["numberReturned"]
    assert 6 < theme.minzoom < 14
    again = load_file(city, "many", path, crs="EPSG:4490").report
    assert again is not None
    assert 25_000 == again.unchanged


def test_a_load_of_a_theme_that_changed_meanwhile_publishes_nothing(
    city: City, tmp_path: Path
) -> None:
    load_file(city, "sheds", points_file(tmp_path / "a.geojson", stations(2)))
    before = theme_of(city, "sheds")
    edit(city, "sheds", document_of(city, "sheds") | {"clearance": "public"}, "for the test")
    options = LoadOptions(city=city.settings.city.frame())

    with city.address.connect_loader() as connections, pytest.raises(LayerChanged, match="sheds"):
        load(connections, before, [points_file(tmp_path / "b.geojson", stations(9))], options)

    assert 2 == as_owner(city, f"SELECT count(*) FROM {qualified(before)}")


def test_two_that_make_a_theme_at_once_make_one(city: City, tmp_path: Path) -> None:
    files = [points_file(tmp_path / f"{n}.geojson", stations(4, 名称=f"来自{n}")) for n in range(2)]

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda path: load_file(city, "twins", path, key=("基站编号",)), files))

    assert [False, True] == sorted(one.is_new for one in done)
    assert 1 == as_owner(city, "SELECT count(*) FROM city.themes WHERE name = 'twins'")
    held = qualified(theme_of(city, "twins"))
    assert 4 == as_owner(city, f"SELECT count(*) FROM {held} WHERE upper_inf(valid_during)")


def test_a_theme_whose_first_load_fails_is_not_kept(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(theme_loading, "load", fail)
    with pytest.raises(KeyboardInterrupt):
        load_file(city, "stillborn", points_file(tmp_path / "a.geojson", stations(2)))

    assert "stillborn" not in {theme.name for theme in themes_of(city)}


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(city: City, tmp_path: Path) -> None:
    path = points_file(tmp_path / "a.geojson", stations(2))

    done = load_file(city, "thought", path, dry_run=True)

    assert (True, None) == (done.is_new, done.report)
    assert 5 == len(done.theme.attributes)
    assert "thought" not in {theme.name for theme in themes_of(city)}


def test_migrating_again_keeps_the_views_of_themes(
    city: City, client: TestClient, headers_of: KeyMaker, base_stations: str
) -> None:
    with city.address.connect(Role.OWNER) as connection:
        migrate(connection)
        same = as_owner(city, "SELECT views_fingerprint FROM city.installation")
        connection.execute(text("UPDATE city.installation SET views_fingerprint = 'other'"))
        connection.commit()
        migrate(connection)

    assert same == as_owner(city, "SELECT views_fingerprint FROM city.installation")
    path = f"/collections/{base_stations}/items"
    assert 200 == client.get(path, headers=headers_of(RESTRICTED)).status_code


def test_a_feature_of_a_theme_is_observed_and_its_figures_are_as_secret_as_the_theme(
    city: City, tmp_path: Path, headers_of: KeyMaker
) -> None:
    path = points_file(tmp_path / "路灯.geojson", stations(3))
    load_file(city, "lamps", path, title_zh="路灯", key=("基站编号",))
    figure = {"layer": "lamps", "feature": "B001", "property": "lit", "value": 1.0}
    figure["observed_at"] = datetime.now(UTC).isoformat()
    office = headers_of(RESTRICTED, "observe:*")
    enterprise = headers_of(Clearance.ENTERPRISE, "observe:*")

    with TestClient(create_app(city.settings)) as client:
        taken = client.post("/observations", json=figure, headers=office)
        hidden = client.post("/observations", json=figure, headers=enterprise)
    seen = [observed_in(city, level) for level in (Role.READ_RESTRICTED, Role.READ_PUBLIC)]
    document = document_of(city, "lamps")
    edit(city, "lamps", document | {"title": {"en": "Lamps", "zh": "灯"}})
    after_an_edit = observed_in(city, Role.READ_RESTRICTED)
    with city.address.connect(Role.OWNER) as connection:
        drop_theme(connection, "lamps", reason="测试")
        connection.commit()

    assert (200, 400) == (taken.status_code, hidden.status_code)
    assert [["lamps"], []] == seen
    assert ["lamps"] == after_an_edit
    assert [] == observed_in(city, Role.READ_RESTRICTED)


def observed_in(city: City, role: Role) -> list[str]:
    """The layers of which a reader role sees series."""
    with city.address.connect(role) as connection:
        return list(connection.execute(text("SELECT DISTINCT layer FROM series")).scalars())
