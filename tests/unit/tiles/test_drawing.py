"""Drawings as pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tiles import drawing
from tiles.drawing import Circle, Drawing, Path, draw_image, rectangle


def test_a_drawing_in_bands_is_that_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = (
        Path(rectangle(2, 3, 20, 80), closed=True, fill="#4c3926"),
        Path(((1, 50), (29, 50)), stroke="#00ffff", width=2),
        Circle(15, 15, 4, fill="#ff00ff"),
    )
    tall = Drawing(30, 100, shapes, "#ffffff")
    at_once = np.asarray(draw_image(tall), int)

    monkeypatch.setattr(drawing, "_MOST_AT_ONCE", 30 * 4**2 * 7)

    # Rims are rounded to a quarter of a pixel, and above a band the other way.
    in_bands = np.asarray(draw_image(tall), int)
    assert np.abs(at_once - in_bands).max() < 64
    assert np.abs(at_once - in_bands).mean() < 0.1
