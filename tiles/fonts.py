"""The font of pictures: one that the machine has and that holds Chinese, found by fontconfig.

No font is part of the service, and none is fetched. SVG legends and the map itself are written in
fonts of the reader; only PNG legends and glyphs need one here.
"""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ImageFont

FONT_FAMILIES = (
    "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC','WenQuanYi Micro Hei',"
    "'WenQuanYi Zen Hei',sans-serif"
)
"""Where a reader's machine draws: fonts that hold Chinese, as the web map names them."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LISTED = "%{family[0]}\t%{weight}\t%{file}\t%{index}\n"
_LOOK_UP_S = 10
_REGULAR_WEIGHT = 80
_WIDE = ("W", "F")
_NARROW_EM = 0.56


@dataclass(frozen=True)
class FontFace:
    """A face in a file of the machine; ``weight`` as fontconfig counts it, 80 is regular."""

    family: str
    weight: float
    path: Path
    index: int


@cache
def chinese_font() -> FontFace | None:
    """The face for texts in Chinese and English; None where the machine has none."""
    program = shutil.which("fc-list")
    if program is None:
        return None
    listed = subprocess.run(
        [program, "--format", _LISTED, ":lang=zh-cn:scalable=true"],
        capture_output=True,
        text=True,
        timeout=_LOOK_UP_S,
        check=False,
    )
    parts = (line.split("\t") for line in listed.stdout.splitlines())
    faces = [_face(*part) for part in parts if len(part) == 4]
    return min(faces, key=_preference, default=None)


def _face(family: str, weight: str, path: str, index: str) -> FontFace:
    return FontFace(family, _weight(weight), Path(path), int(index or 0))


def _weight(said: str) -> float:
    """A weight; of a variable font, which says ``[0 210]``, the regular one."""
    try:
        return float(said)
    except ValueError:
        return _REGULAR_WEIGHT


def _preference(face: FontFace) -> tuple[object, ...]:
    """Regular, upright sans faces that the web map names first; the same on each run."""
    words = face.family.casefold()
    is_other = "mono" in words or "serif" in words or "song" in words or "kai" in words
    return (
        is_other,
        f"'{face.family}'" not in FONT_FAMILIES,
        abs(face.weight - _REGULAR_WEIGHT),
        face.family,
        str(face.path),
        face.index,
    )


@cache
def load_font(size_px: float) -> Font:
    """A font of so many pixels; where the machine has no Chinese one, Pillow's Latin one."""
    face = chinese_font()
    if face is None:
        return ImageFont.load_default(size_px)
    return ImageFont.truetype(str(face.path), size_px, index=face.index)


def estimated_width(text: str, size_px: float) -> float:
    """About how wide a text is in a font that is not known: for places of SVG texts."""
    ems = sum(1 if unicodedata.east_asian_width(c) in _WIDE else _NARROW_EM for c in text)
    return ems * size_px
