"""What lies under the streets: the kinds of pipe, their places, depths, sizes and words.

Kinds and classes are those of CJJ 61-2017, Annex B; materials C.0.1, burial C.0.2.
"""

from dataclasses import dataclass
from enum import Enum


class Behaviour(Enum):
    """How a kind of line carries what it carries."""

    PRESSURE = "pressure"
    GRAVITY = "gravity"
    CABLE = "cable"


@dataclass(frozen=True)
class Size:
    """What a pipe is made of, on one group of streets.

    Attributes:
        diameter_mm: Nominal diameter; None for a rectangular section.
        section: Width and height in millimetres, as 600*400; empty for round pipes.
        material: Code of CJJ 61-2017 C.0.1.
        burial: Code of CJJ 61-2017 C.0.2.
        rating: Pressure of a gas or industrial pipe, voltage of a power line; else empty.
        cables: Number of cables; None where there are none.
        holes: Number of ducts; None where there are none.
    """

    diameter_mm: int | None
    section: str
    material: str
    burial: str
    rating: str = ""
    cables: int | None = None
    holes: int | None = None


@dataclass(frozen=True)
class PipeKind:
    """One kind of pipe.

    Attributes:
        code: Subclass letters, which also begin its point numbers.
        category: Class letters, which name its files.
        behaviour: Pressure pipe, gravity pipe or cable.
        offset: Place in the street, from -1 (one kerb) to 1 (the other).
        depth_m: Least and greatest depth: to the crown of pressure pipes and cables, to the
            invert of gravity pipes.
        spacing_m: Usual distance between two points.
        quarter_share: Share of quarters that it enters; main roads always have it.
        cross_share: Share of cross streets, in such quarters, that have it.
        owner: Made-up company that owns it.
        main: Sizes under main roads, one of which each road takes.
        minor: Sizes under other streets.
        spur_share: Share of street pieces whose inner points have a short branch.
        spur: What stands at the end of such a branch.
        spur_size: What such a branch is made of.
        wells: Appurtenances of inner points and their weights; the empty word is a plain point.
        plain: Feature of a plain point.
    """

    code: str
    category: str
    behaviour: Behaviour
    offset: float
    depth_m: tuple[float, float]
    spacing_m: float
    quarter_share: float
    cross_share: float
    owner: str
    main: tuple[Size, ...]
    minor: tuple[Size, ...]
    spur_share: float
    spur: str
    spur_size: Size | None
    wells: tuple[tuple[str, float], ...]
    plain: str


