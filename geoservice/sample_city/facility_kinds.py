"""Kinds of public facility: how many there are, when they are open, how full they get.

Usage curves are control points (hour, share of the capacity in use), straight between them, one
for working days and one for weekends.
"""

from dataclasses import dataclass
from typing import TypeAlias

Curve: TypeAlias = tuple[tuple[float, float], ...]

OFFICE: Curve = ((0, 0.15), (7, 0.2), (9.5, 0.85), (15, 0.9), (18, 0.6), (21, 0.3), (24, 0.15))
EVENING: Curve = ((0, 0.1), (7, 0.15), (11, 0.3), (17, 0.45), (20, 0.92), (22, 0.55), (24, 0.1))
HOME: Curve = ((0, 0.9), (6, 0.92), (9, 0.5), (16, 0.45), (19, 0.75), (22, 0.9), (24, 0.9))
DAYTIME: Curve = ((0, 0.05), (8, 0.1), (10.5, 0.6), (13, 0.5), (15.5, 0.75), (24, 0.05))
BUSY_DAY: Curve = ((0, 0.05), (8, 0.2), (10.5, 0.85), (13, 0.8), (15.5, 0.97), (24, 0.05))
MORNING: Curve = ((0, 0.05), (7.5, 0.4), (9.5, 0.95), (11.5, 0.7), (17, 0.4), (24, 0.05))
STEADY: Curve = ((0, 0.78), (8, 0.8), (14, 0.86), (20, 0.82), (24, 0.78))


@dataclass(frozen=True)
class FacilityKind:
    """One kind of facility.

    Attributes:
        code: Kind, a code of the facilities layer.
        title: Chinese word that names end in.
        weight: Share of all facilities, before weights are summed.
        civic: Use of whole blocks that this kind takes first; empty for none.
        resource_type: What is counted; empty where nothing is.
        capacity: Least and greatest capacity.
        schedules: Indices into SCHEDULES, one of which each facility has.
        fees: Fee texts, one of which each facility has.
        accessible_share: Share with step-free access.
        weekday: Usage on working days.
        weekend: Usage on Saturdays and Sundays.
    """

    code: str
    title: str
    weight: float
    civic: str
    resource_type: str
    capacity: tuple[int, int]
    schedules: tuple[int, ...]
    fees: tuple[str, ...]
    accessible_share: float
    weekday: Curve
    weekend: Curve


FACILITY_KINDS = (
    FacilityKind("parking", "停车场", 26, "", "space", (20, 900), (0, 0, 1),
                 ("首30分钟免费,之后每小时5元", "每小时8元,每日封顶60元"), 0.8, OFFICE, BUSY_DAY),
    FacilityKind("parking", "路边停车点", 8, "", "space", (8, 60), (0,),
                 ("每半小时3元",), 0.6, HOME, HOME),
    FacilityKind("parking.bicycle", "自行车停放点", 8, "", "space", (10, 80), (0,),
                 ("免费",), 1.0, OFFICE, EVENING),
    FacilityKind("charging", "充电站", 9, "", "space.ev", (4, 60), (0,),
                 ("电费加服务费每度1.2元", "电费加服务费每度0.9元"), 0.7, EVENING, BUSY_DAY),
    FacilityKind("toilet", "公共厕所", 10, "", "", (0, 0), (0, 1),
                 ("免费",), 0.85, DAYTIME, BUSY_DAY),
    FacilityKind("clinic", "社区健康服务中心", 9, "", "visitor_quota", (40, 260), (7, 8),
                 ("按医保标准收费",), 0.95, MORNING, MORNING),
    FacilityKind("hospital", "医院", 0.8, "hospital", "bed", (120, 1600), (0,),
                 ("按医保标准收费",), 1.0, STEADY, STEADY),
    FacilityKind("school", "学校", 5, "school", "", (0, 0), (9,),
                 ("公办免费",), 0.8, DAYTIME, DAYTIME),
    FacilityKind("park", "公园", 4, "park", "visitor_quota", (300, 12000), (0, 2),
                 ("免费",), 0.9, DAYTIME, BUSY_DAY),
    FacilityKind("library", "图书馆", 3, "culture", "seat", (40, 900), (4, 5),
                 ("免费",), 1.0, DAYTIME, BUSY_DAY),
    FacilityKind("museum", "博物馆", 0.6, "", "visitor_quota", (200, 5000), (6,),
                 ("免费,需预约", "成人票30元"), 1.0, DAYTIME, BUSY_DAY),
    FacilityKind("gallery", "美术馆", 0.6, "", "visitor_quota", (80, 1500), (6,),
                 ("免费",), 1.0, DAYTIME, BUSY_DAY),
    FacilityKind("concert_hall", "音乐厅", 0.3, "", "seat", (300, 1800), (12,),
                 ("凭票入场",), 1.0, EVENING, EVENING),
    FacilityKind("sports_hall.badminton", "羽毛球馆", 4.5, "sport", "court", (4, 24), (3, 4),
                 ("每场每小时40元", "每场每小时60元"), 0.7, EVENING, BUSY_DAY),
    FacilityKind("sports_hall.swimming", "游泳馆", 2.2, "", "lane", (4, 12), (3, 4),
                 ("每人每次35元", "每人每次50元"), 0.7, EVENING, BUSY_DAY),
    FacilityKind("scenic_spot", "风景区", 0.8, "square", "visitor_quota", (500, 30000), (11,),
                 ("免费", "成人票80元"), 0.6, DAYTIME, BUSY_DAY),
    FacilityKind("metro_station", "地铁站出入口", 2.5, "", "", (0, 0), (1,),
                 ("按里程计价",), 0.9, OFFICE, DAYTIME),
    FacilityKind("service_hall", "政务服务大厅", 1.5, "government", "visitor_quota",
                 (30, 400), (10,), ("免费",), 1.0, MORNING, MORNING),
)  # fmt: skip
