"""How a theme is drawn before anybody has said it: colours, the label, what colours tell apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

from layers.base import AttributeType, GeometryType, Style
from loaders.inference import InferredColumn

PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"),
    *("#7b5ea7", "#8c6d31", "#b10026", "#1b7f79", "#6a7f10", "#5c5c5c"),
)
"""Colours that colour-blind readers tell apart too, the first ones best (Okabe and Ito, 2008)."""

_LEAST_CODES, _MOST_CODES = 2, len(PALETTE)
_MOST_LABEL_CHARS = 60
_NAME_WORDS = re.compile(r"名称|名字|站名|^name|names?$|^title$|^label$|mc$|名$", re.IGNORECASE)
_KIND_WORDS = re.compile(
    r"类|级|状态|性质|kind|type|class|categ|status|level|lx$|lb$|dj$", re.IGNORECASE
)
_WIDTH_PX = (8.0, 2.5, 1.2)
_LABEL_MINZOOM = (16, 15, 15)
_AREA_OPACITY = 0.35


def color_of(place: int) -> str:
    """The colour of a code by its place in a list; colours come again after the last."""
    return PALETTE[place % len(PALETTE)]


def label_column(columns: Sequence[InferredColumn]) -> InferredColumn | None:
    """The column whose texts name the features, if one looks like it."""
    named = [
        column
        for column in columns
        if column.type is AttributeType.TEXT
        and _NAME_WORDS.search(column.title)
        and 0 < column.max_chars <= _MOST_LABEL_CHARS
    ]
    return max(named, key=lambda column: column.distinct, default=None)


def coded_column(columns: Sequence[InferredColumn]) -> InferredColumn | None:
    """The column of few words that come again, by which features are told apart by colour."""
    coded = [
        column
        for column in columns
        if _LEAST_CODES <= len(column.codes) <= _MOST_CODES
        and len({code.casefold() for code in column.codes}) == len(column.codes)
        and all(code.isprintable() for code in column.codes)
    ]
    kinds = [column for column in coded if _KIND_WORDS.search(column.title)]
    return max(kinds or coded, key=lambda column: column.filled, default=None)


def style_of(
    name: str, geometry_type: GeometryType, *, label: str | None, color_by: str | None
) -> Style:
    """A style: one colour for each name, so that themes are told apart as well."""
    place = blake2b(name.encode(), digest_size=1).digest()[0]
    color = color_of(place)
    dimension = geometry_type.dimension
    return Style(
        color=color,
        color_by=color_by,
        width_px=_WIDTH_PX[dimension],
        opacity=_AREA_OPACITY if dimension == 2 else 1.0,
        outline=("#ffffff", None, color)[dimension],
        label=label,
        label_minzoom=_LABEL_MINZOOM[dimension],
    )
