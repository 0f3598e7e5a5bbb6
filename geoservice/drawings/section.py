"""The drawing of a cross-section, in the colours of CJJ 61 and with the labels of the trade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geoservice.drawings.scene import Column, Line, Mark, Oval, Scene
from layers.base import CodeList
from layers.codes import MATERIALS, PIPE_CATEGORIES, PIPE_KINDS
from layers.underground.ground import Ground
from layers.underground.pipes import Pipe
from layers.underground.section import Cut

GROUND_COLOR = "#8a6d3b"
UNKNOWN_GROUND = "地面高程不详 ground not known"
EXAGGERATED = "图片中高程夸大 elevations are exaggerated in pictures"
UNKNOWN_LAYER = "UNKNOWN_ELEVATION"
_OTHER_COLOR = "#6600cc"

_COLUMNS = (
    Column("序号", 40),
    Column("编号 number", 150),
    Column("类别 kind", 120),
    Column("规格 size", 100),
    Column("材质 material", 100),
    Column("里程 m", 70),
    Column("高程 elevation m", 125),
    Column("覆土 cover m", 105),
    Column("夹角 °", 55),
    Column("权属 owner", 125),
)


def section_scene(
    cuts: Sequence[Cut], ground: Ground, length_m: float, remarks: Sequence[str]
) -> Scene:
    """Every cut where it lies, with the ground above; what is not known is marked, not placed."""
    nothing = () if cuts else ("未切到管线 no pipe is cut",)
    return Scene(
        f"管线横断面图 Cross-section · {length_m:.1f} m",
        length_m,
        tuple(ground_lines(ground)) + tuple(_runs(cuts)),
        tuple(_ovals(cuts)),
        tuple(_mark(number, cut) for number, cut in enumerate(cuts, start=1)),
        _COLUMNS,
        tuple(_row(number, cut) for number, cut in enumerate(cuts, start=1)),
        (*nothing, *remarks),
    )


def remarks_of(ground: Ground, hidden: Sequence[str]) -> list[str]:
    """What a reader must know: where the ground is from, and which classes are not shown."""
    source = f"地面线 ground: {ground.raster}" if ground.raster else UNKNOWN_GROUND
    remarks = [f"{source};{EXAGGERATED}"]
    if hidden:
        names = "、".join(title_of(PIPE_CATEGORIES, code) for code in hidden)
        remarks.append(f"不含无权查看的管线 classes not shown: {names} ({', '.join(hidden)})")
    return remarks


def ground_lines(ground: Ground) -> Iterator[Line]:
    """The ground, broken where it is not known."""
    known: list[tuple[float, float]] = []
    for distance, elevation in zip(ground.distances_m, ground.elevations_m, strict=True):
        if elevation is not None:
            known.append((distance, elevation))
            continue
        if len(known) > 1:
            yield Line(tuple(known), "GROUND", GROUND_COLOR, 2.0)
        known = []
    if len(known) > 1:
        yield Line(tuple(known), "GROUND", GROUND_COLOR, 2.0)


def color_of(pipe: Pipe) -> str:
    """Of its kind, else of its class."""
    for codes, name in ((PIPE_KINDS, "kind"), (PIPE_CATEGORIES, "category")):
        code = codes.by_code.get(pipe.attributes.get(name) or "")
        if code is not None and code.color is not None:
            return code.color
    return _OTHER_COLOR


def title_of(codes: CodeList, code: str | None) -> str:
    """The Chinese title of a code; a word of its own stands for itself."""
    found = codes.by_code.get(code or "")
    return found.title.zh if found else code or "不详"


def size_text(pipe: Pipe) -> str:
    """``DN300`` or ``400x300``, as the trade writes it."""
    if pipe.size is None:
        return "不详"
    if pipe.size.width_m == pipe.size.height_m:
        return f"DN{pipe.size.width_m * 1000:g}"
    return f"{pipe.size.width_m * 1000:g}x{pipe.size.height_m * 1000:g}"


def layer_of(pipe: Pipe) -> str:
    """Where CAD programs find a pipe: its class."""
    category = str(pipe.attributes.get("category"))
    return category if category in PIPE_CATEGORIES.by_code else "QT"


def number_text(value: float | None, digits: int = 2) -> str:
    """A number, or that it is not known."""
    return "不详" if value is None else f"{value:.{digits}f}"


def _runs(cuts: Sequence[Cut]) -> Iterator[Line]:
    """Pipes along the drawn line, at the elevation that they have where the run begins."""
    for cut in cuts:
        y, crossing = cut.heights.elevation_m, cut.crossing
        if y is not None and crossing.end_distance_m > crossing.distance_m:
            points = ((crossing.distance_m, y), (crossing.end_distance_m, y))
            yield Line(points, layer_of(cut.pipe), color_of(cut.pipe), 3.0)


def _ovals(cuts: Sequence[Cut]) -> Iterator[Oval]:
    for cut in cuts:
        y, size = cut.heights.elevation_m, cut.pipe.size
        if y is None:
            continue
        # Of a pipe without a size a point of a pen's width says where it lies.
        wide, tall = (size.width_m, size.height_m) if size else (0.05, 0.05)
        color, layer = color_of(cut.pipe), layer_of(cut.pipe)
        yield Oval(cut.crossing.distance_m, y, wide, tall, layer, color)


def _mark(number: int, cut: Cut) -> Mark:
    y, pipe = cut.heights.elevation_m, cut.pipe
    layer = UNKNOWN_LAYER if y is None else layer_of(pipe)
    kind = title_of(PIPE_KINDS, pipe.attributes.get("kind"))
    text = f"{pipe.name} {kind} {size_text(pipe)} 高程{number_text(y)}"
    return Mark(cut.crossing.distance_m, y, str(number), text, layer, color_of(pipe))


def _row(number: int, cut: Cut) -> tuple[str, ...]:
    pipe, crossing = cut.pipe, cut.crossing
    of = {"crown": " 管顶", "invert": " 管底"}.get(cut.heights.elevation_of or "", "")
    by = " (埋深)" if cut.cover_from == "depth" else ""
    return (
        str(number),
        pipe.name,
        f"{pipe.attributes.get('kind') or ''} {title_of(PIPE_KINDS, pipe.attributes.get('kind'))}",
        size_text(pipe),
        title_of(MATERIALS, pipe.attributes.get("material")),
        number_text(crossing.distance_m),
        number_text(cut.heights.elevation_m) + of,
        number_text(cut.cover_m) + by,
        f"{crossing.angle_deg:.0f}",
        pipe.attributes.get("owner") or "不详",
    )
