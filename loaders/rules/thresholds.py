"""The numbers of the rules, in one place; ``--threshold NAME=VALUE`` sets another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite

from layers.errors import InvalidParameter


def _number(value: float, described: str) -> float:
    made: float = field(default=value, metadata={"described": described})
    return made


@dataclass(frozen=True)
class Thresholds:
    """Where each rule begins to find fault. Survey practice where no standard fixes a number."""

    max_segment_m: float = _number(75.0, "longest segment between two surveyed points, metres")
    min_segment_m: float = _number(0.05, "shortest segment, metres")
    max_slope_deg: float = _number(30.0, "steepest segment, degrees")
    max_depth_m: float = _number(15.0, "greatest plausible depth of a pipe, metres")
    node_agreement_m: float = _number(
        0.02, "difference of elevations or depths that lines may have at a node they share, metres"
    )
    ground_agreement_m: float = _number(
        0.01, "difference allowed between ground, and depth plus elevation of the pipe, metres"
    )
    end_to_node_m: float = _number(0.1, "distance at which an end of a pipe is at a node, metres")
    min_angle_deg: float = _number(15.0, "sharpest angle between two adjoining segments, degrees")
    min_rise_m: float = _number(0.02, "rise against the flow that is none yet, metres")
    crossing_gap_m: float = _number(
        0.0, "gap between the walls of two crossing pipes below which they collide, metres"
    )
    min_elevation_m: float = _number(-200.0, "lowest plausible elevation of a vertex, metres")
    max_elevation_m: float = _number(3000.0, "highest plausible elevation of a vertex, metres")
    same_place_m: float = _number(0.01, "distance at which two geometries are the same, metres")
    overlap_m2: float = _number(0.1, "area that two parcels may share, square metres")
    min_gap_m: float = _number(0.01, "width from which a gap between parcels is one, metres")
    max_gap_m: float = _number(0.2, "width up to which a gap between parcels is a sliver, metres")
    min_width_m: float = _number(0.5, "mean width below which a parcel is a sliver, metres")
    area_share: float = _number(
        0.02, "share by which a registered area may differ from the one computed"
    )
    area_m2: float = _number(1.0, "difference of areas that is none yet, square metres")


def parse_thresholds(pairs: Sequence[str]) -> Thresholds:
    """The thresholds that ``NAME=VALUE`` texts set, others as they are.

    Raises:
        InvalidParameter: there is no such threshold, or the value is no number.
    """
    known = {one.name for one in fields(Thresholds)}
    chosen: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            reason = f"there is no {name!r}; there are {', '.join(sorted(known))}"
            raise InvalidParameter("threshold", pair, reason)
        try:
            chosen[name] = float(value)
        except ValueError:
            raise InvalidParameter("threshold", pair, f"{value!r} is no number") from None
        if not isfinite(chosen[name]):
            raise InvalidParameter("threshold", pair, f"{value!r} is no number of use")
    return replace(Thresholds(), **chosen)


def described_thresholds() -> list[tuple[str, float, str]]:
    """Name, value and meaning of each threshold, for the reference."""
    standard = asdict(Thresholds())
    return [(one.name, standard[one.name], one.metadata["described"]) for one in fields(Thresholds)]
