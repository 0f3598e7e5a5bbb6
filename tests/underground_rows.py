"""Pipes for tests of sections: a tangle, a street of difficult ones, a path with its nodes."""

from __future__ import annotations

from random import Random
from typing import Any

from layers.pipelines import PIPE_CLEARANCE
from tests.support import pipe

SURVEYED = {"z_source": "surveyed", "material": "QM", "owner": "水务集团"}


def wild_pipes() -> list[dict[str, Any]]:
    random = Random(7)
    rows = []
    for number in range(60):
        points = [
            (114.07 + random.uniform(-1, 12) * 1e-4, 22.54 + random.uniform(-4, 11) * 1e-4, 10.0)
            for _ in range(random.choice((2, 2, 3)))
        ]
        rows.append(pipe(f"W{number}", "WS", *points, diameter_mm=400, **SURVEYED))
    return rows


def across(x: float, z: float = 10.0) -> list[tuple[float, float, float]]:
    """A pipe from south to north at a longitude, ten metres west of it counted in 1e-4 degrees."""
    return [(114.2 + x * 1e-4, 22.5999, z), (114.2 + x * 1e-4, 22.6001, z)]


STREET_PIPES = [
    pipe("JS-1", "JP", *across(1), diameter_mm=300, **SURVEYED),
    pipe("DRY", "YS", *across(2, 0.0), diameter_mm=800, z_source="unknown"),
    pipe("BOX", "WS", *across(3), section="1200x800", **SURVEYED),
    pipe("THIN", "WS", *across(4), **SURVEYED),
    pipe(
        "DEEP", "JP", *across(5, 0.0), diameter_mm=200, z_source="unknown",
        start_depth_m=1.0, end_depth_m=2.0,
    ),
    pipe("HUGE", "JP", *across(6), section="900000x2", **SURVEYED),
    pipe("ODD\n\x01<&>%%u", "JP", *across(6.5), diameter_mm=300, **SURVEYED),
    pipe("GAS", "TR", *across(7), diameter_mm=300, **SURVEYED),
]  # fmt: skip


def on_path(number: float, z: float) -> tuple[float, float, float]:
    return 114.2 + number * 5e-4, 22.61, z


def node(code: str, number: float, ground_m: float, **more: Any) -> dict[str, Any]:
    lon, lat, z = on_path(number, ground_m)
    return {
        "code": code,
        "kind": "WS",
        "category": "PS",
        "clearance": PIPE_CLEARANCE.of("PS"),
        "wkt": f"POINT Z ({lon} {lat} {z})",
        "ground_elevation_m": ground_m,
        **more,
    }


def sewer(
    code: str, first: int, last: int, *points: tuple[float, float, float], **more: Any
) -> dict[str, Any]:
    ends = {"start_node": f"N{first}", "end_node": f"N{last}"}
    return pipe(code, "WS", *points, **{"diameter_mm": 400, **SURVEYED, **ends, **more})


PATH_PIPES = [
    sewer("P1", 1, 2, on_path(1, 8.0), on_path(1.5, 7.9), on_path(2, 7.5)),
    sewer("P2", 3, 2, on_path(3, 7.0), on_path(2, 7.4)),
    sewer("P3", 3, 4, on_path(3, 0.0), on_path(4, 0.0), z_source="unknown"),
    pipe("FUEL", "TR", on_path(4, 8.0), on_path(5, 8.0), **SURVEYED),
]
PATH_NODES = [
    node("N1", 1, 10.0, appurtenance="污水井", well_depth_m=2.5),
    node("N2", 2, 9.8, feature="转折点"),
    node("N3", 3, 9.5, appurtenance="污水井"),
]
