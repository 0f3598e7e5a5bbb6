"""Metres of a degree on the ellipsoid, as SQL over a latitude in degrees.

Source: the usual series for GRS 80, right to a centimetre in a degree (some 1e-7).
"""

from __future__ import annotations

KX = (
    "(111412.84 * cos(radians({y})) - 93.5 * cos(3 * radians({y})) + 0.118 * cos(5 * radians({y})))"
)
"""Of longitude."""

KY = "(111132.92 - 559.82 * cos(2 * radians({y})) + 1.175 * cos(4 * radians({y})))"
"""Of latitude."""
