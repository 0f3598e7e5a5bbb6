"""Code lists of the layers, as data: what each code means, in both languages, and from where.

Pipe classes, colours and dictionaries follow CJJ 61-2017 (城市地下管线探测技术规程), Annexes B
and C. They are read through the descriptors only, so a city may replace a list in one place.
"""

from __future__ import annotations

from layers.base import Code, CodeList, Title

_CJJ61 = "CJJ 61-2017"


def _codes(*rows: tuple[str, str, str]) -> tuple[Code, ...]:
    return tuple(Code(code, Title(en, zh)) for code, zh, en in rows)


_CLASS_COLOR = {
    "JS": "#00ffff",
    "PS": "#4c3926",
    "RQ": "#ff00ff",
    "RL": "#ff8000",
    "DL": "#ff0000",
    "TX": "#00ff00",
    "GY": "#000000",
    "QT": "#000000",
}

PIPE_CATEGORIES = CodeList(
    "pipe_categories",
    tuple(
        Code(code, Title(en, zh), _CLASS_COLOR[code])
        for code, zh, en in (
            ("JS", "给水", "Water supply"),
            ("PS", "排水", "Drainage"),
            ("RQ", "燃气", "Gas"),
            ("RL", "热力", "Heat"),
            ("DL", "电力", "Power"),
            ("TX", "通信", "Telecom"),
            ("GY", "工业", "Industrial"),
            ("QT", "其他", "Other"),
        )
    ),
    f"{_CJJ61} Annex B",
)

_SUBCLASSES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "JS": (
        ("JY", "原水", "Raw water"),
        ("SS", "输水", "Water transmission"),
        ("ZS", "中水", "Reclaimed water"),
        ("JP", "配水", "Water distribution"),
        ("JZ", "直饮水", "Drinking water"),
        ("XS", "消防水", "Fire water"),
        ("LS", "绿化水", "Irrigation water"),
        ("JH", "循环水", "Circulating water"),
    ),
    "PS": (
        ("YS", "雨水", "Storm sewer"),
        ("WS", "污水", "Sanitary sewer"),
        ("HS", "雨污合流", "Combined sewer"),
    ),
    "RQ": (
        ("MQ", "煤气", "Coal gas"),
        ("YH", "液化气", "Liquefied gas"),
        ("TR", "天然气", "Natural gas"),
    ),
    "RL": (("RS", "热水", "Hot water"), ("ZQ", "蒸汽", "Steam")),
    "DL": (
        ("GD", "供电", "Power supply"),
        ("LD", "路灯", "Street lighting"),
        ("XH", "交通信号", "Traffic signals"),
        ("DC", "电车", "Tram power"),
        ("GG", "广告", "Advertising power"),
    ),
    "TX": (
        ("DH", "电话", "Telephone"),
        ("DS", "有线电视", "Cable television"),
        ("XX", "信息网络", "Data network"),
        ("GB", "广播", "Broadcast"),
    ),
    "GY": (
        ("QQ", "氢", "Hydrogen"),
        ("YQ", "氧", "Oxygen"),
        ("GQ", "乙炔", "Acetylene"),
        ("YX", "乙烯", "Ethylene"),
        ("BQ", "苯", "Benzene"),
        ("LQ", "氯", "Chlorine"),
        ("DQ", "氮", "Nitrogen"),
        ("EY", "二氧化碳", "Carbon dioxide"),
        ("AQ", "氨", "Ammonia"),
        ("JB", "甲苯", "Toluene"),
    ),
    "QT": (("ZH", "综合管沟(廊)", "Utility tunnel"), ("BM", "不明管线", "Unknown pipe")),
}

CATEGORY_OF_KIND: dict[str, str] = {
    code: category
    for category, rows in _SUBCLASSES.items()
    for code in (category, *(row[0] for row in rows))
}

_UNKNOWN_COLOR = "#6600cc"


def _kind_codes() -> tuple[Code, ...]:
    kinds = [
        Code(code, Title(en, zh), _UNKNOWN_COLOR if code == "BM" else _CLASS_COLOR[category])
        for category, rows in _SUBCLASSES.items()
        for code, zh, en in rows
    ]
    classes = [Code(c.code, c.title, c.color) for c in PIPE_CATEGORIES.codes]
    return (*kinds, *classes)


