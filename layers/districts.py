"""Districts: administrative areas of three levels, city, district and street (市/区/街道)."""

from __future__ import annotations

from layers.access import Clearance
from layers.base import Attribute, AttributeType, GeometryType, LabelRank, Layer, Style, Title
from layers.codes import DISTRICT_LEVELS

LAYER = Layer(
    name="districts",
    title=Title("Districts", "行政区划"),
    description=Title(
        "Administrative areas: the city, its districts and their streets.",
        "市、区、街道三级行政区划。",
    ),
    group=Title("Base map", "基础地理"),
    geometry_type=GeometryType.MULTI_POLYGON,
    natural_keys=(("code",),),
    clearance=Clearance.PUBLIC,
    attributes=(
        Attribute(
            "code",
            AttributeType.TEXT,
            Title("Code", "行政区划代码"),
            aliases=("行政区划代码", "adcode", "admincode", "区划代码", "xzqdm", "tazid", "id"),
        ),
        Attribute(
            "name",
            AttributeType.TEXT,
            Title("Name", "名称"),
            aliases=("名称", "qh", "xzqmc", "行政区名称"),
            in_tile=True,
        ),
        Attribute(
            "level",
            AttributeType.TEXT,
            Title("Level", "级别"),
            aliases=("级别", "行政级别"),
            codes=DISTRICT_LEVELS,
            in_tile=True,
        ),
        Attribute(
            "parent_code",
            AttributeType.TEXT,
            Title("Part of", "上级代码"),
            aliases=("上级代码",),
        ),
    ),
    style=Style(
        color="#f4f1ea",
        opacity=0.6,
        outline="#8a6fb0",
        width_px=1.0,
        width_by="level",
        width_factors={"city": 2.6, "district": 1.9},
        label="name",
        label_minzoom=9,
        label_color="#5a4a7c",
        label_by="level",
        label_ranks=(
            LabelRank("city", 17, 6, 9),
            LabelRank("district", 15, 9, 13),
            LabelRank("street", 13, 11, 17),
            LabelRank("zone", 11, 14),
        ),
        dashed=True,
    ),
)
