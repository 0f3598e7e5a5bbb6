"""History over HTTP and on the command line: what was believed when, and taking loads back."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import pytest
from sqlalchemy import func, select, text
from starlette.testclient import TestClient
from typer.testing import CliRunner

from geoservice.cli import app
from layers.access import Clearance
from layers.claims import Claim
from layers.errors import CannotPurge, CannotUndo, InvalidParameter, LoadNotFound
from layers.purge import purge_load
from layers.registry import get_layer
from layers.roles import Role
from layers.system_tables import loads
from layers.undo import undo_load
from loaders import LoadOptions, load
from tests.conftest import KeyMaker
from tests.support import City, parcel, pipe, publish_rows

WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")
Y2010 = datetime(2010, 1, 1, tzinfo=UTC)
Y2015 = datetime(2015, 1, 1, tzinfo=UTC)
Y2020 = datetime(2020, 1, 1, tzinfo=UTC)
PLACE = (114.05, 22.55)


def last_load(city: City, layer: str = "parcels") -> int:
    with city.address.connect(Role.LOADER) as connection:
        newest = select(func.max(loads.c.load_id)).where(loads.c.layer == layer)
        return int(connection.execute(newest).scalar_one())


def undo(city: City, number: int) -> int:
    with city.address.connect(Role.LOADER) as connection:
        undone = undo_load(connection, number)
        connection.commit()
    return undone.load_id


def text_of(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def item(client: TestClient, feature_id: int, **asked: datetime) -> Any:
    parameters = {name.rstrip("_"): text_of(value) for name, value in asked.items()}
    return client.get(f"/collections/parcels/items/{feature_id}", params=parameters).json()


@pytest.fixture(scope="module")
def moved(city: City) -> tuple[int, datetime, datetime]:
    """A parcel that was 旧 since 2010, and is known now to be 新 since 2015."""
    city.publish("parcels", [parcel("M", *PLACE, address="旧")], valid_from=Y2010)
    first = datetime.now(UTC)
    city.publish("parcels", [parcel("M", 114.06, 22.55, address="新")], valid_from=Y2015)
    with city.address.connect(Role.OWNER) as connection:
        found = connection.execute(text("SELECT max(feature_id) FROM city.parcels"))
        feature_id: int = found.scalar_one()
    return feature_id, first, datetime.now(UTC)


def test_items_show_what_was_believed(client: TestClient, moved: Any) -> None:
    feature_id, first, second = moved

    then = item(client, feature_id, datetime=Y2020, as_recorded=first)
    now = item(client, feature_id, datetime=Y2020, as_recorded=second)
    page = client.get("/collections/parcels/items", params={"as_recorded": text_of(first)}).json()

    assert ("旧", "新") == (then["properties"]["address"], now["properties"]["address"])
    assert ["旧"] == [one["properties"]["address"] for one in page["features"]]


def test_tiles_show_what_was_believed(client: TestClient, moved: Any) -> None:
    _, first, second = moved
    tile = WEB_MERCATOR.tile(*PLACE, 16)
    path = f"/tiles/parcels/16/{tile.x}/{tile.y}.mvt"

    then = client.get(path, params={"as_recorded": text_of(first)})
    now = client.get(path, params={"as_recorded": text_of(second)})

    assert 1 == len(mapbox_vector_tile.decode(then.content)["parcels"]["features"])
    assert 204 == now.status_code


def test_a_belief_of_the_future_is_refused(client: TestClient, moved: Any) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    answer = client.get("/collections/parcels/items", params={"as_recorded": text_of(later)})

    assert (400, "invalid-parameter") == (answer.status_code, answer.json()["type"].split("/")[-1])


def test_an_answer_that_a_publication_may_still_change_is_not_given(
    city: City, client: TestClient, moved: Any
) -> None:
    _, first, _ = moved
    with city.address.connect(Role.LOADER) as connection:
        publish_rows(connection, "parcels", [parcel("U", 114.2, 22.6)])
        asked = {"as_recorded": text_of(datetime.now(UTC))}
        open_now = client.get("/collections/parcels/items", params=asked)
        # The mark of a publication says in which second it is.
        old = {"as_recorded": text_of(first - timedelta(seconds=2))}
        of_old = client.get("/collections/parcels/items", params=old)
        connection.rollback()
    settled = client.get("/collections/parcels/items", params=asked)

    assert [503, 200, 200] == [open_now.status_code, of_old.status_code, settled.status_code]
    assert "2" == open_now.headers["Retry-After"]


def test_the_history_of_a_feature_tells_each_step(client: TestClient, moved: Any) -> None:
    feature_id, _, _ = moved

    steps = client.get(f"/collections/parcels/items/{feature_id}/history").json()["steps"]

    assert ["new", "changed"] == [step["change"] for step in steps]
    changed = steps[1]
    assert {"attribute": "address", "before": "旧", "after": "新"} in changed["changed"]
    assert changed["moved_m"] == pytest.approx(1028, abs=5)
    assert [[text_of(Y2010), text_of(Y2015)], [text_of(Y2015), None]] == [
        period["valid_during"] for period in changed["timeline"]
    ]


def test_the_history_hides_what_the_level_may_not_read(
    city: City, client: TestClient, headers_of: KeyMaker
) -> None:
    for holder in ("甲", "乙"):
        city.publish("parcels", [parcel("H", 114.3, 22.55, holder=holder)], valid_from=Y2010)
    with city.address.connect(Role.OWNER) as connection:
        found = connection.execute(text("SELECT max(feature_id) FROM city.parcels"))
        path = f"/collections/parcels/items/{found.scalar_one()}/history"

    public = client.get(path)
    government = client.get(path, headers=headers_of(Clearance.GOVERNMENT)).json()

    assert 1 == len(public.json()["steps"])
    assert "甲" not in public.text
    assert ["new", "corrected"] == [step["change"] for step in government["steps"]]


def test_undoing_restores_the_state_row_by_row(city: City) -> None:
    city.publish("parcels", [parcel("R1", 114.4, 22.5, address="一")], valid_from=Y2010)
    before = held_rows(city)
    claim = Claim(Y2015, is_complete=True)
    city.publish("parcels", [parcel("R2", 114.41, 22.5, address="二")], claim=claim)
    assert before != held_rows(city)

    undo(city, last_load(city))

    assert before == held_rows(city)


def held_rows(city: City) -> list[tuple[Any, ...]]:
    """All that is held but the instants at which it was recorded."""
    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text(
                "SELECT feature_id, natural_key, code, address, load_id, admin_code, clearance, "
                "valid_during::text, ST_AsEWKT(geom) FROM city.parcels ORDER BY 1, 8"
            )
        ).all()
    return [tuple(row) for row in rows]


def test_a_load_can_be_undone_under_a_later_one_of_other_features(city: City) -> None:
    city.publish("parcels", [parcel("L1", 114.42, 22.5)])
    first = last_load(city)
    city.publish("parcels", [parcel("L2", 114.43, 22.5)])

    undo(city, first)

    keys = {row[1] for row in held_rows(city)}
    assert ("L1" not in keys, "L2" in keys) == (True, True)


def test_undoing_names_the_later_loads_that_stand_in_the_way(city: City) -> None:
    city.publish("parcels", [parcel("D", 114.44, 22.5, address="一")])
    first = last_load(city)
    city.publish("parcels", [parcel("D", 114.44, 22.5, address="二")])
    second = last_load(city)

    with pytest.raises(CannotUndo) as refused:
        undo(city, first)
    undo(city, second)
    undo(city, first)

    assert (second,) == refused.value.loads
    with pytest.raises(CannotUndo, match="undone already"):
        undo(city, first)


def test_an_undoing_can_be_undone(city: City) -> None:
    city.publish("parcels", [parcel("Z", 114.45, 22.5)])
    before = held_rows(city)

    undo(city, undo(city, last_load(city)))

    assert before == held_rows(city)


def test_nodes_that_segments_end_at_cannot_be_undone_away(city: City, tmp_path: Path) -> None:
    nodes = "物探点号,管类,lon,lat,地面高程\nN1,JP,114.05,22.54,5\nN2,JP,114.051,22.54,5\n"
    lines = "管线编号,管类,起点点号,终点点号,起点埋深,终点埋深\nS,JP,N1,N2,1,1\n"
    for layer, content in (("pipeline_nodes", nodes), ("pipelines", lines)):
        path = tmp_path / f"{layer}.csv"
        path.write_text(content, encoding="utf-8")
        options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
        with city.address.connect_loader() as connections:
            load(connections, get_layer(layer), [path], options)

    with pytest.raises(CannotUndo, match="1 features of pipelines end at"):
        undo(city, last_load(city, "pipeline_nodes"))
    undo(city, last_load(city, "pipelines"))
    undo(city, last_load(city, "pipeline_nodes"))


def test_pipes_are_held_against_the_nodes_that_are_there_when_they_are_published(
    city: City, tmp_path: Path
) -> None:
    nodes = tmp_path / "nodes.csv"
    nodes.write_text(
        "物探点号,管类,lon,lat,地面高程\nQ1,JP,114.05,22.54,5\nQ2,JP,114.051,22.54,5\n",
        encoding="utf-8",
    )
    lines = tmp_path / "lines.csv"
    lines.write_text("管线编号,管类,起点点号,终点点号\nQ,JP,Q1,Q2\n", encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
    undone: list[int] = []

    def take_nodes_back(*_: object) -> None:
        if not undone:
            undone.append(undo(city, last_load(city, "pipeline_nodes")))

    with city.address.connect_loader() as connections:
        load(connections, get_layer("pipeline_nodes"), [nodes], options)
        report = load(
            connections, get_layer("pipelines"), [lines], options, inspect=take_nodes_back
        )

    assert (0, 1) == (report.new, report.rejected)
    assert {"missing_node": 1} == dict(report.reasons)


def test_a_complete_load_ends_what_is_not_in_the_file_but_not_what_was_set_aside(
    city: City, tmp_path: Path
) -> None:
    city.publish("roads", [{"code": f"R{n}", "wkt": road(n)} for n in range(3)], valid_from=Y2010)
    table = tmp_path / "roads.csv"
    table.write_text(f'code,wkt\nR0,"{road(0)}"\nR1,"LINESTRING(0 0,1 1)"\n', encoding="utf-8")
    options = LoadOptions(
        city=city.settings.city.frame(), crs="EPSG:4490", is_complete=True, valid_from=Y2015
    )

    with city.address.connect_loader() as connections:
        report = load(connections, get_layer("roads"), [table], options)

    with city.address.connect(Role.READ_PUBLIC) as connection:
        held = connection.execute(
            text("SELECT code, upper(valid_during) FROM roads ORDER BY code")
        ).all()
    assert (1, 1, 1) == (report.unchanged, report.rejected, report.vanished)
    assert [("R0", None), ("R1", None), ("R2", Y2015)] == [tuple(row) for row in held]


def road(number: int) -> str:
    return f"MULTILINESTRING((114.0{number} 22.5,114.0{number} 22.51))"


def test_a_column_that_a_file_lacks_leaves_what_is_held(city: City, tmp_path: Path) -> None:
    full = tmp_path / "full.csv"
    full.write_text(
        'code,name,wkt\nK1,深南大道,"LINESTRING(114.1 22.5,114.1 22.51)"\n', encoding="utf-8"
    )
    part = tmp_path / "part.csv"
    part.write_text('code,wkt\nK1,"LINESTRING(114.1 22.5,114.1 22.52)"\n', encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")

    with city.address.connect_loader() as connections:
        load(connections, get_layer("roads"), [full], options)
        report = load(connections, get_layer("roads"), [part], options)

    with city.address.connect(Role.READ_PUBLIC) as connection:
        held = connection.execute(
            text("SELECT name FROM roads WHERE code = 'K1' AND upper_inf(valid_during)")
        ).scalar_one()
    assert (1, "深南大道") == (report.changed, held)


def test_a_period_needs_a_correction() -> None:
    with pytest.raises(InvalidParameter, match="ends the period of a correction"):
        Claim(Y2010, Y2015)
    with pytest.raises(InvalidParameter, match="lies before"):
        Claim(Y2015, Y2010, is_correction=True)


def test_a_purge_deletes_for_good_and_leaves_a_tombstone(city: City) -> None:
    city.publish("parcels", [parcel("SECRET", 114.46, 22.5, address="canary-purged")])
    number = last_load(city)
    with city.address.connect(Role.LOADER) as connection:
        with pytest.raises(CannotPurge, match="undo it first"):
            purge_load(connection, number, "personal data")
        connection.rollback()
    undo(city, number)

    with city.address.connect(Role.LOADER) as connection:
        tombstone = purge_load(connection, number, "personal data")
        connection.commit()

    with city.address.connect(Role.OWNER) as connection:
        left = connection.execute(
            text("SELECT count(*) FROM city.parcels_past WHERE address = 'canary-purged'")
        ).scalar_one()
    assert (0, 1, 64) == (left, tombstone.versions, len(tombstone.digest))
    with pytest.raises(LoadNotFound, match="purged"):
        undo(city, number)


@pytest.fixture
def command(city: City, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands on the module's database."""
    monkeypatch.setenv("GEOSERVICE_DATABASE__FOLDER", str(city.settings.database.folder))
    monkeypatch.setenv("GEOSERVICE_DATABASE__NAME", city.settings.database.name)
    return CliRunner()


