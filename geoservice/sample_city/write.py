"""Writes a whole sample city into a directory, in the file formats that offices really exchange."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np

from geoservice.sample_city.admin import DISTRICTS, build_areas, street_of_points
from geoservice.sample_city.facilities import place_facilities
from geoservice.sample_city.hashing import Ints
from geoservice.sample_city.manifest import Manifest, ManifestFile
from geoservice.sample_city.other_files import (
    DISTRICTS_FILE,
    OBSERVATIONS_FILE,
    STRUCTURES_FILE,
    TERRAIN_FILE,
    write_districts,
    write_facilities,
    write_observations,
    write_structures,
    write_terrain,
)
from geoservice.sample_city.parcels import SCHEMA as PARCEL_SCHEMA
from geoservice.sample_city.parcels import parcel_batches
from geoservice.sample_city.plan import CityPlan, plan_city
from geoservice.sample_city.roads import SCHEMA as ROAD_SCHEMA
from geoservice.sample_city.roads import road_batches, service_blocks
from geoservice.sample_city.sea_parcels import sea_parcels
from geoservice.sample_city.street_names import Gazetteer
from geoservice.sample_city.survey_files import ENCODING, lines_file, points_file, write_survey
from geoservice.sample_city.usage import FACILITIES_FILE
from geoservice.sample_city.vector_files import write_geojson, write_shapefile

Progress = Callable[[str, int, int], None]

ROADS_FILE = "roads.geojson"
PARCELS_PER_FILE = 3_000_000
"""Keeps each part of a shapefile below 1.5 GB; a parcel takes at most about 500 bytes."""


def write_sample_city(
    directory: Path, *, features: int, seed: int, progress: Progress | None = None
) -> Manifest:
    """Write a made-up but lifelike Shenzhen.

    Args:
        directory: Where to write; made when missing, files of the same names are replaced.
        features: Rows of all layers together, 500 to 20,000,000; met exactly.
        seed: Same seed and number of features, same files.
        progress: Called with the layer, the rows written of it and the rows that it will have.

    Returns:
        What was written; also written as manifest.json.

    Raises:
        InvalidParameter: ``features`` is out of range.
    """
    areas_count = 1 + sum(1 + len(places) for _, _, places in DISTRICTS)
    plan = plan_city(features, seed, areas_count)
    directory.mkdir(parents=True, exist_ok=True)
    writer = _Writer(directory, plan, progress or _no_progress)
    manifest = writer.write_all(features)
    manifest.write(directory)
    return manifest


def _no_progress(_layer: str, _done: int, _total: int) -> None:
    """Report to nobody."""


class _Writer:
    """Writes the files of one plan, one method a layer, and notes them for the manifest."""

    def __init__(self, directory: Path, plan: CityPlan, progress: Progress) -> None:
        self.directory = directory
        self.plan = plan
        self.gazetteer = Gazetteer(plan)
        self.progress = progress
        self.files: list[ManifestFile] = []

    def write_all(self, features: int) -> Manifest:
        self._districts()
        self._terrain()
        self._roads()
        self._parcels()
        self._survey()
        self._structures()
        facilities = place_facilities(self.plan)
        rows = write_facilities(self.directory, self.plan, self.gazetteer, facilities)
        self._note(FACILITIES_FILE, "facilities", rows, "GCJ-02", "UTF-8")
        self.progress("facilities", rows, rows)
        rows, instants = write_observations(self.directory, self.plan, facilities)
        self.files.append(ManifestFile(OBSERVATIONS_FILE, "observations", rows, "", "UTF-8", ()))
        self.progress("observations", rows, rows)
        return Manifest(self.plan.seed, features, instants, tuple(self.files))

    def _note(self, path: str, layer: str, rows: int, crs: str, encoding: str) -> None:
        """Add a file to the manifest with the options that a loader cannot find out itself."""
        options: tuple[str, ...] = ()
        if path.endswith((".csv", ".shp")):
            options = ("--crs", crs)
        if encoding not in ("", "UTF-8"):
            options += ("--encoding", encoding)
        self.files.append(ManifestFile(path, layer, rows, crs, encoding, options))

    def _districts(self) -> None:
        quads = self.plan.lattice.quads
        areas = build_areas(quads, street_of_points(quads.mean(axis=1)))
        rows = write_districts(self.directory, areas)
        self._note(DISTRICTS_FILE, "districts", rows, "EPSG:4490", "")
        self.progress("districts", rows, rows)

    def _terrain(self) -> None:
        cells = write_terrain(self.directory, self.plan)
        self._note(TERRAIN_FILE, "terrain", cells, "EPSG:4547", "")
        self.progress("terrain", cells, cells)

    def _structures(self) -> None:
        rows = write_structures(self.directory, self.plan.structures)
        self._note(STRUCTURES_FILE, "underground_structures", rows, "EPSG:4490", "")
        self.progress("underground_structures", rows, rows)

    def _roads(self) -> None:
        rows = len(self.plan.edges) + len(service_blocks(self.plan))
        batches = road_batches(self.plan, self.gazetteer)
        write_geojson(self.directory / ROADS_FILE, ROAD_SCHEMA, batches)
        self._note(ROADS_FILE, "roads", rows, "EPSG:4326", "UTF-8")
        self.progress("roads", rows, rows)

    def _parcels(self) -> None:
        """One shapefile a district, in parts when there are very many; sea parcels in the last."""
        parcels = self.plan.lots.parcels
        total = int(parcels[self.plan.blocks].sum()) + self.plan.sea_parcels
        sea_codes, sea = sea_parcels(self.plan, self.gazetteer)
        items = self.gazetteer.admin_streets
        districts = np.array([item.district_code for item in items])[self.gazetteer.admin_of_cell]
        of_block = districts[self.plan.graph.blocks.cell[self.plan.blocks]]
        done = 0
        for code, _, _ in DISTRICTS:
            own_sea = sea.filter(np.array(sea_codes, object) == code)
            for path, blocks in self._parts(code, self.plan.blocks[of_block == code]):
                rows = int(parcels[blocks].sum()) + own_sea.num_rows
                if rows == 0:
                    continue
                batches = parcel_batches(self.plan, self.gazetteer, blocks)
                rows_of_file = chain(batches, [own_sea])
                write_shapefile(self.directory / path, PARCEL_SCHEMA, rows_of_file)
                self._note(path, "parcels", rows, "EPSG:4547", "GBK")
                done += rows
                own_sea = own_sea.slice(0, 0)
                self.progress("parcels", done, total)

    def _parts(self, code: str, blocks: Ints) -> list[tuple[str, Ints]]:
        """Names of a district's parcel files and the blocks that go into each."""
        rows = np.cumsum(self.plan.lots.parcels[blocks])
        part = (rows - 1) // PARCELS_PER_FILE if len(rows) else rows
        count = int(part.max(initial=0)) + 1
        if count == 1:
            return [(f"宗地_{code}.shp", blocks)]
        return [(f"宗地_{code}_{n + 1}.shp", blocks[part == n]) for n in range(count)]

    def _survey(self) -> None:
        total = sum(
            int(main.rows.sum() + np.isfinite(main.junction_distance).sum())
            for main in self.plan.mains
        )
        done = 0

        def on_rows(count: int) -> None:
            nonlocal done
            done += count
            self.progress("pipelines", done, total)

        written = write_survey(self.directory, self.plan, self.gazetteer, on_rows=on_rows)
        for category, points, _ in written:
            self._note(points_file(category), "pipeline_nodes", points, "EPSG:4547", ENCODING)
        for category, _, lines in written:
            self._note(lines_file(category), "pipelines", lines, "EPSG:4547", ENCODING)
