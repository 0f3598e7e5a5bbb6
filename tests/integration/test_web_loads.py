"""Loading through the web, a service and its worker as processes: from the files to the undo."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import mapbox_vector_tile
import pytest
import shapely
from sqlalchemy import text

from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City
from tests.web_loads import Client, Upload, WebService, parcels_geojson, part, square, web_service


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """The service on the module's database."""
    with web_service(city, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: WebService, headers_of: KeyMaker) -> Client:
    """An officer who may load parcels."""
    return service.client(headers_of(Clearance.GOVERNMENT, "load:parcels"))


def codes_held(client: Client) -> set[str]:
    """Codes of the parcels that are held now."""
    features = client.http.get("/collections/parcels/items", params={"limit": 1000}).json()
    return {feature["properties"]["code"] for feature in features["features"]}


def shapefile_parts(folder: Path, name: str, codes: list[str]) -> list[Upload]:
    """Parcels as a shapefile in GBK and EPSG:4547, in its parts."""
    shapes = [shapely.geometry.shape({"type": "Polygon", "coordinates": square(114.1, 22.5)})]
    frame = geopandas.GeoDataFrame({"宗地代码": codes}, geometry=shapes * len(codes), crs=4490)
    frame.to_crs(4547).to_file(folder / "made.shp", encoding="gbk", engine="pyogrio")
    parts = sorted(folder.glob("made.*"))
    return [part(f"{name}{file.suffix}", file.read_bytes()) for file in parts]


def test_an_upload_is_checked_and_waits_to_be_confirmed(client: Client) -> None:
    content = parcels_geojson(["A1", "A2"], bad=["X"])

    answer = client.upload("parcels", part("宗地.geojson", content))
    job = client.wait(answer.json()["id"], "ready")

    assert 202 == answer.status_code
    assert f"/loads/{job['id']}" == answer.headers["location"]
    report = job["report"]
    assert (3, 2, 1) == (report["read"], report["new"], report["rejected"])
    assert ["宗地.geojson"] == [source["name"] for source in report["sources"]]
    errors = [found for found in report["findings"] if found["severity"] == "error"]
    assert [(3, "X", "outside_city")] == [(f["row"], f["key"], f["rule"]) for f in errors]
    assert errors[0]["sentence"]["en"] != errors[0]["sentence"]["zh"]
    assert set() == codes_held(client) & {"A1", "A2"}


def test_what_is_confirmed_is_loaded_and_the_history_names_the_files_as_their_user_does(
    service: WebService, client: Client
) -> None:
    done = client.load("parcels", part("宗地 B.geojson", parcels_geojson(["B1", "B2"])))

    assert ("done", 2, 0) == (done["state"], done["result"]["new"], done["result"]["rejected"])
    assert {"B1", "B2"} <= codes_held(client)
    with service.city.address.connect(Role.LOADER) as connection:
        source = connection.execute(
            text("SELECT source FROM city.loads WHERE load_id = :id"), {"id": done["load_id"]}
        ).scalar_one()
    assert ["宗地 B.geojson"] == source["files"]
    assert done["id"] == source["job_id"]


def test_the_same_files_again_change_nothing(client: Client) -> None:
    content = parcels_geojson(["S1", "S2"])
    client.load("parcels", part("s.geojson", content))

    again = client.load("parcels", part("s.geojson", content))

    assert (0, 0, 2) == tuple(again["result"][name] for name in ("new", "changed", "unchanged"))


def test_a_shapefile_in_its_parts_is_one_data_set(client: Client, tmp_path: Path) -> None:
    parts = shapefile_parts(tmp_path, "地块", ["SHP1"])

    done = client.load("parcels", *parts)

    assert 4 <= len(parts)
    assert 1 == done["result"]["new"]
    (source,) = done["report"]["sources"]
    assert "地块.shp" == source["name"]
    assert source["crs"].startswith("EPSG:4547")
    assert {"code": "宗地代码"} == source["mapping"]
    assert {"地块.shp", "地块.dbf", "地块.shx", "地块.prj", "地块.cpg"} == set(source["sha256"])


