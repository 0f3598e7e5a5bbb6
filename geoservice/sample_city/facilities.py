"""Public facilities: places in the built blocks, with names, addresses, hours and capacities."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.columns import text
from geoservice.sample_city.facility_kinds import FACILITY_KINDS
from geoservice.sample_city.hashing import Floats, Ints, between, choose, uniform
from geoservice.sample_city.land import degrees_from_plane
from geoservice.sample_city.lots import CIVIC
from geoservice.sample_city.parcels import inside
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.schedules import SCHEDULES
from geoservice.sample_city.street_names import Gazetteer
from geoservice.sample_city.usage import Facility
from layers.gcj02 import gcj02_from_wgs84

HEADER = (
    "编码", "名称", "类别", "地址", "电话", "开放时间", "容量", "资源类型", "收费", "收费等级",
    "无障碍", "经度", "纬度",
)  # fmt: skip
_FREE = "免费"
_AT_MARKET_PRICE = ("parking", "charging", "gym", "concert_hall")

KERB = 0.1
"""Part of a block's depth at which facilities stand behind the street."""


@dataclass(frozen=True)
class Facilities:
    """All facilities of a plan.

    Attributes:
        kind: Index into FACILITY_KINDS.
        block: Block that each stands in.
        xy: Plane points (EPSG:4547), shape (n, 2).
        capacity: Capacity; 0 where nothing is counted.
        schedule: Index into SCHEDULES.
    """

    kind: Ints
    block: Ints
    xy: Floats
    capacity: Ints
    schedule: Ints

    def counted(self) -> list[Facility]:
        """Those that are observed: with a capacity."""
        return [
            Facility(
                code(index), FACILITY_KINDS[kind].code, FACILITY_KINDS[kind].resource_type,
                capacity, SCHEDULES[schedule].text,
            )
            for index, (kind, capacity, schedule) in enumerate(
                zip(self.kind.tolist(), self.capacity.tolist(), self.schedule.tolist(), strict=True)
            )
            if capacity
        ]  # fmt: skip


def code(index: int) -> str:
    """Code of the facility with an index from 0."""
    return f"SZ{index + 1:06d}"


def place_facilities(plan: CityPlan) -> Facilities:
    """Kinds by weight; those with blocks of their own stand in their middle, others at a kerb."""
    index = np.arange(plan.facilities)
    kind = choose(uniform(plan.seed, "facility", index), [item.weight for item in FACILITY_KINDS])
    dice = uniform(plan.seed, "facility block", index)
    block = plan.blocks[(dice * len(plan.blocks)).astype(np.int64)]
    is_central = _take_own_blocks(plan, kind, block)
    u = 0.06 + 0.88 * uniform(plan.seed, "facility u", index)
    v = np.where(uniform(plan.seed, "facility v", index) < 0.5, KERB, 1.0 - KERB)
    xy = inside(
        plan.graph.blocks.quad[block], np.where(is_central, 0.5, u), np.where(is_central, 0.5, v)
    )
    low, high = np.array([item.capacity for item in FACILITY_KINDS])[kind].T
    capacity = between(uniform(plan.seed, "capacity", index) ** 2.2, low, high)
    choices = np.array([len(item.schedules) for item in FACILITY_KINDS])[kind]
    chosen = (uniform(plan.seed, "schedule", index) * choices).astype(np.int64)
    tables = [FACILITY_KINDS[number].schedules for number in kind.tolist()]
    schedule = [table[n] for table, n in zip(tables, chosen.tolist(), strict=True)]
    return Facilities(kind, block, np.round(xy, 3), capacity, np.array(schedule, np.int64))


def _take_own_blocks(plan: CityPlan, kind: Ints, block: Ints) -> np.ndarray:
    """Put facilities on whole blocks of their use, as far as there are such; changes ``block``."""
    is_central = np.zeros(len(kind), np.bool_)
    for number, item in enumerate(FACILITY_KINDS):
        if not item.civic:
            continue
        civic = plan.lots.civic[plan.blocks]
        own = plan.blocks[civic == CIVIC.index(item.civic)]
        here = np.flatnonzero(kind == number)[: len(own)]
        block[here] = own[: len(here)]
        is_central[here] = True
    return is_central


def facility_rows(
    plan: CityPlan, gazetteer: Gazetteer, facilities: Facilities
) -> Iterator[tuple[str | int, ...]]:
    """Rows of the facilities file with the columns of HEADER, coordinates in GCJ-02 degrees."""
    lon, lat = gcj02_from_wgs84(*degrees_from_plane(facilities.xy).T)
    index = np.arange(len(lon))
    fee = uniform(plan.seed, "fee", index).tolist()
    accessible = uniform(plan.seed, "accessible", index).tolist()
    phone = between(uniform(plan.seed, "phone", index), 20_000_000, 89_999_999).tolist()
    addresses = _addresses(plan, gazetteer, facilities)
    roads = gazetteer.roads.to_pylist()
    streets = plan.graph.blocks.street[facilities.block].tolist()
    for n, kind in enumerate(facilities.kind.tolist()):
        item = FACILITY_KINDS[kind]
        said = item.fees[int(fee[n] * len(item.fees))]
        yield (
            code(n), f"{roads[streets[n]]}{n + 1}号{item.title}", item.code, addresses[n],
            f"0755-{phone[n]}", SCHEDULES[facilities.schedule[n]].text,
            int(facilities.capacity[n]) or "", item.resource_type,
            said, _price(item.code, said),
            "是" if accessible[n] < item.accessible_share else "否",
            f"{lon[n]:.6f}", f"{lat[n]:.6f}",
        )  # fmt: skip


def _price(kind: str, fee: str) -> str:
    """The class of a fee."""
    if fee == _FREE:
        return _FREE
    return "市场价" if kind.startswith(_AT_MARKET_PRICE) else "低收费"


def _addresses(plan: CityPlan, gazetteer: Gazetteer, facilities: Facilities) -> list[str]:
    blocks = plan.graph.blocks
    house = between(uniform(plan.seed, "house", np.arange(len(facilities.block))), 1, 300)
    addresses: list[str] = gazetteer.addresses(
        blocks.cell[facilities.block], blocks.street[facilities.block], text(house)
    ).to_pylist()
    return addresses
