"""Clearance: canaries in hidden layers, attributes, rows and past versions come out nowhere.

Once over HTTP, over every route at every level, and once by SQL as each reader role itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx2 as httpx
import psycopg
import pytest
from mapbox_vector_tile import decode
from sqlalchemy import text
from starlette.testclient import TestClient

from layers import overviews
from layers.access import Clearance
from layers.cadastre.transactions import Act, Split, change_parcels
from layers.overview_tables import generalised_tables
from layers.registry import LAYERS, get_layer
from layers.roles import Role, reader_role
from layers.tables import partition_name, past_name, row_clearances
from tests.conftest import KeyMaker
from tests.support import City, facility, parcel, pipe

PLACE = (114.05, 22.55)
CANARIES = {
    # what a level may see is what stands at it or below
    "canary-holder": Clearance.GOVERNMENT,
    "canary-right-nature": Clearance.ENTERPRISE,
    "canary-row": Clearance.ENTERPRISE,
    "canary-past": Clearance.GOVERNMENT,
    "canary-water": Clearance.GOVERNMENT,
    "canary-gas": Clearance.RESTRICTED,
    "canary-reason": Clearance.GOVERNMENT,
    "canary-part": Clearance.RESTRICTED,
}


@pytest.fixture(scope="module", autouse=True)
def canaries(city: City) -> None:
    """A canary of each kind, all at one place."""
    lon, lat = PLACE
    more: dict[str, Any] = {"holder": "canary-holder", "right_nature": "canary-right-nature"}
    city.publish("parcels", [parcel("P1", lon, lat, **more)])
    city.publish("parcels", [parcel("P2", lon, lat, holder="canary-past")])
    city.publish("parcels", [parcel("P2", lon, lat, holder="else")])
    row = facility("F1", lon, lat, address="canary-row", clearance=Clearance.ENTERPRISE)
    city.publish("facilities", [row])
    ends = ((lon, lat, 1.0), (lon + 0.001, lat, 1.0))
    city.publish("pipelines", [pipe("canary-water", "JP", *ends)])
    city.publish("pipelines", [pipe("canary-gas", "TR", *ends)])
    split(city, parcel("P3", lon, 22.7), ("P3L", "P3R"), reason="canary-reason")
    hidden = parcel("P4", lon, 22.8, clearance=Clearance.RESTRICTED)
    split(city, hidden, ("canary-part", "P4R"), reason="else")


def split(city: City, row: dict[str, Any], parts: tuple[str, str], reason: str) -> None:
    """Publish a parcel and part it into west and east."""
    city.publish("parcels", [row])
    act = Act("1", reason, None, Clearance.RESTRICTED, date(2026, 1, 1))
    line = [(PLACE[0] + 0.0005, 22.0), (PLACE[0] + 0.0005, 23.0)]
    with city.address.connect(Role.LOADER) as connection:
        change_parcels(connection, Split(row["code"], line, parts), act, 4547)
        connection.commit()


def every_path() -> Iterator[str]:
    """A request of every reading route, for every layer, past and present."""
    lon, lat = PLACE
    names = [layer.name for layer in LAYERS]
    yield from ("/", "/conformance", "/collections", "/api", "/styles/city.json")
    yield "/tileMatrixSets"
    yield from ("/styles/city-print.json", "/sprites/city-print.json", "/sprites/city@2x.png")
    for name in names:
        yield f"/collections/{name}"
        yield f"/collections/{name}/items?limit=100"
        yield f"/collections/{name}/items?bbox=114,22.5,114.1,22.6"
        yield f"/collections/{name}/items?datetime=2000-01-01T00:00:00Z/.."
        yield from (f"/collections/{name}/items/{i}" for i in range(1, 8))
        yield f"/tiles/{name}.json"
        yield f"/legends/{name}.svg?look=night"
        yield f"/tiles/{name}/15/26765/14276.mvt"
        yield f"/tiles/{name},roads/15/26765/14276.mvt"
        yield f"/collections/{name}/queryables"
        yield f"/collections/{name}/tiles"
        yield f"/collections/{name}/tiles/WebMercatorQuad"
        yield f"/collections/{name}/tiles/WebMercatorQuad/15/14276/26765"
        yield f"/tiles/{name}/WebMercatorQuad.json"
        for attribute in ("code", "holder", "right_nature", "address"):
            asked = f"filter={attribute}+IS+NOT+NULL&properties={attribute}"
            yield f"/collections/{name}/items?{asked}"
            yield f"/tiles/{name}/15/26765/14276.mvt?{asked}"
    yield "/pipelines/separation?bbox=114,22.5,114.1,22.6"
    yield "/pipelines/statistics?by=kind,material,district,year"
    for code in ("P1", "P3L", "P4"):
        yield f"/parcels/{code}"
        yield f"/parcels/{code}/lineage"
    yield f"/parcels/at?lon={lon}&lat={lat}"
    yield "/parcels/transactions"
    yield f"/availability?lon={lon}&lat={lat}&radius_m=5000"
    yield from (f"/availability/{i}" for i in range(1, 8))


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_no_route_lets_a_canary_above_the_level_out(
    client: TestClient, headers_of: KeyMaker, level: Clearance
) -> None:
    headers = headers_of(level)
    answers = {path: client.get(path, headers=headers) for path in every_path()}

    content = b"\n".join(answer.content for answer in answers.values())
    out = {canary for canary in CANARIES if canary.encode() in content}
    forbidden = {canary for canary, least in CANARIES.items() if least > level}
    assert set() == out & forbidden
    assert not [path for path, answer in answers.items() if answer.status_code >= 500]


def test_each_canary_comes_out_where_it_may(client: TestClient, headers_of: KeyMaker) -> None:
    """The walk above can fail: at the highest level every present canary is found by it."""
    headers = headers_of(Clearance.RESTRICTED)

    content = b"\n".join(client.get(path, headers=headers).content for path in every_path())

    present = {canary for canary in CANARIES if canary != "canary-past"}
    assert {canary for canary in present if canary.encode() in content} == present


@pytest.mark.parametrize(
    ("layer", "features"),
    # at public, enterprise, government and restricted; None where the layer itself is hidden
    [("parcels", (2, 2, 2, 2)), ("facilities", (0, 1, 1, 1)), ("pipelines", (None, None, 1, 2))],
)
def test_a_tile_holds_the_rows_of_the_level(
    client: TestClient, headers_of: KeyMaker, layer: str, features: tuple[int | None, ...]
) -> None:
    path = f"/tiles/{layer}/15/26765/14276.mvt"
    answers = [client.get(path, headers=headers_of(level)) for level in Clearance]

    assert list(features) == [_features_in(answer, layer) for answer in answers]


def _features_in(answer: httpx.Response, layer: str) -> int | None:
    if answer.status_code == 404:
        return None
    return len(decode(answer.content)[layer]["features"]) if answer.content else 0


def test_no_key_is_the_same_as_a_public_one(client: TestClient, headers_of: KeyMaker) -> None:
    public = headers_of(Clearance.PUBLIC)

    for path in every_path():
        without, with_key = client.get(path), client.get(path, headers=public)
        assert without.status_code == with_key.status_code
        if without.status_code == 200 and not path.startswith("/availability?"):
            assert without.content == with_key.content


@pytest.mark.parametrize(
    "credential", ["Bearer wrong", "Bearer ", "Basic dXNlcjpwdw==", "gsk_x", "Bearer a b"]
)
def test_a_wrong_credential_is_refused_not_ignored(client: TestClient, credential: str) -> None:
    response = client.get("/collections", headers={"Authorization": credential})

    assert response.status_code == 401
    assert "Bearer" in response.headers["www-authenticate"]
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_a_reader_role_reads_only_its_views(city: City, level: Clearance) -> None:
    url = city.address.libpq_url(reader_role(level))
    with psycopg.connect(url, autocommit=True) as connection:
        for layer in LAYERS:
            for name in (layer.name, past_name(layer), *generalised_tables(layer)):
                _denied(connection, f"SELECT * FROM city.{name}")
                for clearance in row_clearances(layer):
                    _denied(connection, f"SELECT * FROM city.{partition_name(name, clearance)}")
        for other in set(Clearance) - {level}:
            _denied(connection, f"SELECT * FROM read_{other.label}.parcels")
        for table in ("loads", "quarantine", "api_keys", "series", "observations"):
            _denied(connection, f"SELECT * FROM city.{table}")
        rows = connection.execute("SELECT to_jsonb(f)::text FROM facilities f").fetchall()

    sees_row = any("canary-row" in row[0] for row in rows)
    assert sees_row == (level >= Clearance.ENTERPRISE)


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_no_view_lets_a_canary_above_the_level_out(city: City, level: Clearance) -> None:
    """Whatever a role may read, overviews and cells too, by SQL of its own."""
    with city.address.connect(Role.LOADER) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(overviews, "_FULL_BYTES", 1)
        for name in ("parcels", "facilities", "pipelines"):
            overviews.rebuild(connection, get_layer(name))
        connection.commit()
    with psycopg.connect(city.address.libpq_url(reader_role(level)), autocommit=True) as connection:
        views = connection.execute(
            "SELECT viewname FROM pg_views WHERE schemaname = current_schema()"
        ).fetchall()
        said = {
            name: str(connection.execute(f"SELECT v::text FROM {name} v".encode()).fetchall())
            for (name,) in views
        }

    out = {canary for canary in CANARIES if any(canary in text for text in said.values())}
    assert {canary for canary, least in CANARIES.items() if least <= level} == out
    assert ("canary-water" in said.get("pipelines_overview", "")) == (level >= Clearance.GOVERNMENT)


@pytest.fixture
def hidden_figure(city: City) -> Iterator[int]:
    """An observation of a series that only ``restricted`` may read."""
    value = 777_333
    with city.address.connect(Role.OWNER) as connection:
        for statement in (
            "SELECT city.ensure_observation_partition(now())",
            "INSERT INTO city.series (layer, feature_id, property, source, ttl_s, clearance) "
            "SELECT 'facilities', feature_id, 'availability', 'hidden-source', 60, 3 "
            "FROM city.facilities WHERE natural_key = 'F1'",
            "INSERT INTO city.observations (series_id, observed_at, received_at, value) "
            f"SELECT series_id, now(), now(), {value} FROM city.series",
            "INSERT INTO city.series_status (series_id, feature_id, observed_at, received_at, "
            "available, status, property, resource_type, source, ttl_s, clearance, changed_at) "
            f"SELECT series_id, feature_id, now(), now(), {value}, 0, "
            "property, resource_type, source, ttl_s, clearance, now() FROM city.series",
            "SELECT city.ensure_rollup_partition(now()), city.ensure_event_partition(1)",
            "INSERT INTO city.observation_rollups (series_id, step_min, bucket_start, count, last) "
            f"SELECT series_id, 5, now(), 1, {value} FROM city.series",
            "INSERT INTO city.events (event_no, topic, layer, feature_id, clearance, body) "
            f"SELECT {value}, 'availability', layer, feature_id, clearance, '{{}}' "
            "FROM city.series",
        ):
            connection.execute(text(statement))
        connection.commit()
        yield value
        derived = ("observation_rollups", "events")
        for table in ("observations", "series_status", "series", *derived):
            connection.execute(text(f"DELETE FROM city.{table}"))
        connection.commit()


FIGURES = {
    "observations": "value",
    "facility_status": "available",
    "observation_rollups": "last",
    "events": "event_no",
}
"""Views of figures, and the column of each that tells one."""


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_no_error_text_shows_a_figure_of_a_hidden_series(
    city: City, hidden_figure: int, level: Clearance
) -> None:
    said = []
    with psycopg.connect(city.address.libpq_url(reader_role(level)), autocommit=True) as connection:
        for view, column in FIGURES.items():
            # The cast fails on whatever row it is tried on, and tells the value.
            statement = (
                f"SELECT FROM {view} WHERE ({column}::text || 'x')::int = 1 AND {column} > 0"
            )
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InvalidTextRepresentation:
                said.append(view)

    assert ([] if level < Clearance.RESTRICTED else list(FIGURES)) == said


def test_every_view_that_leaves_rows_out_is_a_security_barrier(city: City) -> None:
    statement = """
        SELECT n.nspname || '.' || c.relname FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname LIKE 'read\\_%' AND pg_get_viewdef(c.oid) LIKE '%WHERE%'
          AND pg_get_viewdef(c.oid) NOT LIKE '%LIMIT 1%'
          AND NOT coalesce(c.reloptions @> '{security_barrier=true}', false)"""
    with city.address.connect(Role.OWNER) as connection:
        leaky = connection.execute(text(statement)).scalars().all()

    assert [] == leaky


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_a_reader_role_changes_and_makes_nothing(city: City, level: Clearance) -> None:
    url = city.address.libpq_url(reader_role(level))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for statement in (
            "INSERT INTO facilities (feature_id) VALUES (1)",
            "DELETE FROM parcels",
            "CREATE TEMP TABLE t (a int)",
            f"CREATE TABLE read_{level.label}.t (a int)",
            "CREATE TABLE public.t (a int)",
            "SELECT city.ensure_observation_partition(now())",
            "SELECT city.analyze_layer('parcels')",
            "COPY parcels TO PROGRAM 'true'",
            f"SET ROLE {city.settings.database.name}_owner",
        ):
            _denied(connection, statement)


def _denied(connection: psycopg.Connection, statement: str) -> None:
    with pytest.raises(
        (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
    ):
        connection.execute(statement)


def test_the_gate_reads_keys_and_no_data(city: City) -> None:
    with psycopg.connect(city.address.libpq_url(Role.GATE), autocommit=True) as connection:
        connection.execute("SELECT count(*) FROM city.api_keys")
        _denied(connection, "SELECT * FROM city.parcels")
        _denied(
            connection, "INSERT INTO city.api_keys (label, key_hash, clearance) VALUES ('', '', 3)"
        )


@pytest.mark.parametrize("path", ["/collections", "/collections/parcels"])
def test_what_depends_on_the_key_is_not_shared_by_caches(
    client: TestClient, headers_of: KeyMaker, path: str
) -> None:
    answer = client.get(path, headers=headers_of(Clearance.GOVERNMENT))

    assert "private" in answer.headers["cache-control"]
    assert "Authorization" in answer.headers["vary"]


def test_a_hidden_attribute_is_not_even_named(client: TestClient) -> None:
    described = client.get("/collections/parcels").text + client.get("/styles/city.json").text

    assert "holder" not in described
    assert "right_nature" not in described
