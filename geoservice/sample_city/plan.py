"""The whole city before anything is written: what is built, and exactly how much of it.

The city grows from its centre: everything has a growth distance, and one limit decides what is
built.  Counting is exact and cheap, so the limit is chosen to meet the number of features; when
the land is full, the city becomes denser instead.
"""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Floats, Ints
from geoservice.sample_city.land import Terrain, terrain
from geoservice.sample_city.lattice import Lattice, build_lattice
from geoservice.sample_city.lots import Lots, divide_blocks
from geoservice.sample_city.mains import Main, built_main, lay_main
from geoservice.sample_city.pipe_kinds import PIPE_KINDS
from geoservice.sample_city.streets import StreetGraph, build_streets
from geoservice.sample_city.structures import Structure, build_structures
from layers.errors import InvalidParameter

MIN_FEATURES, MAX_FEATURES = 500, 20_000_000
FACILITY_SHARE, MAX_FACILITIES = 0.06, 60_000
SEA_PARCELS_PER_FEATURE, MAX_SEA_PARCELS = 1 / 500, 2_000
FEATURES_PER_CELL = 1_900
SPARE_CELLS = 12
DENSITY_STEPS = 8


@dataclass(frozen=True)
class CityPlan:
    """Everything that is needed to write any part of the city alone.

    Attributes:
        seed: Seed of the city.
        terrain: Ground elevations.
        lattice: Main roads and quarters.
        zones: Zone of each quarter.
        graph: Streets and blocks.
        lots: Division of all blocks.
        mains: Built part of each kind's network.
        structures: Built underground structures.
        blocks: Indices of the built blocks.
        edges: Indices of the built pieces of street.
        facilities: Number of facilities.
        sea_parcels: Number of sea parcels.
    """

    seed: int
    terrain: Terrain
    lattice: Lattice
    zones: Ints
    graph: StreetGraph
    lots: Lots
    mains: list[Main]
    structures: list[Structure]
    blocks: Ints
    edges: Ints
    facilities: int
    sea_parcels: int


def plan_city(features: int, seed: int, areas: int) -> CityPlan:
    """Plan a city of so many features.

    Args:
        features: Rows of all layers together, 500 to 20,000,000.
        seed: Same seed and number, same city.
        areas: Rows of the districts layer, which every city has in full.

    Returns:
        A plan with exactly ``features`` rows, ``areas`` included.

    Raises:
        InvalidParameter: ``features`` is out of range.
    """
    if not MIN_FEATURES <= features <= MAX_FEATURES:
        reason = f"must be {MIN_FEATURES} to {MAX_FEATURES}"
        raise InvalidParameter("features", features, reason)
    facilities = min(MAX_FACILITIES, round(FACILITY_SHARE * features))
    sea_parcels = min(MAX_SEA_PARCELS, round(SEA_PARCELS_PER_FEATURE * features))
    target = features - areas - facilities - sea_parcels
    draft = _Draft(seed, target)
    limit_m, rows = draft.limit(target)
    return draft.plan(limit_m, facilities + target - rows, sea_parcels)


class _Draft:
    """A city with room for at least ``target`` rows on land, of which a limit then cuts a part."""

    def __init__(self, seed: int, target: int) -> None:
        self.seed = seed
        self.terrain = terrain()
        self.lattice = build_lattice(seed, self.terrain)
        self.zones = self.lattice.zone.reshape(-1)
        self.structures = build_structures(seed, self.lattice, self.terrain)
        wanted = target // FEATURES_PER_CELL + SPARE_CELLS
        self._build(wanted, 1.0)
        density = 1.0
        for _ in range(DENSITY_STEPS):
            rows = int(self._weights()[1].sum())
            if rows >= target:
                break
            if wanted < self.lattice.is_built.sum():
                wanted *= 2
            else:
                density *= 1.03 * target / rows
            self._build(wanted, density)

    def limit(self, target: int) -> tuple[float, int]:
        """Greatest growth limit that keeps at most ``target`` rows, and the rows it keeps."""
        distance, rows = self._weights()
        order = np.argsort(distance, kind="stable")
        distance, total = distance[order], np.cumsum(rows[order])
        first_over = int(np.searchsorted(total, target, side="right"))
        if first_over == len(total):
            return np.inf, int(total[-1])
        limit_m = float(distance[first_over])
        kept = int(np.searchsorted(distance, limit_m, side="left"))
        return limit_m, int(total[kept - 1]) if kept else 0

    def plan(self, limit_m: float, facilities: int, sea_parcels: int) -> CityPlan:
        """The part of the draft within a growth limit."""
        return CityPlan(
            self.seed, self.terrain, self.lattice, self.zones, self.graph, self.lots,
            [built_main(main, limit_m) for main in self.mains],
            [item for item in self.structures if item.distance < limit_m],
            np.flatnonzero(self.graph.blocks.distance < limit_m),
            np.flatnonzero(self.graph.edges.distance < limit_m),
            facilities, sea_parcels,
        )  # fmt: skip

    def _build(self, cells: int, density: float) -> None:
        distance = np.where(self.lattice.is_built, self.lattice.distance, np.inf).reshape(-1)
        nearest = np.argsort(distance, kind="stable")[:cells]
        nearest = np.sort(nearest[np.isfinite(distance[nearest])])
        self.graph = build_streets(self.seed, self.lattice, self.terrain, nearest)
        self.lots = divide_blocks(self.seed, self.graph, self.zones, density)
        self.mains = [
            lay_main(self.seed, self.graph, self.zones, kind, density) for kind in PIPE_KINDS
        ]

    def _weights(self) -> tuple[Floats, Ints]:
        """Growth distances of all that can be built, and the rows that each brings."""
        blocks, edges = self.graph.blocks, self.graph.edges
        distance = [blocks.distance, edges.distance]
        rows = [self.lots.parcels + self.lots.has_service, np.ones(len(edges.axis), np.int64)]
        for main in self.mains:
            distance += [main.distance, main.junction_distance]
            rows += [main.rows, np.ones(len(main.junction_distance), np.int64)]
        distance.append(np.array([item.distance for item in self.structures]))
        rows.append(np.ones(len(self.structures), np.int64))
        all_distances, all_rows = np.concatenate(distance), np.concatenate(rows)
        built = np.isfinite(all_distances)
        return all_distances[built], all_rows[built]