def test_commands_show_what_a_load_changed_and_take_it_back(
    city: City, command: CliRunner, tmp_path: Path
) -> None:
    city.publish("parcels", [parcel("C", 114.47, 22.5, address="旧")], valid_from=Y2010)
    city.publish("parcels", [parcel("C", 114.48, 22.5, address="新")], valid_from=Y2015)
    number = str(last_load(city))
    diff = tmp_path / "diff.geojson"

    shown = command.invoke(app, ["loads", "show", number, "--json", "--geojson", str(diff)])
    undone = command.invoke(app, ["loads", "undo", number])
    after = command.invoke(app, ["loads", "show", number, "--json"])

    assert shown.exit_code == 0, shown.exception
    changes = json.loads(shown.stdout)["changes"]
    assert {"address": 1, "geometry": 1} == changes["attributes"]
    assert changes["most_moved_m"] == pytest.approx(1028, abs=5)
    features = json.loads(diff.read_text(encoding="utf-8"))["features"]
    assert [({"address": "旧"}, {"address": "新"})] == [
        (one["properties"]["before"], one["properties"]["after"]) for one in features
    ]
    assert "is undone" in undone.stdout
    assert 1 == len(json.loads(after.stdout)["undone_by"])


def test_two_instants_are_compared_as_known_now_and_as_known_then(
    city: City, command: CliRunner
) -> None:
    city.publish("parcels", [parcel("T", 114.49, 22.5, address="旧")], valid_from=Y2010)
    believed = text_of(datetime.now(UTC))
    city.publish("parcels", [parcel("T", 114.49, 22.5, address="新")], valid_from=Y2015)
    ends = [text_of(Y2010), text_of(Y2020)]

    now = command.invoke(app, ["loads", "diff", "parcels", *ends, "--json"])
    same = command.invoke(app, ["loads", "diff", "parcels", believed, believed, "--json"])

    assert json.loads(now.stdout)["attributes"]["address"] >= 1
    assert (0, 0, 0) == tuple(
        json.loads(same.stdout)[kind] for kind in ("new", "changed", "vanished")
    )


