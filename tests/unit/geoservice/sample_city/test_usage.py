"""Facilities and their usage: codes, coordinates, and figures that never lie."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
from pyogrio.raw import read

from geoservice.sample_city import Facility, observations_at, read_facilities
from layers.codes import FACILITY_KINDS
from layers.gcj02 import wgs84_from_gcj02

MONDAY_NIGHT = datetime(2026, 6, 14, 20, 0, tzinfo=UTC)
"""04:00 on Monday in the city."""


def test_kinds_are_known_to_the_layer(sample_city: Any) -> None:
    known = {code.code for code in FACILITY_KINDS.codes}

    assert {row["类别"] for row in sample_city.facilities} <= known


def test_codes_are_unique(sample_city: Any) -> None:
    codes = [row["编码"] for row in sample_city.facilities]

    assert len(set(codes)) == len(codes)


def test_coordinates_are_shifted_to_gcj02(sample_city: Any) -> None:
    places = np.array([(float(row["经度"]), float(row["纬度"])) for row in sample_city.facilities])
    lon, lat = wgs84_from_gcj02(places[:, 0], places[:, 1])
    roads = np.array([road["geometry"]["coordinates"] for road in sample_city.roads])
    lines = shapely.linestrings(roads)
    near = shapely.distance(shapely.union_all(lines), shapely.points(lon, lat)).max()
    shift = np.hypot((places[:, 0] - lon) * np.cos(np.radians(lat)), places[:, 1] - lat)

    assert 560 < shift.min() * 111_320
    assert shift.max() * 111_320 < 630
    assert near < 0.004


def test_facilities_lie_in_the_city(sample_city: Any) -> None:
    _, _, geometry, _ = read(sample_city.directory / "districts.gpkg", where="级别 = '市'")
    places = np.array([(float(row["经度"]), float(row["纬度"])) for row in sample_city.facilities])
    lon, lat = wgs84_from_gcj02(places[:, 0], places[:, 1])

    assert shapely.contains_xy(shapely.from_wkb(geometry)[0], lon, lat).all()


def test_a_day_of_observations_is_bounded(sample_city: Any) -> None:
    capacity = {row["编码"]: int(row["容量"] or 0) for row in sample_city.facilities}
    lines = (sample_city.directory / "observations.ndjson").read_text().splitlines()

    for line in lines:
        row = json.loads(line)
        assert row["capacity"] == capacity[row["facility"]]
        assert 0 <= row["available"] <= row["capacity"]
        assert row["source"] == "sample-city"
    file = sample_city.manifest.of_layer("observations")[0]
    assert len(lines) == file.rows
    assert sample_city.manifest.instants.cadence_minutes == 30


def test_live_figures_agree_with_the_written_day(sample_city: Any) -> None:
    instant = datetime.fromisoformat(sample_city.manifest.instants.first) + timedelta(hours=10)
    lines = (sample_city.directory / "observations.ndjson").read_text().splitlines()
    written = [row for row in map(json.loads, lines) if row["observed_at"] == instant.isoformat()]

    live = list(observations_at(sample_city.directory, 11, instant))

    assert written
    assert live == written


def test_usage_depends_on_nothing_but_its_arguments(sample_city: Any) -> None:
    facilities = read_facilities(sample_city.directory)

    alone = [next(iter(observations_at([one], 11, MONDAY_NIGHT))) for one in facilities[:50]]

    assert alone == list(observations_at(facilities, 11, MONDAY_NIGHT))[:50]


def test_another_seed_gives_other_figures(sample_city: Any) -> None:
    noon = MONDAY_NIGHT + timedelta(hours=8)

    first = [row["available"] for row in observations_at(sample_city.directory, 11, noon)]
    other = [row["available"] for row in observations_at(sample_city.directory, 12, noon)]

    assert first != other


def test_a_closed_facility_has_nothing_available() -> None:
    library = Facility("SZ000001", "library", "seat", 200, "Tu-Su 09:00-21:00; Mo off")
    tuesday_noon = MONDAY_NIGHT + timedelta(days=1, hours=8)

    assert _available(library, MONDAY_NIGHT + timedelta(hours=8)) == 0
    assert _available(library, tuesday_noon) > 0


def test_hours_are_half_open() -> None:
    court = Facility("SZ000002", "sports_hall.badminton", "court", 20, "Mo-Su 09:00-21:00")
    nine = datetime(2026, 6, 16, 1, 0, tzinfo=UTC)

    assert _available(court, nine - timedelta(seconds=1)) == 0
    assert _available(court, nine) > 0
    assert _available(court, nine + timedelta(hours=12)) == 0


def test_evenings_are_busier_than_mornings_in_sports_halls() -> None:
    hall = Facility("SZ000003", "sports_hall.badminton", "court", 20, "Mo-Su 09:00-22:00")
    ten = datetime(2026, 6, 16, 2, 0, tzinfo=UTC)

    assert _available(hall, ten + timedelta(hours=10)) < _available(hall, ten)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        observations_at([], 1, datetime(2026, 6, 15))  # noqa: DTZ001


def _available(facility: Facility, instant: datetime) -> int:
    return next(iter(observations_at([facility], 1, instant)))["available"]
