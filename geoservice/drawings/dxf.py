"""A scene as DXF (AutoCAD 2010), one unit a metre in both directions, nothing exaggerated."""

from __future__ import annotations

import io

from ezdxf import filemanagement
from ezdxf.enums import TextEntityAlignment
from ezdxf.layouts.layout import Modelspace

from geoservice.drawings.scene import Line, Mark, Oval, Scene, one_line

_TEXT_M = 0.25
_TITLE_M = 0.5
_STYLE = "CITY"
_FONT = "simsun.ttc"


def scene_dxf(scene: Scene) -> bytes:
    """The drawing with its labels; a layer for each class of pipe, in true colours.

    What has no known elevation stands on layer ``UNKNOWN_ELEVATION``, as a dashed line where it is
    crossed.
    """
    document = filemanagement.new("R2010", setup=["linetypes"])
    document.styles.add(_STYLE, font=_FONT)
    parts: list[Line | Oval | Mark] = [*scene.lines, *scene.ovals, *scene.marks]
    for name in sorted({part.layer for part in parts}):
        document.layers.add(name)
    space = document.modelspace()
    low, high = scene.elevations or (0.0, 1.0)
    for line in scene.lines:
        space.add_lwpolyline(line.points, dxfattribs=_look(line.layer, line.color))
    for oval in scene.ovals:
        wide, tall = oval.width / 2, oval.height / 2
        major, ratio = ((wide, 0), tall / wide) if wide >= tall else ((0, tall), wide / tall)
        look = _look(oval.layer, oval.color)
        space.add_ellipse((oval.x, oval.y), major_axis=major, ratio=ratio, dxfattribs=look)
    for mark in scene.marks:
        _add_mark(space, mark, low, high)
    title = space.add_text(scene.title, height=_TITLE_M, dxfattribs={"style": _STYLE})
    title.set_placement((0, high + 10))
    for number, remark in enumerate(scene.remarks):
        text = space.add_text(remark, height=_TEXT_M, dxfattribs={"style": _STYLE})
        text.set_placement((0, low - 1.5 - number * 2 * _TEXT_M))
    held = io.StringIO()
    document.write(held)
    return document.encode(held.getvalue())


def _add_mark(space: Modelspace, mark: Mark, low: float, high: float) -> None:
    """The text stands upright above everything, over what it belongs to."""
    look = _look(mark.layer, mark.color)
    if mark.y is None:
        dashed = look | {"linetype": "DASHED"}
        space.add_line((mark.x, low - 1), (mark.x, high + 1), dxfattribs=dashed)
    text = space.add_text(
        one_line(mark.text), height=_TEXT_M, rotation=90, dxfattribs=look | {"style": _STYLE}
    )
    text.set_placement((mark.x, high + 1.5), align=TextEntityAlignment.MIDDLE_LEFT)


def _look(layer: str, color: str) -> dict[str, object]:
    return {"layer": layer, "true_color": int(color.removeprefix("#"), 16)}