PIPE_KINDS = CodeList("pipe_kinds", _kind_codes(), f"{_CJJ61} Annex B, classes and subclasses")

MATERIALS = CodeList(
    "materials",
    _codes(
        ("ZT", "铸铁", "Cast iron"),
        ("G", "钢", "Steel"),
        ("T", "混凝土", "Concrete"),
        ("PE", "聚乙烯", "Polyethylene"),
        ("PVC", "聚氯乙烯", "PVC"),
        ("BLG", "玻璃钢", "Glass-reinforced plastic"),
        ("QM", "球墨铸铁", "Ductile iron"),
        ("ZS", "砖石", "Brick and stone"),
        ("Z", "砖", "Brick"),
        ("S", "石", "Stone"),
        ("SM", "石棉", "Asbestos cement"),
        ("TC", "陶瓷", "Ceramic"),
        ("TZ", "铜", "Copper"),
        ("VL", "钢芯铝绞线", "ACSR"),
        ("GX", "光纤", "Optical fibre"),
    ),
    f"{_CJJ61} C.0.1",
    closed=False,
)

BURIALS = CodeList(
    "burials",
    _codes(
        ("ZM", "直埋", "Direct burial"),
        ("GM", "管埋", "In pipe"),
        ("GK", "管块", "Duct bank"),
        ("GG", "管沟", "Trench"),
        ("JK", "架空", "Overhead"),
        ("DM", "地面", "On ground"),
        ("SJ", "上架", "On rack"),
        ("XTD", "小通道", "Small passage"),
        ("ZH", "综合管廊(沟)", "Utility tunnel"),
        ("RF", "人防", "Civil defence tunnel"),
        ("JN", "井内连线", "Inside manhole"),
        ("DG", "顶管", "Trenchless"),
        ("SX", "水下", "Under water"),
    ),
    f"{_CJJ61} C.0.2",
    closed=False,
)

PIPE_STATUSES = CodeList(
    "pipe_statuses",
    _codes(
        ("0", "在用", "In use"),
        ("1", "废弃", "Abandoned"),
        ("2", "空管", "Empty"),
        ("3", "其他", "Other"),
    ),
    f"{_CJJ61} C.0.3",
    closed=False,
)

FLOW_DIRECTIONS = CodeList(
    "flow_directions",
    _codes(
        ("+", "起点至终点", "From start to end"),
        ("-", "终点至起点", "From end to start"),
        ("0", "无流向", "None"),
    ),
    "Signs of drainage surveys: + start to end, - reverse",
    closed=False,
)

DEPTH_REFERENCES = CodeList(
    "depth_references",
    _codes(("crown", "管顶", "Crown"), ("invert", "管内底", "Invert")),
    "Depths of pressure pipes and cables refer to the crown, of gravity pipes to the invert",
)

ELEVATION_SOURCES = CodeList(
    "elevation_sources",
    _codes(
        ("surveyed", "实测", "Surveyed"),
        ("depth", "由埋深推算", "From depth and ground"),
        ("file", "文件坐标", "Z of the file"),
        ("unknown", "未知", "Unknown"),
    ),
    "How the elevation of the axis is known; unknown means that Z must not be read",
)

DATA_SOURCES = CodeList(
    "data_sources",
    _codes(
        ("1", "探测", "Detected"),
        ("2", "施工图", "Construction drawing"),
        ("3", "竣工图", "As-built drawing"),
        ("4", "推测", "Presumed"),
    ),
    "Position confidence as drainage surveys give it",
    closed=False,
)

UNDERGROUND_KINDS = CodeList(
    "underground_kinds",
    (
        Code("DT", Title("Metro tunnel", "地铁隧道"), "#8064a2"),
        Code("DTZ", Title("Metro station", "地铁车站"), "#5f4b8b"),
        Code("ZH", Title("Utility tunnel", "综合管廊"), "#a0522d"),
    ),
    "Locally defined: CJJ 61 has no class for them",
)

DISTRICT_LEVELS = CodeList(
    "district_levels",
    (
        Code("city", Title("City", "市"), aliases=("地级市",)),
        Code("district", Title("District", "区"), aliases=("市辖区", "区县", "county")),
        Code("street", Title("Street", "街道"), aliases=("镇", "乡", "subdistrict")),
        Code("zone", Title("Traffic zone", "交通小区"), aliases=("taz",)),
    ),
    "GB/T 2260 and GB/T 10114; zone is locally defined",
)

