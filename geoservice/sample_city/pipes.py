"""Pipes and their points: where they run, how deep, in which order they are numbered.

Everything surveyed is kept in whole millimetres, so that ground elevation = depth + elevation holds
exactly in the files.  Depth and elevation belong to the point, so all pipes that meet there agree.
Points of a kind are numbered: junctions of streets, then points along streets, then branch ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Bools, Floats, Ints, uniform
from geoservice.sample_city.mains import (
    MILLIMETRES,
    Junctions,
    Main,
    depth_mm,
    installed_on,
    junctions_of,
    to_millimetres,
)
from geoservice.sample_city.pipe_kinds import Behaviour
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.ragged import expand, starts

PIECES_PER_BATCH = 8_000
SPUR_MIN_M, SPUR_MAX_M = 1.6, 7.5
SPUR_FALL = 0.03
SPUR_DROP_MM = 20
MIN_COVER_MM, MAX_EXTRA_MM = 700, 2_000


@dataclass(frozen=True)
class Points:
    """Points of one kind.

    Attributes:
        number: Number within the kind, from 1.
        xy_mm: Easting and northing in millimetres (EPSG:4547), shape (n, 2).
        ground_mm: Ground elevation in millimetres.
        depth_mm: Depth in millimetres, to crown or invert as the kind has it.
        installed: Day of the earliest pipe, in days since 1970-01-01.
        degree: Number of pipes that meet.
        is_straight: Whether the pipes of a point of two run on in one direction.
        is_inner: Points along a street, between its junctions.
        is_spur: Ends of short branches.
    """

    number: Ints
    xy_mm: Ints
    ground_mm: Ints
    depth_mm: Ints
    installed: Ints
    degree: Ints
    is_straight: Bools
    is_inner: Bools
    is_spur: Bools


@dataclass(frozen=True)
class Pipes:
    """Pipes of one kind, each between two points.

    Attributes:
        number: Numbers of start and end point, shape (n, 2).
        depth_mm: Depth at start and end, shape (n, 2).
        elevation_mm: Elevation at start and end, shape (n, 2).
        edge: Piece of street of each pipe.
        is_spur: Short branches.
    """

    number: Ints
    depth_mm: Ints
    elevation_mm: Ints
    edge: Ints
    is_spur: Bools


@dataclass(frozen=True)
class _Chain:
    """Points along pieces of street, their end junctions included, in order."""

    piece: Ints
    place: Ints
    number: Ints
    xy_mm: Ints
    ground_mm: Ints
    depth_mm: Ints

    @property
    def elevation_mm(self) -> Ints:
        return self.ground_mm - self.depth_mm


def survey(plan: CityPlan, main: Main) -> Iterator[tuple[Points, Pipes | None]]:
    """All points and pipes of one kind, batch by batch; the junctions come first, without pipes."""
    junctions = junctions_of(plan.seed, plan.graph, plan.terrain, main)
    yield _junction_points(junctions), None
    count = int(junctions.number.max(initial=0))
    first_inner = count + starts(main.segments - 1)
    first_spur = count + int((main.segments - 1).sum()) + starts(main.spurs)
    for first in range(0, len(main.edges), PIECES_PER_BATCH):
        part = slice(first, first + PIECES_PER_BATCH)
        chain = _chain(plan, main, junctions, part, first_inner[part])
        spurs = _spurs(plan, main, part, chain, first_spur[part])
        yield _inner_points(plan, main, part, chain, spurs), _pipes(main, part, chain, spurs)


def _junction_points(junctions: Junctions) -> Points:
    exists = junctions.number > 0
    nowhere = np.zeros(int(exists.sum()), np.bool_)
    return Points(
        junctions.number[exists], junctions.xy_mm[exists], junctions.ground_mm[exists],
        junctions.depth_mm[exists], junctions.installed[exists], junctions.degree[exists],
        junctions.is_straight[exists], nowhere, nowhere,
    )  # fmt: skip


def _chain(
    plan: CityPlan, main: Main, junctions: Junctions, part: slice, first_inner: Ints
) -> _Chain:
    """Points of some pieces, from junction to junction, spaced evenly but for a little."""
    segments = main.segments[part]
    piece, place = expand(segments + 1)
    start, end = plan.graph.edges.ends[main.edges[part]][piece].T
    count = segments[piece]
    is_first, is_last = place == 0, place == count
    move = 0.3 * (uniform(plan.seed, "spacing", main.edges[part][piece], place) - 0.5)
    along = (place + np.where(is_first | is_last, 0.0, move)) / count
    xy_mm = _between(junctions.xy_mm[start], junctions.xy_mm[end], along[:, None])
    ground_mm = to_millimetres(plan.terrain.ground(xy_mm / MILLIMETRES))
    depth = depth_mm(main.kind, xy_mm)
    if main.kind.behaviour is Behaviour.GRAVITY:
        inverts = junctions.ground_mm - junctions.depth_mm
        depth = _gravity_depth(main, ground_mm, _between(inverts[start], inverts[end], along))
        depth = np.where(is_first, junctions.depth_mm[start], depth)
        depth = np.where(is_last, junctions.depth_mm[end], depth)
    number = first_inner[piece] + place
    number = np.where(is_first, junctions.number[start], number)
    number = np.where(is_last, junctions.number[end], number)
    return _Chain(piece, place, number, xy_mm, ground_mm, depth)


def _between(start: Ints, end: Ints, along: Floats) -> Ints:
    return np.rint(start + (end - start) * along).astype(np.int64)


def _gravity_depth(main: Main, ground_mm: Ints, invert_mm: Ints) -> Ints:
    """Depth of an even fall between two junctions, kept under cover and within reach."""
    low, high = to_millimetres(np.array(main.kind.depth_m))
    depth: Ints = np.clip(ground_mm - invert_mm, low - MIN_COVER_MM, high + MAX_EXTRA_MM)
    return depth


def _spurs(plan: CityPlan, main: Main, part: slice, chain: _Chain, first_spur: Ints) -> _Chain:
    """Ends of the short branches; ``place`` is the point of the chain that each one joins."""
    segments = main.segments[part]
    has = (chain.place > 0) & (chain.place < segments[chain.piece])
    at = np.flatnonzero(has & (main.spurs[part][chain.piece] > 0))
    piece, edge = chain.piece[at], main.edges[part][chain.piece[at]]
    xy_mm = chain.xy_mm[at] + to_millimetres(_to_kerb(plan, main, edge))
    ground_mm = to_millimetres(plan.terrain.ground(xy_mm / MILLIMETRES))
    depth = depth_mm(main.kind, xy_mm)
    if main.kind.behaviour is Behaviour.GRAVITY:
        length_mm = np.hypot(*(xy_mm - chain.xy_mm[at]).T)
        rise_mm = SPUR_DROP_MM + np.rint(SPUR_FALL * length_mm).astype(np.int64)
        depth = ground_mm - chain.elevation_mm[at] - rise_mm
    number = first_spur[piece] + chain.place[at]
    return _Chain(piece, at, number, xy_mm, ground_mm, depth)


def _to_kerb(plan: CityPlan, main: Main, edge: Ints) -> Floats:
    """Vector in metres from a pipe to the nearer kerb of its street."""
    edges, offset = plan.graph.edges, main.kind.offset
    start, end = plan.graph.junctions[edges.ends[edge].T]
    along = (end - start) / edges.length_m[edge][:, None]
    left = np.stack((-along[:, 1], along[:, 0]), axis=1)
    side = np.where(edges.axis[edge] == 0, 1.0, -1.0) * np.sign(offset)
    half = plan.graph.half_width_m[edges.ends[edge, 0], edges.axis[edge]]
    length_m = np.clip((1.0 - abs(offset)) * half, SPUR_MIN_M, SPUR_MAX_M)
    to_kerb: Floats = left * (side * length_m)[:, None]
    return to_kerb


def _inner_points(plan: CityPlan, main: Main, part: slice, chain: _Chain, spurs: _Chain) -> Points:
    """Points between the junctions, then the ends of branches."""
    is_inner = (chain.place > 0) & (chain.place < main.segments[part][chain.piece])
    degree = np.full(len(chain.piece), 2)
    degree[spurs.place] = 3
    piece = np.concatenate((chain.piece[is_inner], spurs.piece))
    is_spur = np.arange(len(piece)) >= int(is_inner.sum())
    street = plan.graph.edges.street[main.edges[part][piece]]
    return Points(
        np.concatenate((chain.number[is_inner], spurs.number)),
        np.concatenate((chain.xy_mm[is_inner], spurs.xy_mm)),
        np.concatenate((chain.ground_mm[is_inner], spurs.ground_mm)),
        np.concatenate((chain.depth_mm[is_inner], spurs.depth_mm)),
        installed_on(plan.seed, main.kind, street),
        np.concatenate((degree[is_inner], np.ones(len(spurs.piece), np.int64))),
        ~is_spur, ~is_spur, is_spur,
    )  # fmt: skip


def _pipes(main: Main, part: slice, chain: _Chain, spurs: _Chain) -> Pipes:
    """Pipes from point to point along the pieces, then the branches.

    A branch of a gravity pipe runs down to its main, that of a pressure pipe out to its end.
    """
    start = np.flatnonzero(chain.place < main.segments[part][chain.piece])
    gravity = main.kind.behaviour is Behaviour.GRAVITY

    def ends(values: Ints, of_spurs: Ints) -> Ints:
        along = np.stack((values[start], values[start + 1]), axis=1)
        branch = (of_spurs, values[spurs.place]) if gravity else (values[spurs.place], of_spurs)
        return np.concatenate((along, np.stack(branch, axis=1)))

    piece = np.concatenate((chain.piece[start], spurs.piece))
    return Pipes(
        ends(chain.number, spurs.number),
        ends(chain.depth_mm, spurs.depth_mm),
        ends(chain.elevation_mm, spurs.elevation_mm),
        main.edges[part][piece],
        np.arange(len(piece)) >= len(start),
    )
