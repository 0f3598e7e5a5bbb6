"""Pipeline nodes: surveyed points of the networks (管点), at ground or on the axis.

Fields follow the survey point tables (物探点号, 特征, 附属物, 地面高程).
Exactly one of ``feature`` and ``appurtenance`` says what a node is.
"""

from __future__ import annotations

from layers.access import Clearance
from layers.base import (
    Attribute,
    AttributeType,
    Generalisation,
    GeometryType,
    Layer,
    Style,
    Title,
)
from layers.pipelines import (
    CATEGORY,
    INSTALLED_ON,
    KIND,
    OWNER,
    PIPE_CLEARANCE,
    UNDERGROUND,
    Z_SOURCE,
)

_SYMBOLS = {
    "检查井": "manhole",
    "检修井": "manhole",
    "窨井": "manhole",
    "雨水井": "storm-manhole",
    "污水井": "sewer-manhole",
    "人孔": "cable-manhole",
    "手孔": "hand-hole",
    "雨水篦": "gully",
    "雨篦": "gully",
    "阀门": "valve",
    "排气阀": "air-valve",
    "消防栓": "hydrant",
    "消火栓": "hydrant",
    "水表": "meter",
    "凝水缸": "drip-pot",
}

LAYER = Layer(
    name="pipeline_nodes",
    title=Title("Pipeline nodes", "管点"),
    description=Title(
        "Manholes, valves, bends and other points of the networks; Z is the ground elevation.",
        "窨井、阀门、弯头等管点;Z 为地面高程(米)。",
    ),
    group=UNDERGROUND,
    geometry_type=GeometryType.POINT_Z,
    natural_keys=(("code",),),
    valid_from="installed_on",
    clearance=Clearance.GOVERNMENT,
    row_clearance=PIPE_CLEARANCE,
    generalisation=Generalisation(cluster_by="category"),
    attributes=(
        Attribute(
            "code",
            AttributeType.TEXT,
            Title("Point number", "物探点号"),
            aliases=("物探点号", "exp_no", "点号", "管点编号", "wtdh", "name", "node_id"),
        ),
        KIND,
        CATEGORY,
        Attribute(
            "map_number",
            AttributeType.TEXT,
            Title("Number on the map", "图上点号"),
            aliases=("图上点号", "map_no"),
        ),
        Attribute(
            "feature",
            AttributeType.TEXT,
            Title("Feature", "特征"),
            aliases=("特征", "管点特征", "tz"),
            in_tile=True,
        ),
        Attribute(
            "appurtenance",
            AttributeType.TEXT,
            Title("Appurtenance", "附属物"),
            aliases=("附属物", "subsid", "fsw"),
            in_tile=True,
        ),
        Attribute(
            "element_code",
            AttributeType.TEXT,
            Title("Element code", "点编码"),
            aliases=("点编码", "点符号代码", "要素代码"),
        ),
        Attribute(
            "ground_elevation_m",
            AttributeType.NUMBER,
            Title("Ground elevation", "地面高程"),
            aliases=("地面高程", "high", "dmgc", "elevation"),
            unit="m",
            minimum=-200,
            maximum=9000,
        ),
        Attribute(
            "well_depth_m",
            AttributeType.NUMBER,
            Title("Well depth", "井底深"),
            aliases=("井底深", "welldeep", "井深", "jds"),
            unit="m",
            minimum=0,
            maximum=100,
        ),
        Attribute(
            "rotation_deg",
            AttributeType.NUMBER,
            Title("Rotation", "旋转角"),
            aliases=("旋转角", "angle"),
            unit="deg",
        ),
        OWNER,
        INSTALLED_ON,
        Z_SOURCE,
    ),
    style=Style(
        color="#6600cc",
        color_by="kind",
        legend_by="category",
        width_px=4,
        outline="#ffffff",
        minzoom=14,
        symbol_by="appurtenance",
        symbols=_SYMBOLS,
        symbol_minzoom=18,
    ),
)
