"""Survey tables of pipes (管线) and points (管点), in the columns that survey offices exchange.

In the point table X is the northing and Y the easting, as in every survey table of the country.
"""

import numpy as np
import pyarrow as pa

from geoservice.sample_city.columns import dates, decimals, joined, numbers, text, words
from geoservice.sample_city.hashing import Bools, Ints, choose, uniform
from geoservice.sample_city.lines import SECONDARY
from geoservice.sample_city.mains import Main, installed_on
from geoservice.sample_city.pipe_kinds import Behaviour, PipeKind, Size
from geoservice.sample_city.pipes import Pipes, Points
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer

POINT_HEADER = (
    "物探点号", "X", "Y", "地面高程", "特征", "附属物", "管线类别", "井底深",
    "权属单位", "建设年代",
)  # fmt: skip
LINE_HEADER = (
    "起点点号", "终点点号", "管线类别", "起点埋深", "终点埋深", "起点高程", "终点高程",
    "材质", "管径", "断面", "埋设方式", "压力", "电压", "电缆条数", "总孔数", "已用孔数",
    "流向", "权属单位", "建设年代", "道路名称", "使用状态", "数据来源",
)  # fmt: skip

PIPE_FORMS = ("预留口", "弯头", "三通", "四通", "多通")
CABLE_FORMS = ("预留口", "转折点", "三分支", "四分支", "多分支")
"""Features of points where one, two, three, four or more lines meet."""

WELLS = ("雨水井", "污水井", "检查井", "人孔", "手孔", "阀门")
STATUS_SHARES = (0.975, 0.015, 0.008, 0.002)
SOURCE_SHARES = (0.80, 0.05, 0.12, 0.03)
CABLE_WELL_SHARE = 0.7


def point_table(plan: CityPlan, kind: PipeKind, points: Points) -> pa.Table:
    """Rows of the point table with the columns of POINT_HEADER."""
    form, thing = _form_and_thing(plan, kind, points)
    well_mm = points.depth_mm + 300 + points.number % 4 * 50
    count = len(points.number)
    return pa.table(
        [
            joined(kind.code, text(points.number)),
            decimals(points.xy_mm[:, 1], 3),
            decimals(points.xy_mm[:, 0], 3),
            decimals(points.ground_mm, 3),
            pa.array(form, pa.string()),
            pa.array(thing, pa.string()),
            pa.repeat(kind.code, count),
            decimals(well_mm, 3, null=~np.isin(thing.astype(str), WELLS)),
            pa.repeat(kind.owner, count),
            dates(points.installed),
        ],
        names=POINT_HEADER,
    )


def line_table(plan: CityPlan, gazetteer: Gazetteer, main: Main, pipes: Pipes) -> pa.Table:
    """Rows of the line table with the columns of LINE_HEADER."""
    kind, count = main.kind, len(pipes.edge)
    street = plan.graph.edges.street[pipes.edge]
    sizes, size = _sizes(plan, kind, pipes, street)
    is_power = kind.category == "DL"
    rating = words([item.rating or None for item in sizes], size)
    nothing = pa.nulls(count, pa.string())
    names = [joined(kind.code, text(pipes.number[:, end])) for end in (0, 1)]
    return pa.table(
        [
            *names,
            pa.repeat(kind.code, count),
            *(decimals(pipes.depth_mm[:, end], 3) for end in (0, 1)),
            *(decimals(pipes.elevation_mm[:, end], 3) for end in (0, 1)),
            words([item.material for item in sizes], size),
            numbers([item.diameter_mm for item in sizes], size),
            words([item.section or None for item in sizes], size),
            words([item.burial for item in sizes], size),
            nothing if is_power else rating,
            rating if is_power else nothing,
            numbers([item.cables for item in sizes], size),
            numbers([item.holes for item in sizes], size),
            _holes_used(plan, kind, street, sizes, size),
            _flow(kind, pipes),
            pa.repeat(kind.owner, count),
            dates(installed_on(plan.seed, kind, street)),
            gazetteer.roads.take(pa.array(street)),
            words("0123", choose(_dice(plan, kind, "status", street), STATUS_SHARES)),
            words("1234", choose(_dice(plan, kind, "data source", street), SOURCE_SHARES)),
        ],
        names=LINE_HEADER,
    )


def _dice(plan: CityPlan, kind: PipeKind, what: str, street: Ints) -> np.ndarray:
    """One number for each street, so that a street's pipes are alike."""
    return uniform(plan.seed, f"{what} {kind.code}", street)


def _sizes(plan: CityPlan, kind: PipeKind, pipes: Pipes, street: Ints) -> tuple[list[Size], Ints]:
    """All sizes of a kind, and the index of each pipe's."""
    sizes = [*kind.main, *kind.minor]
    dice = _dice(plan, kind, "size", street)
    is_main = plan.graph.edges.road_class[pipes.edge] <= SECONDARY
    size = np.where(
        is_main,
        (dice * len(kind.main)).astype(np.int64),
        len(kind.main) + (dice * len(kind.minor)).astype(np.int64),
    )
    if kind.spur_size is None:
        return sizes, size
    return [*sizes, kind.spur_size], np.where(pipes.is_spur, len(sizes), size)


def _holes_used(
    plan: CityPlan, kind: PipeKind, street: Ints, sizes: list[Size], size: Ints
) -> pa.Array:
    """Ducts in use: a third to all of them; null where there are no ducts."""
    holes = np.array([item.holes or 0 for item in sizes])[size]
    share = 0.35 + 0.65 * _dice(plan, kind, "holes used", street)
    return pa.array(np.floor(holes * share).astype(np.int64), mask=holes == 0)


def _flow(kind: PipeKind, pipes: Pipes) -> pa.Array:
    """流向: + from start to end, - the other way, 0 where a pipe has no direction."""
    if kind.behaviour is not Behaviour.GRAVITY:
        return pa.repeat("0", len(pipes.edge))
    falls = pipes.elevation_mm[:, 0] >= pipes.elevation_mm[:, 1]
    return words("+-", (~falls).astype(np.int64))


def _form_and_thing(
    plan: CityPlan, kind: PipeKind, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    """特征 and 附属物 of points, exactly one of them for each; the other is None."""
    forms = CABLE_FORMS if kind.behaviour is Behaviour.CABLE else PIPE_FORMS
    form = np.array(forms, object)[np.clip(points.degree, 1, 5) - 1]
    form[(points.degree == 2) & points.is_straight] = kind.plain
    thing = np.full(len(form), None, object)
    dice = uniform(plan.seed, f"point {kind.code}", points.number)
    has_well = _may_have_well(kind, points, dice)
    names = np.array([name or None for name, _ in kind.wells], object)
    chosen = names[choose(dice, [share for _, share in kind.wells])]
    thing[has_well] = chosen[has_well]
    thing[points.is_spur] = kind.spur
    form[[item is not None for item in thing]] = None
    return form, thing


def _may_have_well(kind: PipeKind, points: Points, dice: np.ndarray) -> Bools:
    """Where something may stand: all gravity points, most cable points, plain points of pipes."""
    if kind.behaviour is Behaviour.GRAVITY:
        return np.ones(len(dice), np.bool_)
    if kind.behaviour is Behaviour.CABLE:
        return np.asarray(points.is_inner | (dice < CABLE_WELL_SHARE))
    return np.asarray(points.is_inner & (points.degree == 2))
