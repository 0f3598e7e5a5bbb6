"""Roads: centrelines with class, width and lanes (道路中心线)."""

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
from layers.codes import ROAD_CLASSES

LAYER = Layer(
    name="roads",
    title=Title("Roads", "道路"),
    description=Title(
        "Road centrelines with class, width and lanes.", "道路中心线:等级、宽度、车道。"
    ),
    group=Title("Base map", "基础地理"),
    geometry_type=GeometryType.MULTI_LINE_STRING,
    natural_keys=(("code",),),
    clearance=Clearance.PUBLIC,
    generalisation=Generalisation(
        weight_by="road_class",
        factors={
            "motorway": 1000.0,
            "trunk": 300.0,
            "primary": 100.0,
            "secondary": 30.0,
            "tertiary": 5.0,
        },
    ),
    attributes=(
        Attribute(
            "code", AttributeType.TEXT, Title("Code", "编码"), aliases=("编码", "编号", "road_id")
        ),
        Attribute(
            "name",
            AttributeType.TEXT,
            Title("Name", "名称"),
            aliases=("名称", "道路名称", "linename"),
            in_tile=True,
        ),
        Attribute(
            "road_class",
            AttributeType.TEXT,
            Title("Class", "道路等级"),
            aliases=("道路等级", "等级", "highway", "class"),
            codes=ROAD_CLASSES,
            in_tile=True,
        ),
        Attribute(
            "width_m",
            AttributeType.NUMBER,
            Title("Width", "宽度"),
            aliases=("宽度", "路宽", "width"),
            unit="m",
            minimum=0,
            maximum=500,
            in_tile=True,
        ),
        Attribute(
            "lanes",
            AttributeType.INTEGER,
            Title("Lanes", "车道数"),
            aliases=("车道数", "车道"),
            minimum=0,
            maximum=40,
        ),
        Attribute(
            "oneway",
            AttributeType.BOOLEAN,
            Title("One way", "单行"),
            aliases=("单行", "one_way"),
        ),
    ),
    style=Style(
        color="#ffffff",
        color_by="road_class",
        width_px=5,
        width_by="road_class",
        width_factors={
            "motorway": 1.9,
            "trunk": 1.7,
            "primary": 1.5,
            "secondary": 1.2,
            "residential": 0.8,
            "service": 0.5,
        },
        outline="#c9c2b4",
        label="name",
        minzoom=7,
    ),
)