def test_a_zip_is_unpacked_by_the_loader(client: Client, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for _, (name, content, _kind) in shapefile_parts(tmp_path, "in", ["ZIP1"]):
            archive.writestr(f"../../{name}", content)

    done = client.load("parcels", part("地块.zip", packed.getvalue()))

    assert 1 == done["result"]["new"]


def test_several_files_are_loaded_as_one(client: Client) -> None:
    done = client.load(
        "parcels",
        part("one.geojson", parcels_geojson(["M1"])),
        part("two.geojson", parcels_geojson(["M0", "M2"])),
    )

    assert 3 == done["result"]["new"]
    assert ["one.geojson", "two.geojson"] == done["result"]["files"]


def test_options_and_a_mapping_are_those_of_the_command(client: Client) -> None:
    table = '编号,图形\nC1,"POLYGON((114.2 22.5,114.201 22.5,114.201 22.501,114.2 22.5))"\n'
    mapping = {
        "columns": {"code": "编号", "geometry": "图形"},
        "constants": {"land_use_code": "0701"},
    }

    done = client.load(
        "parcels",
        part("表.csv", table.encode("gb18030")),
        ("mapping", ("mapping.json", json.dumps(mapping).encode(), "application/json")),
        crs="EPSG:4490",
        encoding="gb18030",
        valid_from="2020-01-01",
    )

    assert 1 == done["result"]["new"]
    assert "2019-12-31T16:00:00+00:00" == done["options"]["valid_from"]
    found = client.http.get(
        "/collections/parcels/items", params={"datetime": "2020-06-01T00:00:00Z", "limit": 1000}
    )
    assert "C1" in {f["properties"]["code"] for f in found.json()["features"]}


def test_a_file_that_cannot_be_read_is_reported_by_its_own_name(client: Client) -> None:
    answer = client.upload("parcels", part("不明.dwg", b"AC1032 not a drawing"))
    job = client.wait(answer.json()["id"], "failed")

    assert "不明.dwg" in job["message"]
    assert "/" not in job["message"].replace("/dxf", "")


def test_one_bad_row_refuses_all_where_that_is_asked_for_and_the_report_says_why(
    client: Client,
) -> None:
    content = parcels_geojson(["R1"], bad=["R2"])

    answer = client.upload("parcels", part("r.geojson", content), on_error="reject")
    job = client.wait(answer.json()["id"], "failed")

    assert "1 of 2 rows" in job["message"]
    errors = [one for one in job["report"]["findings"] if one["severity"] == "error"]
    assert ["R2"] == [one["key"] for one in errors]
    assert errors == job["report"]["findings"][: len(errors)]
    assert [] == job["can"]


def test_a_check_can_be_cancelled_and_its_files_go(service: WebService, client: Client) -> None:
    job = client.upload("parcels", part("k.geojson", parcels_geojson(["K1"]))).json()
    client.wait(job["id"], "ready")
    before = len(service.uploads)

    asked = client.http.delete(f"/loads/{job['id']}")
    ended = client.wait(job["id"], "cancelled")

    assert 202 == asked.status_code
    assert [] == ended["can"]
    deadline = time.monotonic() + 40
    while len(service.uploads) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert before - 1 == len(service.uploads)
    assert "K1" not in codes_held(client)


def test_what_is_asked_twice_or_too_late_is_a_conflict(client: Client) -> None:
    done = client.load("parcels", part("t.geojson", parcels_geojson(["T1"])))

    again = client.http.post(f"/loads/{done['id']}/confirm")
    cancelled = client.http.delete(f"/loads/{done['id']}")

    assert (409, 409) == (again.status_code, cancelled.status_code)
    assert "application/problem+json" == again.headers["content-type"]
    assert f"load {done['id']} is done" in again.json()["detail"]


def test_an_undo_restores_what_was_held_before(client: Client) -> None:
    client.load("parcels", part("u.geojson", parcels_geojson(["U1"], holder="甲")))
    done = client.load("parcels", part("u.geojson", parcels_geojson(["U1", "U2"], holder="乙")))
    after = codes_held(client)

    asked = client.http.post(f"/loads/{done['id']}/undo")
    ended = client.wait(done["id"], "undone")

    assert 202 == asked.status_code
    assert [] == ended["can"]
    assert {"U1", "U2"} <= after
    assert {"U1"} == codes_held(client) & {"U1", "U2"}
    features = client.http.get("/collections/parcels/items", params={"limit": 1000}).json()
    (held,) = [f for f in features["features"] if f["properties"]["code"] == "U1"]
    assert "甲" == held["properties"]["holder"]


def test_what_is_purged_is_forgotten_with_its_files_and_findings(
    service: WebService, client: Client
) -> None:
    done = client.load("parcels", part("g.geojson", parcels_geojson(["G1"], bad=["SECRET"])))
    client.http.post(f"/loads/{done['id']}/undo")
    client.wait(done["id"], "undone")
    command = [sys.executable, "-P", "-m", "geoservice", "loads", "purge", str(done["load_id"])]
    subprocess.run(
        [*command, "--yes", "--reason", "wrong"],
        env=dict(service.environment),
        check=True,
        capture_output=True,
    )

    for worker in service.workers:  # the next one looks at once
        os.kill(worker, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while client.job(done["id"])["report"] is not None and time.monotonic() < deadline:
        time.sleep(0.1)

    forgotten = client.job(done["id"])
    assert "SECRET" not in json.dumps(forgotten)
    assert forgotten["files_removed_at"] is not None
    assert 404 == client.http.get(f"/loads/{done['id']}/preview.json").status_code


def test_an_undo_that_later_loads_stand_in_the_way_of_says_which(client: Client) -> None:
    first = client.load("parcels", part("n.geojson", parcels_geojson(["N1"], holder="甲")))
    later = client.load("parcels", part("n.geojson", parcels_geojson(["N1"], holder="乙")))

    client.http.post(f"/loads/{first['id']}/undo")
    ended = client.wait(first["id"], "done")

    assert f"by load {later['load_id']}" in ended["message"]
    assert ["undo"] == ended["can"]


def test_a_complete_load_ends_what_is_not_in_its_files(
    service: WebService, headers_of: KeyMaker
) -> None:
    client = service.client(headers_of(Clearance.GOVERNMENT, "load:roads"))
    road = {"type": "LineString", "coordinates": [[114.0, 22.5], [114.01, 22.5]]}

    def roads(*codes: str) -> Upload:
        features = [
            {"type": "Feature", "properties": {"code": code, "name": code}, "geometry": road}
            for code in codes
        ]
        document = {"type": "FeatureCollection", "features": features}
        return part("roads.geojson", json.dumps(document).encode())

    client.load("roads", roads("W1", "W2"))

    done = client.load("roads", roads("W2"), complete="true")

    assert (1, 1) == (done["result"]["vanished"], done["result"]["unchanged"])


def read_events(client: Client, job_id: int, **headers: str) -> list[dict[str, str]]:
    """The events of a job until the stream ends."""
    events: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    with client.http.stream("GET", f"/loads/{job_id}/events", headers=headers) as answer:
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if not line and "data" in fields:
                events.append(fields)
                fields = {}
            elif name in ("id", "event", "data"):
                fields[name] = value
    return events


def test_events_tell_the_whole_state_at_once_and_every_change_until_it_is_settled(
    client: Client,
) -> None:
    job = client.upload("parcels", part("e.geojson", parcels_geojson(["E1"]))).json()

    events = read_events(client, job["id"])

    states = [json.loads(event["data"])["state"] for event in events]
    assert "ready" == states[-1]
    assert {"state"} == {event["event"] for event in events}
    assert len(events) == len({event["id"] for event in events})


def test_events_go_on_after_the_last_one_that_is_known(client: Client) -> None:
    job = client.upload("parcels", part("l.geojson", parcels_geojson(["L1"]))).json()
    last = read_events(client, job["id"])[-1]

    same = client.http.get(f"/loads/{job['id']}/events", headers={"Last-Event-ID": last["id"]})
    client.http.post(f"/loads/{job['id']}/confirm")
    after = read_events(client, job["id"], **{"Last-Event-ID": last["id"]})

    assert 204 == same.status_code
    assert "done" == json.loads(after[-1]["data"])["state"]
    assert last["id"] not in {event["id"] for event in after}


def test_a_head_of_events_ends(client: Client) -> None:
    job = client.upload("parcels", part("h.geojson", parcels_geojson(["H1"]))).json()

    answer = client.http.head(f"/loads/{job['id']}/events")

    assert (200, b"") == (answer.status_code, answer.content)
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_the_preview_shows_rows_before_they_are_loaded(client: Client) -> None:
    content = parcels_geojson(["V1", "V2", "V3"], land_use_code="0701")
    job = client.upload("parcels", part("v.geojson", content)).json()
    client.wait(job["id"], "ready")

    tilejson = client.http.get(f"/loads/{job['id']}/preview.json").json()
    tile = client.http.get(f"/loads/{job['id']}/preview/14/13380/7138.mvt")

    assert pytest.approx([114.0, 22.55, 114.005, 22.551], abs=5e-5) == tilejson["bounds"]
    assert {"accepted": 3, "rejected": 0} == tilejson["on_map"]
    assert [
        {"file": "v.geojson", "columns": {"code": "code", "land_use_code": "land_use_code"}}
    ] == [{name: one[name] for name in ("file", "columns")} for one in tilejson["mapping"]]
    assert "application/vnd.mapbox-vector-tile" == tile.headers["content-type"]
    assert "0" == tile.headers["x-features-left-out"]
    features = mapbox_vector_tile.decode(tile.content)["preview"]["features"]
    shown = {f["properties"]["code"]: f["properties"] for f in features}
    assert {"V1", "V2", "V3"} >= shown.keys()
    assert shown
    assert all(one["accepted"] is True and one["land_use_code"] == "0701" for one in shown.values())
    assert "V1" not in codes_held(client)


def test_rejected_rows_are_shown_where_their_file_puts_them(client: Client, tmp_path: Path) -> None:
    bowtie = [(114.3, 22.5), (114.301, 22.501), (114.301, 22.5), (114.3, 22.501), (114.3, 22.5)]
    frame = geopandas.GeoDataFrame(
        {"code": ["Y1", "TIE"]},
        geometry=[shapely.box(114.303, 22.5, 114.304, 22.501), shapely.Polygon(bowtie)],
        crs=4490,
    )
    frame.to_crs(4547).to_file(tmp_path / "tie.gpkg", engine="pyogrio")
    job = client.upload("parcels", part("tie.gpkg", (tmp_path / "tie.gpkg").read_bytes())).json()
    client.wait(job["id"], "ready")

    tilejson = client.http.get(f"/loads/{job['id']}/preview.json").json()
    tile = client.http.get(f"/loads/{job['id']}/preview/12/3348/1785.mvt")

    assert {"accepted": 1, "rejected": 1} == tilejson["on_map"]
    assert pytest.approx([114.303, 22.5, 114.304, 22.501], abs=5e-5) == tilejson["bounds"]
    features = mapbox_vector_tile.decode(tile.content)["preview"]["features"]
    (rejected,) = [f for f in features if not f["properties"]["accepted"]]
    assert "TIE" == rejected["properties"]["key"]
    assert "invalid_geometry" in rejected["properties"]["reason"]


def test_a_tile_of_the_preview_beside_the_files_is_empty(client: Client) -> None:
    job = client.upload("parcels", part("w.geojson", parcels_geojson(["W1"]))).json()
    client.wait(job["id"], "ready")

    empty = client.http.get(f"/loads/{job['id']}/preview/14/0/0.mvt")
    outside = client.http.get(f"/loads/{job['id']}/preview/2/9/0.mvt")

    assert (204, 404) == (empty.status_code, outside.status_code)


def test_the_list_names_layers_loads_and_bounds(client: Client) -> None:
    job = client.upload("parcels", part("q.geojson", parcels_geojson(["Q1"]))).json()

    listed = client.http.get("/loads", params={"limit": 1}).json()
    earlier = client.http.get("/loads", params={"before": job["id"], "limit": 200}).json()

    assert [job["id"]] == [one["id"] for one in listed["loads"]]
    assert all(one["id"] < job["id"] for one in earlier["loads"])
    assert ["parcels"] == [one["name"] for one in listed["layers"]]
    assert 5_000_000_000 == listed["limits"]["max_upload_bytes"]


def pipes_geojson(kinds: dict[str, str]) -> bytes:
    """Pipes by number and kind."""
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "properties": {"code": code, "kind": kind},
            "geometry": {
                "type": "LineString",
                "coordinates": [[114.0 + 0.001 * n, 22.5], [114.0 + 0.001 * n, 22.501]],
            },
        }
        for n, (code, kind) in enumerate(kinds.items())
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_a_preview_shows_a_level_only_the_rows_that_it_may_read(
    service: WebService, headers_of: KeyMaker
) -> None:
    officer = service.client(headers_of(Clearance.GOVERNMENT, "load:pipelines"))
    chief = service.client(headers_of(Clearance.RESTRICTED, "load:pipelines"))
    content = pipes_geojson({"WATER": "JS", "SECRETGAS": "RQ"})
    job = officer.upload("pipelines", part("p.geojson", content)).json()
    officer.wait(job["id"], "ready")

    seen = officer.http.get(f"/loads/{job['id']}/preview.json").json()["on_map"]
    all_of_it = chief.http.get(f"/loads/{job['id']}/preview.json").json()["on_map"]
    tile = officer.http.get(f"/loads/{job['id']}/preview/12/3345/1785.mvt")

    assert ({"accepted": 1, "rejected": 0}, {"accepted": 2, "rejected": 0}) == (seen, all_of_it)
    assert b"WATER" in tile.content
    assert b"SECRETGAS" not in tile.content
    assert "SECRETGAS" not in officer.http.get(f"/loads/{job['id']}").text


def test_a_theme_takes_rows_like_any_other_layer(
    service: WebService, headers_of: KeyMaker, tmp_path: Path
) -> None:
    def stations(*names: str) -> bytes:
        features = [
            {
                "type": "Feature",
                "properties": {"站名": name, "高度": 12.5 + n},
                "geometry": {"type": "Point", "coordinates": [114.05 + 0.001 * n, 22.55]},
            }
            for n, name in enumerate(names)
        ]
        return json.dumps({"type": "FeatureCollection", "features": features}).encode()

    (tmp_path / "made.geojson").write_bytes(stations("甲站"))
    command = [sys.executable, "-P", "-m", "geoservice", "load", "theme", "base_stations"]
    subprocess.run(
        [*command, str(tmp_path / "made.geojson")],
        env=dict(service.environment),
        check=True,
        capture_output=True,
    )
    client = service.client(headers_of(Clearance.RESTRICTED, "load:base_stations"))
    job = client.upload("base_stations", part("more.geojson", stations("甲站", "乙站"))).json()
    client.wait(job["id"], "ready")

    tile = client.http.get(f"/loads/{job['id']}/preview/12/3345/1784.mvt")
    client.http.post(f"/loads/{job['id']}/confirm")
    done = client.wait(job["id"], "done")

    shown = mapbox_vector_tile.decode(tile.content)["preview"]["features"]
    assert {"甲站", "乙站"} == {f["properties"]["name"] for f in shown}
    assert (1, 1) == (done["result"]["new"], done["result"]["unchanged"])


def test_findings_of_rows_above_a_level_are_counted_and_not_told(
    service: WebService, headers_of: KeyMaker
) -> None:
    officer = service.client(headers_of(Clearance.GOVERNMENT, "load:pipelines"))
    content = pipes_geojson({"CANARY": "RQ"}).replace(b"22.5", b"52.5")
    job = officer.upload("pipelines", part("p.geojson", content)).json()

    ended = officer.wait(job["id"], "ready", "failed")

    assert 0 == len(ended["report"]["findings"])
    assert 1 <= ended["report"]["findings_withheld"]
    assert "CANARY" not in json.dumps(ended)


def test_a_load_of_another_layer_is_not_there(
    service: WebService, client: Client, headers_of: KeyMaker
) -> None:
    other = service.client(headers_of(Clearance.RESTRICTED, "load:districts"))
    job = client.upload("parcels", part("o.geojson", parcels_geojson(["O1"]))).json()
    client.wait(job["id"], "ready")
    paths = ("", "/events", "/preview.json", "/preview/0/0/0.mvt")

    answers = [other.http.get(f"/loads/{job['id']}{path}").status_code for path in paths]
    answers += [other.http.post(f"/loads/{job['id']}/{wish}").status_code for wish in ("confirm",)]
    answers.append(other.http.delete(f"/loads/{job['id']}").status_code)

    assert {404} == set(answers)
    assert [] == other.http.get("/loads").json()["loads"]
    assert "ready" == client.job(job["id"])["state"]


def test_a_stream_of_events_ends_when_its_key_is_revoked(
    service: WebService, client: Client, headers_of: KeyMaker
) -> None:
    headers = headers_of(Clearance.GOVERNMENT, "load:parcels")
    leaver = service.client(headers)
    with service.city.address.connect(Role.OWNER) as connection:
        # Nobody takes the job up: it stays under way.
        job_id = connection.execute(
            text(
                "INSERT INTO city.load_jobs (folder, layer, files, options, created_by, state,"
                " asked) VALUES ('none', 'parcels', '[]', '{}', 0, 'ready', 'undo')"
                " RETURNING job_id"
            )
        ).scalar_one()
        connection.commit()
    with leaver.http.stream("GET", f"/loads/{job_id}/events") as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("data"))
        with service.city.address.connect(Role.OWNER) as connection:
            connection.execute(
                text(
                    "UPDATE city.api_keys SET revoked_at = now() WHERE key_id = "
                    "(SELECT max(key_id) FROM city.api_keys)"
                )
            )
            connection.commit()

        rest = [line for line in lines if line.startswith("data")]

    assert "ready" in first
    assert [] == rest
