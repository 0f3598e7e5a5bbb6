"""Underground structures: metro tunnels and stations, utility tunnels (地下构筑物).

CJJ 61 has no class for them; they are kept apart so that separation and excavation still see them.
"""

from __future__ import annotations

from layers.access import Clearance
from layers.base import Attribute, AttributeType, GeometryType, Layer, Style, Title
from layers.codes import UNDERGROUND_KINDS
from layers.pipelines import UNDERGROUND


def _elevation(name: str, en: str, zh: str, *aliases: str) -> Attribute:
    return Attribute(
        name,
        AttributeType.NUMBER,
        Title(en, zh),
        aliases=(zh, *aliases),
        unit="m",
        minimum=-500,
        maximum=9000,
    )


LAYER = Layer(
    name="underground_structures",
    title=Title("Underground structures", "地下构筑物"),
    description=Title(
        "Outlines of metro tunnels, stations and utility tunnels with their elevations.",
        "地铁隧道、车站及综合管廊的外轮廓与高程。",
    ),
    group=UNDERGROUND,
    geometry_type=GeometryType.MULTI_POLYGON,
    natural_keys=(("code",),),
    clearance=Clearance.GOVERNMENT,
    attributes=(
        Attribute(
            "code", AttributeType.TEXT, Title("Code", "编号"), aliases=("编号", "编码", "id")
        ),
        Attribute(
            "kind",
            AttributeType.TEXT,
            Title("Kind", "类型"),
            aliases=("类型", "类别"),
            codes=UNDERGROUND_KINDS,
            in_tile=True,
        ),
        Attribute(
            "name",
            AttributeType.TEXT,
            Title("Name", "名称"),
            aliases=("名称", "站名"),
            in_tile=True,
        ),
        Attribute(
            "line_name",
            AttributeType.TEXT,
            Title("Line", "线路"),
            aliases=("线路", "线路名称", "linename"),
            in_tile=True,
        ),
        _elevation("top_elevation_m", "Top elevation", "顶标高", "顶高程"),
        _elevation("bottom_elevation_m", "Bottom elevation", "底标高", "底高程"),
    ),
    style=Style(
        color="#8064a2",
        color_by="kind",
        width_px=1.0,
        opacity=0.35,
        outline="#5f4b8b",
        label="name",
        label_minzoom=16,
        label_color="#4b3a73",
        minzoom=11,
    ),
)
