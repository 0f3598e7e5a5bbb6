"""Corners of the history: loads taken back, loaded again, purged, and raised in clearance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from starlette.testclient import TestClient

from geoservice.theme_loading import connect_knowing_themes, load_theme
from layers.access import Clearance
from layers.changes import changes_of_load
from layers.claims import Claim
from layers.errors import CannotPurge, CannotUndo
from layers.feature_history import MAX_PERIODS
from layers.purge import purge_load
from layers.recorded import SETTLED
from layers.registry import get_layer
from layers.roles import Role
from layers.system_tables import loads, quarantine
from layers.undo import undo_load
from loaders import LoadOptions, load
from loaders.themes import ThemeRequest
from tests.conftest import KeyMaker
from tests.support import City, parcel, pipe

Y1990 = datetime(1990, 1, 1, tzinfo=UTC)
Y2010 = datetime(2010, 1, 1, tzinfo=UTC)
Y2015 = datetime(2015, 1, 1, tzinfo=UTC)


def last_load(city: City, layer: str = "parcels") -> int:
    with city.address.connect(Role.LOADER) as connection:
        newest = select(func.max(loads.c.load_id)).where(loads.c.layer == layer)
        return int(connection.execute(newest).scalar_one())


def undo(city: City, number: int) -> int:
    with city.address.connect(Role.LOADER) as connection:
        undone = undo_load(connection, number)
        connection.commit()
    return undone.load_id


def purge(city: City, number: int) -> None:
    with city.address.connect(Role.LOADER) as connection:
        purge_load(connection, number, "personal data")
        connection.commit()


def held(city: City, code: str) -> list[tuple[Any, ...]]:
    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text(
                "SELECT address, lower(valid_during), upper(valid_during), load_id, clearance "
                "FROM city.parcels WHERE natural_key = :code ORDER BY 2"
            ),
            {"code": code},
        ).all()
    return [tuple(row) for row in rows]


def test_a_feature_whose_load_was_undone_holds_again_from_its_own_date(city: City) -> None:
    city.publish("parcels", [parcel("OWN", 114.1, 22.5, address="错", valid_from=Y1990)])
    undo(city, last_load(city))

    city.publish("parcels", [parcel("OWN", 114.1, 22.5, address="对", valid_from=Y1990)])

    assert [("对", Y1990, None)] == [row[:3] for row in held(city, "OWN")]


def test_a_load_is_not_purged_while_a_correction_holds_what_it_took_over(city: City) -> None:
    silent = {"address": ((1, 1),)}
    city.publish("parcels", [parcel("TAKEN", 114.11, 22.5, address="canary", valid_from=Y2010)])
    first = last_load(city)
    claim = Claim(is_correction=True, silent=silent)
    city.publish("parcels", [parcel("TAKEN", 114.12, 22.5)], claim=claim)
    second = last_load(city)
    assert [("canary", second)] == [(row[0], row[3]) for row in held(city, "TAKEN")]

    with pytest.raises(CannotPurge, match=str(second)):
        purge(city, first)


def test_a_load_is_purged_under_later_loads_that_knew_nothing_of_it(city: City) -> None:
    city.publish("parcels", [parcel("LATER", 114.13, 22.5, address="canary")])
    first = last_load(city)
    undo(city, first)
    city.publish("parcels", [parcel("LATER", 114.13, 22.5, address="一")])
    city.publish("parcels", [parcel("LATER", 114.13, 22.5, address="二")])

    purge(city, first)

    assert ["一", "二"] == [row[0] for row in held(city, "LATER")]


def test_the_undoing_of_a_purged_load_cannot_be_undone(city: City) -> None:
    city.publish("parcels", [parcel("GONE", 114.14, 22.5, address="一")], valid_from=Y2010)
    city.publish("parcels", [parcel("GONE", 114.14, 22.5, address="canary")], valid_from=Y2015)
    second = last_load(city)
    undoing = undo(city, second)
    purge(city, second)
    before = held(city, "GONE")

    with pytest.raises(CannotUndo, match="purged"):
        undo(city, undoing)

    assert before == held(city, "GONE")


def test_a_correction_that_only_raised_a_clearance_is_undone_once(city: City) -> None:
    city.publish("parcels", [parcel("RAISED", 114.15, 22.5)], valid_from=Y2010)
    first = last_load(city)
    raised = parcel("RAISED", 114.15, 22.5, clearance=Clearance.GOVERNMENT)
    city.publish("parcels", [raised], claim=Claim(is_correction=True))
    second = last_load(city)

    undo(city, second)

    assert [(first, 2)] == [row[3:] for row in held(city, "RAISED")]
    with pytest.raises(CannotUndo, match="undone already"):
        undo(city, second)
    purge(city, second)


def test_only_later_loads_that_still_count_stand_in_the_way(city: City) -> None:
    city.publish("parcels", [parcel("WAY", 114.16, 22.5, address="一")])
    first = last_load(city)
    undo(city, undo(city, first))
    city.publish("parcels", [parcel("WAY", 114.16, 22.5, address="二")])
    undo(city, last_load(city))
    city.publish("parcels", [parcel("WAY", 114.16, 22.5, address="三")])
    last = last_load(city)

    with pytest.raises(CannotUndo, match="undo the later ones first") as refused:
        undo(city, first)

    assert (last,) == refused.value.loads


@pytest.mark.parametrize("is_correction", [False, True])
def test_a_file_without_the_class_of_pipes_leaves_their_clearance(
    city: City, tmp_path: Path, is_correction: bool
) -> None:
    code = f"Q{is_correction:d}"
    line = '"LINESTRING(114.1 22.5,114.1 22.51)"'
    full, part, new = (tmp_path / f"{name}.csv" for name in ("full", "part", "new"))
    full.write_text(f"管线编号,管类,管径,wkt\n{code},JS,300,{line}\n", encoding="utf-8")
    part.write_text(f"管线编号,管径,wkt\n{code},400,{line}\n", encoding="utf-8")
    new.write_text(f"管线编号,管径,wkt\n{code}N,400,{line}\n", encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
    corrected = replace(options, is_correction=is_correction)

    with city.address.connect_loader() as connections:
        for path, how in ((full, options), (part, corrected), (new, corrected)):
            load(connections, get_layer("pipelines"), [path], how)

    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text(
                "SELECT natural_key, kind, diameter_mm, clearance FROM city.pipelines "
                "WHERE upper_inf(valid_during) AND starts_with(natural_key, :code) ORDER BY 1"
            ),
            {"code": code},
        ).all()
    assert [(code, "JS", 400, 2), (f"{code}N", None, 400, 3)] == [tuple(row) for row in rows]


def test_a_theme_may_have_columns_that_are_called_like_ours(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    table = tmp_path / "masts.csv"
    table.write_text("id,key,superseded,lon,lat\n7,,x,114.1,22.5\n", encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
    load_theme(city.address, ThemeRequest("masts"), [table], options)
    number = last_load(city, "masts")

    with connect_knowing_themes(city.address) as connection:
        row = connection.execute(select(loads).where(loads.c.load_id == number)).one()
        (change,) = changes_of_load(connection, get_layer("masts"), row, plane_srid=4547)
    path = f"/collections/masts/items/{change.feature_id}/history"
    history = client.get(path, headers=headers_of(Clearance.RESTRICTED)).json()

    assert {"id": "7", "key": None, "superseded": "x"} == change.after
    (period,) = history["steps"][0]["timeline"]
    assert {"id": "7", "key": None, "superseded": "x", "admin_code": None} == period["properties"]


def test_the_history_of_a_feature_that_changed_very_often_is_bounded(
    city: City, client: TestClient
) -> None:
    city.publish("parcels", [parcel("OFTEN", 114.17, 22.5)], valid_from=Y1990)
    with city.address.connect(Role.OWNER) as connection:
        feature_id = connection.execute(text(_CHANGED_DAILY), {"days": 400}).scalar_one()
        connection.commit()

    history = client.get(f"/collections/parcels/items/{feature_id}/history").json()

    assert history["earlier_left_out"]
    assert "399" == history["steps"][-1]["timeline"][-1]["properties"]["address"]
    assert "changed" == history["steps"][0]["change"]
    assert sum(len(step["timeline"]) for step in history["steps"]) <= MAX_PERIODS


def test_a_refused_undoing_names_no_hidden_feature(city: City) -> None:
    for code, x in (("H1", 114.2), ("H2", 114.21)):
        node = {"code": code, "kind": "JS", "category": "JS", "clearance": 2}
        city.publish("pipeline_nodes", [{**node, "wkt": f"POINT Z ({x} 22.5 1)"}])
    number = last_load(city, "pipeline_nodes")
    hidden = pipe("canary", "RQ", (114.2, 22.5, 1), (114.21, 22.5, 1))
    city.publish("pipelines", [{**hidden, "start_node": "H1", "end_node": "H2"}])
    assert hidden["clearance"] == Clearance.RESTRICTED

    with pytest.raises(CannotUndo, match="1 features of pipelines end at") as refused:
        undo(city, number)

    assert "canary" not in str(refused.value)


def test_a_purge_takes_the_originals_of_mended_rows_along(city: City) -> None:
    city.publish("parcels", [parcel("FIRST", 114.18, 22.5)])
    first = last_load(city)
    city.publish("parcels", [parcel("MENDED", 114.19, 22.5)])
    second = last_load(city)
    row = {"load_id": first, "row_number": 1, "reasons": ["bad"], "clearance": 0}
    with city.address.connect(Role.LOADER) as connection:
        mended = {**row, "original": {"name": "canary"}, "released_by": second}
        connection.execute(insert(quarantine).values(mended))
        connection.commit()
    undo(city, second)

    purge(city, second)

    with city.address.connect(Role.LOADER) as connection:
        left = select(func.count()).where(quarantine.c.load_id == first)
        assert 0 == connection.execute(left).scalar_one()


def test_publications_are_marked_after_2038(city: City) -> None:
    mark = "SELECT pg_advisory_xact_lock(hashtext('publishing later'), CAST(:second AS integer))"
    second = datetime(2040, 1, 1, tzinfo=UTC).timestamp()
    with city.address.connect(Role.LOADER) as connection:
        connection.execute(text(mark), {"second": second - 2**31})
        asked = [
            connection.execute(
                text(SETTLED), {"layer": "later", "as_recorded": datetime(year, 1, 1, tzinfo=UTC)}
            ).one()
            for year in (2039, 2041)
        ]

    assert [False, True] == [row.is_open for row in asked]


_CHANGED_DAILY = """
    WITH f AS (SELECT * FROM city.parcels WHERE natural_key = 'OFTEN'),
    days AS (
        SELECT n, timestamptz '2020-01-01' + n * interval '1 day' AS began,
               timestamptz '2020-01-02' + n * interval '1 day' AS ended
        FROM generate_series(0, :days - 1) n
    ),
    past AS (
        INSERT INTO city.parcels_past (feature_id, natural_key, key_derived, code, address,
            clearance, load_id, valid_during, recorded_during, geom)
        SELECT feature_id, natural_key, key_derived, code, n::text, clearance, load_id,
            tstzrange(began, NULL), tstzrange(began, ended), geom
        FROM f, days WHERE n < :days - 1
    ),
    held AS (
        INSERT INTO city.parcels (feature_id, natural_key, key_derived, code, address,
            clearance, load_id, valid_during, recorded_during, geom)
        SELECT feature_id, natural_key, key_derived, code, n::text, clearance, load_id,
            tstzrange(began, ended), tstzrange(ended, NULL), geom
        FROM f, days WHERE n < :days - 1
    )
    UPDATE city.parcels p SET address = (:days - 1)::text,
        valid_during = tstzrange(d.began, NULL), recorded_during = tstzrange(d.began, NULL)
    FROM days d WHERE d.n = :days - 1 AND p.natural_key = 'OFTEN'
    RETURNING p.feature_id"""
"""What daily changes leave of a feature, written as they would have been."""
