"""How full the sample city's facilities are: a pure function of seed, facility code and instant.

The same facility asked twice about the same instant gives the same figure, so a day written to a
file and the live feed agree.  Usage follows the kind's curve for the day of the week, moved up or
down for each facility and wavering slowly; a closed facility has nothing available.
"""

import csv
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypedDict

import numpy as np

from geoservice.sample_city.facility_kinds import FACILITY_KINDS, Curve
from geoservice.sample_city.hashing import Floats, Ints, uniform
from geoservice.sample_city.schedules import DAY_SLOTS, open_slots

LOCAL_TIME = timezone(timedelta(hours=8))
FACILITIES_FILE = "facilities_gcj02.csv"
SOURCE = "sample-city"
SLOT_S = 1800
BIAS, WAVER = 0.22, 0.16


@dataclass(frozen=True)
class Facility:
    """What usage depends on.

    Attributes:
        code: Code of the facility.
        kind: Kind, a code of the facilities layer.
        resource_type: What is counted.
        capacity: How many there are, at least 1.
        opening_hours: OSM opening_hours value, one of the sample city's.
    """

    code: str
    kind: str
    resource_type: str
    capacity: int
    opening_hours: str


class Observation(TypedDict):
    """One reading, in the fields that the service takes."""

    facility: str
    resource_type: str
    observed_at: str
    capacity: int
    available: int
    source: str


def read_facilities(directory: Path) -> list[Facility]:
    """Facilities with a capacity from the CSV file of a written sample city.

    Raises:
        FileNotFoundError: The directory holds no sample city.
    """
    with (directory / FACILITIES_FILE).open(encoding="utf-8-sig", newline="") as file:
        return [
            Facility(row["编码"], row["类别"], row["资源类型"], int(row["容量"]), row["开放时间"])
            for row in csv.DictReader(file)
            if row["容量"]
        ]


def observations_at(
    facilities_or_dir: Sequence[Facility] | Path, seed: int, instant: datetime
) -> Iterator[Observation]:
    """One observation of each facility at an instant.

    Args:
        facilities_or_dir: Facilities, or the directory of a written sample city.
        seed: Seed of the city.
        instant: Aware instant; it is written in local time (UTC+8) to the second.

    Returns:
        Observations in the order of the facilities; 0 <= available <= capacity, and 0 when closed.

    Raises:
        ValueError: ``instant`` is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("instant must be aware")
    if isinstance(facilities_or_dir, Path):
        facilities_or_dir = read_facilities(facilities_or_dir)
    return UsageModel(facilities_or_dir, seed).observations(instant)


class UsageModel:
    """Usage of a fixed list of facilities, prepared once for many instants."""

    def __init__(self, facilities: Sequence[Facility], seed: int) -> None:
        self.facilities = facilities
        self.seed = seed
        self.keys = np.array([_key(item.code) for item in facilities], np.int64)
        self.capacity = np.array([item.capacity for item in facilities], np.int64)
        codes = [kind.code for kind in FACILITY_KINDS]
        self.kind = np.array([codes.index(item.kind) for item in facilities], np.int64)
        hours = open_slots()
        self.schedules = list(hours)
        self.open = np.stack([hours[text] for text in self.schedules])
        index = [self.schedules.index(item.opening_hours) for item in facilities]
        self.schedule = np.array(index, np.int64)
        self.bias = BIAS * (uniform(seed, "usage bias", self.keys) - 0.5)

    def available(self, instant: datetime) -> Ints:
        """Free places of each facility at an aware instant."""
        local = instant.astimezone(LOCAL_TIME)
        hour = local.hour + local.minute / 60.0 + local.second / 3600.0
        is_open = self.open[self.schedule, local.weekday(), int(hour * 2.0) % DAY_SLOTS]
        used = _curve_values(hour, is_weekend=local.weekday() >= 5)[self.kind]
        used = np.clip(used + self.bias + self._waver(instant), 0.0, 1.0)
        free = self.capacity - np.rint(used * self.capacity).astype(np.int64)
        return np.where(is_open, free, 0)

    def observations(self, instant: datetime) -> Iterator[Observation]:
        """One observation of each facility at an aware instant."""
        observed_at = local_rfc3339(instant)
        for facility, available in zip(
            self.facilities, self.available(instant).tolist(), strict=True
        ):
            yield Observation(
                facility=facility.code,
                resource_type=facility.resource_type,
                observed_at=observed_at,
                capacity=facility.capacity,
                available=available,
                source=SOURCE,
            )

    def _waver(self, instant: datetime) -> Floats:
        """Slow noise: random levels at half hours, straight between them."""
        seconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        slot, part = divmod(seconds / SLOT_S, 1.0)
        before = uniform(self.seed, "usage", self.keys, int(slot))
        after = uniform(self.seed, "usage", self.keys, int(slot) + 1)
        return WAVER * (before * (1.0 - part) + after * part - 0.5)


def local_rfc3339(instant: datetime) -> str:
    """RFC 3339 text of an aware instant in the city's time, to the second."""
    return instant.astimezone(LOCAL_TIME).isoformat(timespec="seconds")


def _key(code: str) -> int:
    """An integer for a code, the same in every process."""
    return zlib.crc32(code.encode())


def _curve_values(hour: float, *, is_weekend: bool) -> Floats:
    """Share in use of each kind at an hour of the day."""
    curves = [kind.weekend if is_weekend else kind.weekday for kind in FACILITY_KINDS]
    return np.array([_interpolate(curve, hour) for curve in curves])


def _interpolate(curve: Curve, hour: float) -> float:
    hours, shares = zip(*curve, strict=True)
    return float(np.interp(hour, hours, shares))