ROAD_CLASSES = CodeList(
    "road_classes",
    tuple(
        Code(code, Title(en, zh), color)
        for code, zh, en, color in (
            ("motorway", "高速公路", "Motorway", "#e8923c"),
            ("trunk", "快速路", "Expressway", "#f2b25c"),
            ("primary", "主干路", "Arterial road", "#f7d774"),
            ("secondary", "次干路", "Secondary road", "#fbeeb2"),
            ("tertiary", "支路", "Collector road", "#ffffff"),
            ("residential", "居住区道路", "Residential street", "#ffffff"),
            ("service", "内部道路", "Service road", "#f4f4f4"),
        )
    ),
    "OpenStreetMap highway classes beside those of GB 50220",
    closed=False,
)

FACILITY_KINDS = CodeList(
    "facility_kinds",
    _codes(
        ("library", "图书馆", "Library"),
        ("museum", "博物馆", "Museum"),
        ("gallery", "美术馆", "Art gallery"),
        ("concert_hall", "音乐厅", "Concert hall"),
        ("sports_hall.badminton", "羽毛球馆", "Badminton hall"),
        ("sports_hall.swimming", "游泳馆", "Swimming hall"),
        ("sports_hall.table_tennis", "乒乓球馆", "Table tennis hall"),
        ("sports_hall.basketball", "篮球馆", "Basketball hall"),
        ("gym", "健身房", "Gym"),
        ("parking", "停车场", "Car park"),
        ("parking.bicycle", "自行车停放点", "Bicycle parking"),
        ("clinic", "社康中心", "Clinic"),
        ("hospital", "医院", "Hospital"),
        ("park", "公园", "Park"),
        ("toilet", "公共厕所", "Public toilet"),
        ("charging", "充电站", "Charging station"),
        ("scenic_spot", "景点", "Scenic spot"),
        ("school", "学校", "School"),
        ("elderly_care", "养老机构", "Care for the elderly"),
        ("wlan", "公共WLAN热点", "Public WLAN"),
        ("metro_station", "地铁站", "Metro station"),
        ("service_hall", "政务服务大厅", "Government service hall"),
        ("other", "其他设施", "Other facility"),
    ),
    "Locally defined",
    closed=False,
)

RESOURCE_TYPES = CodeList(
    "resource_types",
    _codes(
        ("seat", "座位", "Seat"),
        ("court", "场地", "Court"),
        ("lane", "泳道", "Lane"),
        ("space", "车位", "Space"),
        ("space.ev", "充电车位", "Charging space"),
        ("bed", "床位", "Bed"),
        ("dock", "车桩", "Dock"),
        ("bicycle", "自行车", "Bicycle"),
        ("counter", "窗口", "Counter"),
        ("queue", "排队", "Queue"),
        ("table", "球台", "Table"),
        ("visitor_quota", "接待名额", "Visitor quota"),
    ),
    "Locally defined: what is counted in a facility",
    closed=False,
)

PRICE_CLASSES = CodeList(
    "price_classes",
    _codes(
        ("free", "免费", "Free"),
        ("low", "低收费", "Low"),
        ("market", "市场价", "At market price"),
    ),
    "Locally defined",
    closed=False,
)

LAND_USES = CodeList(
    "land_uses",
    tuple(
        Code(code, Title(en, zh), color)
        for code, zh, en, color in (
            ("05", "商服用地", "Commercial", "#ff7f7f"),
            ("06", "工矿仓储用地", "Industrial", "#bb96bc"),
            ("07", "住宅用地", "Residential", "#ffe9a0"),
            ("08", "公共管理与公共服务用地", "Public service", "#f4a6c6"),
            ("09", "特殊用地", "Special", "#b0b080"),
            ("10", "交通运输用地", "Transport", "#c8c8c8"),
            ("11", "水域及水利设施用地", "Water", "#9cc8f0"),
            ("12", "其他土地", "Other land", "#d8d0b8"),
            ("01", "耕地", "Arable", "#f5f5a8"),
            ("02", "园地", "Garden", "#d6e8a0"),
            ("03", "林地", "Forest", "#9fd08f"),
            ("04", "草地", "Grassland", "#c5e7a8"),
            ("H", "海域", "Sea", "#a8d8ff"),
        )
    ),
    "GB/T 21010-2017 first level, by the first two digits",
    closed=False,
)
