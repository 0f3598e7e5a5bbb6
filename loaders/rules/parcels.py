"""Rules of parcels: the grammar of their codes, and how they lie beside each other.

There is no check digit in a parcel code, so it is judged by its grammar and by what it refers to.
"""

from __future__ import annotations

from layers.base import Title
from loaders.rules.base import Rule, warning

_CODES = "GB/T 37346, structure of parcel and unit codes"
_TOPOLOGY = "Topology of parcels"
_CORRECT = Title("Correct the code.", "更正代码。")
_MEND = Title("Mend the boundaries of the two.", "修正两宗地的界线。")

PARCELS: tuple[Rule, ...] = (
    warning(
        "parcel_code_structure",
        Title("A parcel code of another form", "宗地代码结构不符"),
        Title(
            "{value} is no parcel code: 6 digits of the county, 3 and 3 of cadastral zones, "
            "2 letters, 5 digits.",
            "{value} 不符合宗地代码结构:县区 6 位、地籍区 3 位、子区 3 位、"
            "特征码 2 位、顺序号 5 位。",
        ),
        _CORRECT,
        _CODES,
        "parcels",
        promotable=True,
    ),
    warning(
        "parcel_code_right",
        Title("A right that only collectives have", "权利特征码矛盾"),
        Title(
            "{value}: uses A and C belong to collective land (J) only.",
            "{value}:特征码 A、C 仅用于集体土地(J)。",
        ),
        _CORRECT,
        _CODES,
        "parcels",
        promotable=True,
    ),
    warning(
        "unit_code_structure",
        Title("A unit code of another form", "不动产单元号结构不符"),
        Title(
            "{value} is no unit code: a parcel code, F, L, Q or W, and 8 digits.",
            "{value} 不符合不动产单元号结构:宗地代码、F/L/Q/W、8 位单元号。",
        ),
        _CORRECT,
        _CODES,
        "parcels",
        promotable=True,
    ),
    warning(
        "unit_code_fixture",
        Title("A unit without fixtures with a number", "无定着物单元号非零"),
        Title(
            "{value}: where there are no fixtures (W) the unit is 00000000.",
            "{value}:无定着物(W)的单元号应为 00000000。",
        ),
        _CORRECT,
        _CODES,
        "parcels",
        promotable=True,
    ),
    warning(
        "unit_code_parcel",
        Title("The unit belongs to another parcel", "单元号与宗地代码不一致"),
        Title(
            "Unit code {value} does not begin with parcel code {code}.",
            "不动产单元号 {value} 的前 19 位不是宗地代码 {code}。",
        ),
        _CORRECT,
        _CODES,
        "parcels",
        promotable=True,
    ),
    warning(
        "parcel_county",
        Title("A county of another city", "县区代码不属于本市"),
        Title(
            "{value} begins with {county}, which is no district that is held.",
            "{value} 的县区代码 {county} 不是已入库的区。",
        ),
        Title("Correct the code, or load the districts.", "更正代码,或导入行政区划。"),
        f"{_CODES}; GB/T 2260",
        "parcels",
    ),
    warning(
        "parcel_outside_district",
        Title("Outside the district of its code", "宗地不在代码所属的区内"),
        Title(
            "The code says district {county}, the parcel lies in {admin_code}.",
            "代码所属区为 {county},而宗地位于 {admin_code}。",
        ),
        Title("Correct the code or the position.", "更正代码或位置。"),
        "The parcel lies in the area of its code",
        "parcels",
    ),
    warning(
        "parcels_overlap",
        Title("Parcels overlap", "宗地重叠"),
        Title("The parcel shares {area} m2 with {other}.", "与宗地 {other} 重叠 {area} 平方米。"),
        _MEND,
        _TOPOLOGY,
        "parcels",
    ),
    warning(
        "parcels_leave_sliver",
        Title("A sliver between parcels", "宗地间有狭缝"),
        Title(
            "Between the parcel and {other} a gap of {width} m is left.",
            "与宗地 {other} 之间留有 {width} 米的狭缝。",
        ),
        _MEND,
        _TOPOLOGY,
        "parcels",
    ),
    warning(
        "sliver_parcel",
        Title("A sliver of a parcel", "狭长碎片宗地"),
        Title(
            "The parcel is {width} m wide on average, less than {limit} m.",
            "宗地平均宽度 {width} 米,不足 {limit} 米。",
        ),
        Title("Look for a fragment that an overlay left.", "检查是否为叠加分析产生的碎片。"),
        _TOPOLOGY,
        "parcels",
    ),
    warning(
        "area_differs",
        Title("Another area than registered", "面积不符"),
        Title(
            "Registered are {registered} m2, the boundary holds {computed} m2 on the ellipsoid.",
            "登记面积 {registered} 平方米,界线内椭球面积 {computed} 平方米。",
        ),
        Title(
            "Correct the area, its unit (亩, hectares) or the boundary.", "更正面积、单位或界线。"
        ),
        "Registered against computed area",
        "parcels",
    ),
)
