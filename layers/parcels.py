"""Parcels: cadastral parcels of land (宗地) and of sea (宗海).

Field names stand for those of the national registration tables (ZDJBXX, ZHJBXX). Right-holders are
open to government only.
"""

from __future__ import annotations

from layers.access import Clearance
from layers.base import (
    Attribute,
    AttributeType,
    Derived,
    GeometryType,
    Layer,
    Style,
    Title,
)
from layers.codes import LAND_USES


def _text(name: str, en: str, zh: str, *aliases: str) -> Attribute:
    return Attribute(name, AttributeType.TEXT, Title(en, zh), aliases=(zh, *aliases))


LAYER = Layer(
    name="parcels",
    title=Title("Parcels", "宗地"),
    description=Title(
        "Cadastral parcels of land and sea with use, right and area.",
        "宗地与宗海:用途、权利与面积。",
    ),
    group=Title("Land", "土地"),
    geometry_type=GeometryType.MULTI_POLYGON,
    natural_keys=(("code",),),
    valid_from="registered_on",
    clearance=Clearance.PUBLIC,
    attributes=(
        Attribute(
            "code",
            AttributeType.TEXT,
            Title("Parcel code", "宗地代码"),
            aliases=("宗地代码", "zddm", "zhdm", "宗海代码", "national_cadastral_reference"),
            in_tile=True,
        ),
        _text("unit_code", "Real estate unit code", "不动产单元号", "bdcdyh"),
        Attribute(
            "land_use_code",
            AttributeType.TEXT,
            Title("Land use code", "地类编码"),
            aliases=("地类编码", "yt", "用途", "dlbm"),
        ),
        Attribute(
            "land_use",
            AttributeType.TEXT,
            Title("Land use", "土地用途"),
            codes=LAND_USES,
            in_tile=True,
            derived=Derived("land_use_code", prefix=2),
        ),
        _text("land_use_name", "Land use name", "地类名称", "ytmc", "dlmc"),
        _text("address", "Location", "坐落", "zl", "位置"),
        Attribute(
            "area_m2",
            AttributeType.NUMBER,
            Title("Registered area", "宗地面积"),
            aliases=("宗地面积", "zdmj", "面积", "yhzmj", "zhmj"),
            unit="m2",
            minimum=0,
        ),
        _text("right_type", "Right", "权利类型", "qllx"),
        Attribute(
            "right_nature",
            AttributeType.TEXT,
            Title("Nature of the right", "权利性质"),
            aliases=("权利性质", "qlxz"),
            clearance=Clearance.ENTERPRISE,
        ),
        Attribute(
            "holder",
            AttributeType.TEXT,
            Title("Right-holder", "权利人"),
            aliases=("权利人", "qlr", "权利人名称"),
            clearance=Clearance.GOVERNMENT,
        ),
        Attribute(
            "registered_on",
            AttributeType.DATE,
            Title("Registered on", "登记日期"),
            aliases=("登记日期", "djsj", "登记时间"),
        ),
        _text("status", "Status", "状态", "zt"),
    ),
    style=Style(
        color="#e8e2d0",
        color_by="land_use",
        width_px=0.7,
        opacity=0.38,
        outline="#a2977f",
        label="code",
        label_minzoom=18,
        label_tail=7,
        label_color="#6b5f45",
        minzoom=11,
    ),
)
