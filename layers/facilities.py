"""Facilities: public resources that people visit or use (公共设施), from libraries to car parks.

What is free in them now comes from observations (``layers.observations``), never from this table.
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
from layers.codes import FACILITY_KINDS, PRICE_CLASSES, RESOURCE_TYPES


def _text(name: str, en: str, zh: str, *aliases: str) -> Attribute:
    return Attribute(name, AttributeType.TEXT, Title(en, zh), aliases=(zh, *aliases))


_SYMBOLS = {
    "library": "library",
    "museum": "museum",
    "gallery": "gallery",
    "concert_hall": "concert_hall",
    "sports_hall.badminton": "badminton",
    "sports_hall.swimming": "swimming",
    "sports_hall.table_tennis": "table_tennis",
    "sports_hall.basketball": "basketball",
    "gym": "dumbbell",
    "parking": "parking",
    "parking.bicycle": "bicycle",
    "clinic": "cross",
    "hospital": "hospital",
    "park": "tree",
    "toilet": "toilet",
    "charging": "charging",
    "scenic_spot": "mountain",
    "school": "school",
    "elderly_care": "walking_stick",
    "wlan": "wlan",
    "metro_station": "metro",
    "service_hall": "hall",
    "other": "star",
}

LAYER = Layer(
    name="facilities",
    title=Title("Public facilities", "公共设施"),
    description=Title(
        "Libraries, sports halls, clinics, car parks and other public resources.",
        "图书馆、体育场馆、社康中心、停车场等公共资源。",
    ),
    group=Title("Public resources", "公共资源"),
    geometry_type=GeometryType.POINT,
    natural_keys=(("code",),),
    clearance=Clearance.PUBLIC,
    knn_by="kind",
    generalisation=Generalisation(cluster_by="kind"),
    attributes=(
        Attribute(
            "code",
            AttributeType.TEXT,
            Title("Code", "编码"),
            aliases=("编码", "编号", "facility_id", "station_id", "id", "place_id", "num"),
        ),
        Attribute(
            "name",
            AttributeType.TEXT,
            Title("Name", "名称"),
            aliases=("名称", "设施名称", "stationnames", "station_name", "place_name"),
            in_tile=True,
        ),
        Attribute(
            "kind",
            AttributeType.TEXT,
            Title("Kind", "类别"),
            aliases=("类别", "设施类别", "类型"),
            codes=FACILITY_KINDS,
            in_tile=True,
        ),
        _text("address", "Address", "地址", "addr"),
        _text("phone", "Telephone", "电话", "联系电话", "tel"),
        _text("opening_hours", "Opening hours (OSM syntax)", "开放时间", "营业时间"),
        Attribute(
            "capacity",
            AttributeType.INTEGER,
            Title("Capacity", "容量"),
            aliases=("容量", "总数", "charge_count", "num_all", "count"),
            minimum=0,
            maximum=10_000_000,
        ),
        Attribute(
            "resource_type",
            AttributeType.TEXT,
            Title("Resource", "资源类型"),
            aliases=("资源类型",),
            codes=RESOURCE_TYPES,
        ),
        _text("fee", "Fee", "收费"),
        Attribute(
            "accessible",
            AttributeType.BOOLEAN,
            Title("Step-free access", "无障碍"),
            aliases=("无障碍", "wheelchair"),
        ),
        Attribute(
            "price_class",
            AttributeType.TEXT,
            Title("Price", "收费等级"),
            aliases=("收费等级",),
            codes=PRICE_CLASSES,
        ),
        Attribute(
            "booking_url",
            AttributeType.TEXT,
            Title("Where it is booked", "预约网址"),
            aliases=("预约网址", "预约链接"),
        ),
    ),
    style=Style(
        color="#2f6fb2",
        width_px=15,
        outline="#ffffff",
        label="name",
        label_minzoom=17,
        live=True,
        minzoom=9,
        symbol_by="kind",
        symbols=_SYMBOLS,
    ),
)