def test_two_loads_at_once_leave_one_history(city: City) -> None:
    rows = [parcel(f"W{n}", 114.5 + n / 1000, 22.5) for n in range(20)]

    def write(address: str) -> None:
        city.publish("parcels", [row | {"address": address} for row in rows])

    threads = [threading.Thread(target=write, args=(address,)) for address in "甲乙丙"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with city.address.connect(Role.OWNER) as connection:
        found = connection.execute(
            text(
                "SELECT count(*), count(DISTINCT feature_id), count(DISTINCT address) "
                "FROM city.parcels WHERE natural_key LIKE 'W%' AND upper_inf(valid_during)"
            )
        ).one()
    assert (20, 20, 1) == tuple(found)


def test_pipes_keep_their_heights_through_history(city: City, client: TestClient) -> None:
    ends = [(114.6, 22.5, 3.25), (114.601, 22.5, 3.0)]
    city.publish("pipelines", [pipe("ZP", "JP", *ends, material="G")], valid_from=Y2010)
    city.publish("pipelines", [pipe("ZP", "JP", *ends, material="PE")], valid_from=Y2015)

    undo(city, last_load(city, "pipelines"))

    with city.address.connect(Role.OWNER) as connection:
        heights = connection.execute(
            text("SELECT ST_ZMax(geom), material FROM city.pipelines WHERE natural_key = 'ZP'")
        ).all()
    assert [(3.25, "G")] == [tuple(row) for row in heights]
