"""Any sequence of splits and merges leaves the fabric whole, and every way back and forth known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon
from sqlalchemy import Connection, text
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.cadastre.plane import Plane
from layers.cadastre.transactions import Act, Merge, Split, change_parcels
from layers.errors import InvalidTransaction
from layers.undo import undo_load
from tests.support import City, parcel

FIRST = ("A", "B", "C", "D")
ACT = Act("1", "试验", None, Clearance.GOVERNMENT, date(2026, 1, 1))
PLANE_SRID = 4547
Fabric = Mapping[str, MultiPolygon]


@pytest.fixture(scope="module", autouse=True)
def parcels(city: City) -> None:
    """Four parcels around a corner; two of them share edges in part only."""
    rows = [parcel(code, 114.3, 22.55) for code in FIRST]
    for row, (west, south, east, north) in zip(
        rows, [(0, 0, 5, 4), (5, 0, 9, 5), (0, 4, 5, 9), (5, 5, 9, 9)], strict=True
    ):
        # The corner of one that lies on the edge of another is a vertex of both.
        ring = shapely.segmentize(shapely.box(west, south, east, north), 1)
        ring = shapely.transform(ring, lambda xy: xy.round() * 0.0004 + (114.3, 22.55))
        row["wkt"] = MultiPolygon([ring]).wkt
    city.publish("parcels", rows)


@dataclass
class Book:
    """The parcels of the test, and the transactions done with them."""

    connection: Connection
    states: list[Fabric] = field(default_factory=list)
    loads: list[int] = field(default_factory=list)

    def fabric(self) -> Fabric:
        statement = "SELECT code, ST_AsBinary(geom) FROM city.parcels WHERE upper_inf(valid_during)"
        rows = self.connection.execute(text(statement)).all()
        self.connection.commit()
        shapes = {code: shapely.from_wkb(bytes(wkb)) for code, wkb in rows}
        return {code: one for code, one in shapes.items() if isinstance(one, MultiPolygon)}

    def try_(self, change: Split | Merge) -> None:
        before = self.fabric()
        try:
            done = change_parcels(self.connection, change, ACT, PLANE_SRID)
        except InvalidTransaction:
            self.connection.rollback()
            return
        self.connection.commit()
        self.states.append(before)
        self.loads.append(done.load_id)

    def undo(self) -> Fabric:
        """Undo the last transaction; what was before it."""
        undo_load(self.connection, self.loads.pop())
        self.connection.commit()
        return self.states.pop()


def crossing(
    shape: MultiPolygon, start: float, end: float, bend: float
) -> list[tuple[float, float]]:
    """A line over two places of a boundary, with a bend between them."""
    ring = shape.geoms[0].exterior
    a, b = (ring.interpolate(at, normalized=True) for at in (start, end))
    middle = ((a.x + b.x) / 2 + bend * (b.y - a.y), (a.y + b.y) / 2 - bend * (b.x - a.x))
    return [(a.x, a.y), middle, (b.x, b.y)]


fractions = st.floats(0, 1, allow_nan=False)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("split"), fractions, fractions, fractions, st.floats(-0.3, 0.3)),
        st.tuples(st.just("merge"), fractions, fractions),
    ),
    min_size=2,
    max_size=6,
)


def change_of(fabric: Fabric, step: tuple[Any, ...], number: int) -> Split | Merge:
    codes = sorted(fabric)
    chosen = codes[min(int(step[1] * len(codes)), len(codes) - 1)]
    if step[0] == "split":
        line = crossing(fabric[chosen], *step[2:])
        return Split(chosen, line, (f"N{number}L", f"N{number}R"))
    shape = fabric[chosen]
    beside = [
        one for one in codes if one != chosen and shape.intersection(fabric[one]).length > 1e-7
    ]
    other = beside[min(int(step[2] * len(beside)), len(beside) - 1)] if beside else codes[0]
    return Merge([chosen, other], f"N{number}")


def pairs_of(client: TestClient, living: Fabric) -> tuple[set[Any], set[Any]]:
    """First ancestors with their living descendants, by the way back and by the way forth."""
    back, forth = set(), set()
    for code in living:
        edges = client.get(f"/parcels/{code}/lineage").json()["edges"]
        made = {edge["to"] for edge in edges}
        # Siblings are on the edges of a split, but nothing leads from them to the parcel.
        ancestors, wanted = set(), {code}
        while wanted:
            ancestors |= wanted
            wanted = {edge["from"] for edge in edges if edge["to"] in wanted}
        back |= {(one, code) for one in ancestors - made}
    for first in FIRST:
        nodes = client.get(f"/parcels/{first}/lineage").json()["nodes"]
        forth |= {(first, one["code"]) for one in nodes if one["is_there"]}
    return back, forth


def assert_whole(fabric: Fabric, area_m2: float) -> None:
    shapes = list(fabric.values())
    assert shapely.coverage_is_valid(shapes)
    union = shapely.coverage_union_all(shapes)
    assert 0 == sum(len(one.interiors) for one in shapely.get_parts(union))
    assert area_m2 == pytest.approx(area_of(fabric), abs=0.01)


def area_of(fabric: Fabric) -> float:
    return sum(Plane(PLANE_SRID).area_m2(shape) for shape in fabric.values())


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_sequence_leaves_the_fabric_whole_and_is_undone_exactly(
    loader_connection: Connection, client: TestClient, sequence: list[tuple[Any, ...]]
) -> None:
    book = Book(loader_connection)
    first = book.fabric()
    area_m2 = area_of(first)

    try:
        for number, step in enumerate(sequence):
            book.try_(change_of(book.fabric(), step, number))
            assert_whole(book.fabric(), area_m2)
        back, forth = pairs_of(client, book.fabric())
        assert back == forth
        assert set(FIRST) == {one for one, _ in back}
    finally:
        while book.loads:
            assert book.undo() == book.fabric()
    assert first == book.fabric()