WATER = PipeKind(
    "JP", "JS", Behaviour.PRESSURE, -0.60, (0.9, 1.5), 50.0, 1.0, 0.70, "深圳市鹏泉供水有限公司",
    main=(
        Size(600, "", "QM", "ZM"), Size(800, "", "QM", "ZM"), Size(1000, "", "G", "ZM"),
        Size(400, "", "QM", "ZM"),
    ),
    minor=(
        Size(110, "", "PE", "ZM"), Size(160, "", "PE", "ZM"), Size(200, "", "QM", "ZM"),
        Size(150, "", "ZT", "ZM"), Size(300, "", "QM", "ZM"),
    ),
    spur_share=0.2, spur="消防栓", spur_size=Size(150, "", "QM", "ZM"),
    wells=(("阀门", 0.34), ("水表", 0.06), ("排气阀", 0.04), ("", 0.56)), plain="直通",
)  # fmt: skip
STORM = PipeKind(
    "YS", "PS", Behaviour.GRAVITY, -0.20, (1.7, 2.5), 42.0, 0.9, 0.5, "深圳市鹏清排水有限公司",
    main=(
        Size(1200, "", "T", "ZM"), Size(1500, "", "T", "ZM"), Size(None, "2000*1500", "T", "GG"),
        Size(1000, "", "T", "DG"),
    ),
    minor=(Size(400, "", "T", "ZM"), Size(500, "", "PE", "ZM"), Size(600, "", "T", "ZM")),
    spur_share=0.16, spur="雨水篦", spur_size=Size(300, "", "PVC", "ZM"),
    wells=(("雨水井", 0.9), ("检查井", 0.1)), plain="直线点",
)  # fmt: skip
SEWER = PipeKind(
    "WS", "PS", Behaviour.GRAVITY, 0.22, (2.8, 4.0), 42.0, 1.0, 0.62, "深圳市鹏清排水有限公司",
    main=(Size(600, "", "T", "ZM"), Size(800, "", "T", "DG"), Size(1000, "", "BLG", "ZM")),
    minor=(Size(300, "", "PVC", "ZM"), Size(400, "", "PE", "ZM"), Size(400, "", "T", "ZM")),
    spur_share=0.0, spur="", spur_size=None,
    wells=(("污水井", 0.92), ("检查井", 0.08)), plain="直线点",
)  # fmt: skip
GAS = PipeKind(
    "TR", "RQ", Behaviour.PRESSURE, 0.58, (0.9, 1.3), 50.0, 0.65, 0.45, "深圳市鹏燃能源有限公司",
    main=(
        Size(300, "", "G", "ZM", "中压A"), Size(250, "", "PE", "ZM", "中压A"),
        Size(500, "", "G", "ZM", "次高压A"),
    ),
    minor=(
        Size(110, "", "PE", "ZM", "中压B"), Size(160, "", "PE", "ZM", "中压B"),
        Size(90, "", "PE", "ZM", "低压"),
    ),
    spur_share=0.0, spur="", spur_size=None,
    wells=(("阀门", 0.2), ("凝水缸", 0.05), ("", 0.75)), plain="直通",
)  # fmt: skip
POWER = PipeKind(
    "GD", "DL", Behaviour.CABLE, -0.86, (0.7, 1.1), 48.0, 0.55, 0.3, "深圳市鹏电供电有限公司",
    main=(
        Size(None, "1200*1000", "TZ", "GG", "110kV", 6),
        Size(None, "800*600", "TZ", "GG", "10kV", 8),
        Size(None, "600*450", "TZ", "GK", "10kV", 6, 12),
    ),
    minor=(
        Size(None, "400*300", "TZ", "GM", "10kV", 3, 6),
        Size(None, "300*200", "TZ", "GM", "0.4kV", 2, 4),
        Size(110, "", "TZ", "ZM", "0.4kV", 1),
    ),
    spur_share=0.0, spur="", spur_size=None,
    wells=(("人孔", 0.45), ("手孔", 0.3), ("", 0.25)), plain="直线点",
)  # fmt: skip
TELECOM = PipeKind(
    "DH", "TX", Behaviour.CABLE, 0.86, (0.8, 1.2), 48.0, 0.55, 0.3, "深圳市鹏讯管道有限公司",
    main=(
        Size(None, "600*400", "GX", "GK", "", 9, 24), Size(None, "500*300", "GX", "GK", "", 7, 18),
        Size(None, "400*300", "GX", "GK", "", 6, 12),
    ),
    minor=(
        Size(None, "300*200", "GX", "GM", "", 3, 6), Size(None, "200*200", "GX", "GM", "", 2, 4),
        Size(110, "", "GX", "GM", "", 1, 1),
    ),
    spur_share=0.0, spur="", spur_size=None,
    wells=(("人孔", 0.4), ("手孔", 0.35), ("", 0.25)), plain="直线点",
)  # fmt: skip
INDUSTRIAL_GAS = PipeKind(
    "DQ", "GY", Behaviour.PRESSURE, 0.40, (1.2, 1.7), 48.0, 0.55, 0.6, "深圳市鹏工气体有限公司",
    main=(Size(200, "", "G", "ZM", "1.6MPa"),),
    minor=(Size(150, "", "G", "ZM", "1.6MPa"), Size(100, "", "G", "ZM", "0.8MPa")),
    spur_share=0.0, spur="", spur_size=None,
    wells=(("阀门", 0.25), ("", 0.75)), plain="直通",
)  # fmt: skip

PIPE_KINDS = (WATER, STORM, SEWER, GAS, POWER, TELECOM, INDUSTRIAL_GAS)
CATEGORIES = tuple(dict.fromkeys(kind.category for kind in PIPE_KINDS))
