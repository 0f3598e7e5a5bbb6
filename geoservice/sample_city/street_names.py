"""Names of the streets of a plan, and the words of addresses."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from geoservice.sample_city.admin import Street, street_of_points, streets
from geoservice.sample_city.columns import joined, words
from geoservice.sample_city.hashing import Ints
from geoservice.sample_city.lattice import COLUMNS, ROWS, VILLAGE
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.ragged import starts
from geoservice.sample_city.words import avenue_names, numeral, quarter_names


@dataclass(frozen=True)
class Gazetteer:
    """Looks up the names of a plan's streets and the administrative street of its quarters."""

    plan: CityPlan

    @cached_property
    def admin_streets(self) -> list[Street]:
        """Streets (街道) of the city."""
        return streets()

    @cached_property
    def admin_of_cell(self) -> Ints:
        """Index in ``admin_streets`` of every cell of the lattice."""
        return street_of_points(self.plan.lattice.quads.mean(axis=1))

    @cached_property
    def ordinal_of_cell(self) -> Ints:
        """Number, from 1, of every cell that may be built on within its street (地籍子区)."""
        ordinal = np.zeros(len(self.admin_of_cell), np.int64)
        built = self.plan.lattice.is_built.reshape(-1)
        for number in range(len(self.admin_streets)):
            here = np.flatnonzero(built & (self.admin_of_cell == number))
            ordinal[here] = np.arange(1, len(here) + 1)
        return ordinal

    @cached_property
    def parcels_before(self) -> Ints:
        """Number of parcels that lie before each block in its quarter."""
        before = starts(self.plan.lots.parcels)
        _, first, quarter = np.unique(
            self.plan.graph.blocks.cell, return_index=True, return_inverse=True
        )
        return before - before[first[quarter]]

    @cached_property
    def roads(self) -> pa.Array:
        """Name of every street of the graph."""
        parts = self.plan.graph.names
        quarters = self._quarter_names()
        rows = avenue_names(self.plan.seed, ROWS + 1, "大道")
        columns = avenue_names(self.plan.seed + 1, COLUMNS + 1, "路")
        names = []
        for cell, rank, is_cross, axis in zip(
            parts.cell.tolist(), parts.rank.tolist(), parts.is_cross.tolist(), parts.axis.tolist(),
            strict=True,
        ):  # fmt: skip
            if cell < 0:
                names.append((columns if axis else rows)[rank])
            else:
                names.append(quarters[cell] + numeral(rank) + self._suffix(cell, is_cross))
        return pa.array(names)

    def addresses(self, cell: Ints, street: Ints, house: pa.Array) -> pa.Array:
        """Addresses such as 深圳市福田区莲心街道红棉大道12号."""
        admin = self.admin_of_cell[cell]
        areas = [f"深圳市{item.district_name}{item.name}" for item in self.admin_streets]
        return joined(words(areas, admin), self.roads.take(pa.array(street)), house, "号")

    def _suffix(self, cell: int, is_cross: bool) -> str:
        if not is_cross:
            return "路"
        return "巷" if self.plan.zones[cell] == VILLAGE else "街"

    def _quarter_names(self) -> dict[int, str]:
        """Names of the quarters; those near the centre get the shortest."""
        order = np.argsort(self.plan.lattice.distance.reshape(-1), kind="stable")
        names = quarter_names(self.plan.seed, len(order))
        return dict(zip(order.tolist(), names, strict=True))
