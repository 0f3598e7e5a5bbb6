"""Resources: what can be used in a facility one by one: courts, seats, beds (设施资源).

How many of them are free is observed (``layers.observations``): a figure of a facility names the
type of the resource.
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
from layers.codes import PRICE_CLASSES, RESOURCE_TYPES

LAYER = Layer(
    name="resources",
    title=Title("Resources of facilities", "设施资源"),
    description=Title(
        "Courts, seats, spaces, beds and counters of public facilities.",
        "公共设施中的场地、座位、车位、床位、窗口等资源。",
    ),
    group=Title("Public resources", "公共资源"),
    geometry_type=GeometryType.POINT,
    natural_keys=(("code",), ("facility", "resource_type")),
    clearance=Clearance.PUBLIC,
    lookup_by="facility",
    generalisation=Generalisation(cluster_by="resource_type"),
    attributes=(
        Attribute("code", AttributeType.TEXT, Title("Code", "编码"), aliases=("编码", "资源编号")),
        Attribute(
            "facility",
            AttributeType.TEXT,
            Title("Code of the facility", "所属设施编码"),
            aliases=("所属设施编码", "设施编码", "facility_code"),
            required=True,
        ),
        Attribute(
            "resource_type",
            AttributeType.TEXT,
            Title("Resource", "资源类型"),
            aliases=("资源类型", "类型"),
            codes=RESOURCE_TYPES,
            required=True,
            in_tile=True,
        ),
        Attribute(
            "name",
            AttributeType.TEXT,
            Title("Name", "名称"),
            aliases=("名称", "资源名称"),
            in_tile=True,
        ),
        Attribute(
            "capacity",
            AttributeType.INTEGER,
            Title("Capacity", "容量"),
            aliases=("容量", "数量"),
            minimum=0,
            maximum=10_000_000,
        ),
        Attribute(
            "price_class",
            AttributeType.TEXT,
            Title("Price", "收费等级"),
            aliases=("收费等级", "收费"),
            codes=PRICE_CLASSES,
        ),
        Attribute(
            "opening_hours",
            AttributeType.TEXT,
            Title("Opening hours (OSM syntax)", "开放时间"),
            aliases=("开放时间",),
        ),
        Attribute(
            "accessible",
            AttributeType.BOOLEAN,
            Title("Step-free access", "无障碍"),
            aliases=("无障碍",),
        ),
        Attribute(
            "booking_url",
            AttributeType.TEXT,
            Title("Where it is booked", "预约网址"),
            aliases=("预约网址", "预约链接"),
        ),
    ),
    style=Style(color="#5b7f95", width_px=4, outline="#ffffff", minzoom=18),
)
