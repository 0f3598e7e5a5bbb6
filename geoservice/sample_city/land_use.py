"""What parcels are used for, by what right, and who holds them.

Land use classes are those of GB/T 21010-2017, rights those of the 不动产 registration; the holders
are made up.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geoservice.sample_city.columns import words
from geoservice.sample_city.hashing import Ints, choose, uniform
from geoservice.sample_city.lattice import CENTRAL, GREEN, INDUSTRIAL, RESIDENTIAL, VILLAGE
from geoservice.sample_city.lots import CIVIC
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer
from geoservice.sample_city.words import firms, people

LAND_USES = (
    ("0501", "零售商业用地"), ("0503", "餐饮用地"), ("0504", "旅馆用地"), ("0505", "商务金融用地"),
    ("0601", "工业用地"), ("0604", "仓储用地"), ("0701", "城镇住宅用地"), ("0702", "农村宅基地"),
    ("0801", "机关团体用地"), ("0803", "教育用地"), ("0804", "科研用地"), ("0805", "医疗卫生用地"),
    ("0806", "社会福利用地"), ("0807", "文化设施用地"), ("0808", "体育用地"),
    ("0809", "公用设施用地"), ("0810", "公园与绿地"), ("1005", "交通服务场站用地"),
)  # fmt: skip
USE_INDEX = {code: index for index, (code, _) in enumerate(LAND_USES)}

ZONE_USES = {
    RESIDENTIAL: {
        "0701": 0.64, "0501": 0.12, "0503": 0.05, "0505": 0.04, "0504": 0.02, "0809": 0.03,
        "0806": 0.01, "0801": 0.02, "0810": 0.05, "1005": 0.02,
    },
    CENTRAL: {
        "0505": 0.28, "0501": 0.16, "0701": 0.36, "0504": 0.05, "0503": 0.05, "0810": 0.04,
        "0804": 0.03, "1005": 0.03,
    },
    VILLAGE: {"0702": 0.78, "0501": 0.12, "0601": 0.06, "0809": 0.02, "0503": 0.02},
    INDUSTRIAL: {
        "0601": 0.60, "0604": 0.16, "0701": 0.08, "0505": 0.05, "0804": 0.06, "0809": 0.03,
        "1005": 0.02,
    },
    GREEN: {"0810": 1.0},
}  # fmt: skip
CIVIC_USES = {
    "park": "0810", "school": "0803", "hospital": "0805", "government": "0801", "culture": "0807",
    "sport": "0808", "square": "0810",
}  # fmt: skip

RIGHTS = ("GB", "JB", "JC")
RIGHT_TYPES = ("国有建设用地使用权", "集体建设用地使用权", "宅基地使用权")
NATURES = ("出让", "划拨", "作价出资(入股)", "租赁", "批准拨用")
POOL = 1 << 15
"""Number of different people, and of different firms."""

PRIVATE_SHARE = 0.8
AS_BLOCK_SHARE = 0.6
"""Share of parcels used as most of their block is."""


def land_use_of(plan: CityPlan, block: Ints, number: Ints) -> Ints:
    """Index into LAND_USES of parcels, by the zone of their quarter and the use of their block."""
    zone = plan.zones[plan.graph.blocks.cell[block]]
    as_block = uniform(plan.seed, "as its block", block, number) < AS_BLOCK_SHARE
    of_block = uniform(plan.seed, "use of block", block)
    dice = np.where(as_block, of_block, uniform(plan.seed, "land use", block, number))
    use = np.empty(len(block), np.int64)
    for key, shares in ZONE_USES.items():
        here = zone == key
        codes = np.array([USE_INDEX[code] for code in shares])
        use[here] = codes[choose(dice[here], list(shares.values()))]
    of_civic = np.array([USE_INDEX[CIVIC_USES[name]] if name else -1 for name in CIVIC])
    civic_use = of_civic[plan.lots.civic[block]]
    return np.where(civic_use >= 0, civic_use, use)


def rights_of(zone: Ints, use: Ints) -> Ints:
    """Index into RIGHTS: collective land in villages, its homesteads (C) only there."""
    is_homestead = use == USE_INDEX["0702"]
    is_public = (use >= USE_INDEX["0801"]) & (use <= USE_INDEX["0810"])
    collective = np.where(is_homestead, 2, 1)
    return np.where((zone == VILLAGE) & ~is_public, collective, 0)


def nature_of(plan: CityPlan, block: Ints, number: Ints, use: Ints, rights: Ints) -> Ints:
    """Index into NATURES: collective land is approved, public uses allocated, others sold."""
    dice = uniform(plan.seed, "nature", block, number)
    sold = np.array((0, 2, 3))[choose(dice, (0.90, 0.04, 0.06))]
    is_public = (use >= USE_INDEX["0801"]) & (use <= USE_INDEX["0810"])
    return np.where(rights > 0, 4, np.where(is_public, 1, sold))


def holders(plan: CityPlan, gazetteer: Gazetteer, cell: Ints, number: Ints, use: Ints) -> pa.Array:
    """Right-holders: districts of public land, people of most homes, firms of the rest."""
    index = pa.array((POOL * uniform(plan.seed, "holder", cell, number)).astype(np.int64))
    is_private = uniform(plan.seed, "private", cell, number) < PRIVATE_SHARE
    is_home = (use == USE_INDEX["0701"]) | (use == USE_INDEX["0702"])
    is_public = (use >= USE_INDEX["0801"]) & (use <= USE_INDEX["0810"])
    offices = [f"{item.district_name}公共物业管理中心" for item in gazetteer.admin_streets]
    private = pc.if_else(
        pa.array(is_home & is_private), _people().take(index), _firms().take(index)
    )
    return pc.if_else(pa.array(is_public), words(offices, gazetteer.admin_of_cell[cell]), private)


@lru_cache(maxsize=1)
def _people() -> pa.Array:
    return pa.array(people(np.arange(POOL)))


@lru_cache(maxsize=1)
def _firms() -> pa.Array:
    return pa.array(firms(np.arange(POOL)))
