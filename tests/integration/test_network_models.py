"""Models of pipe networks in the database: pipes that find their nodes, heights where known."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from layers.registry import get_layer
from layers.roles import Role
from loaders import LoadOptions, LoadReport, load
from loaders.mapping import Mapping
from tests.support import City
from tests.unit.loaders.test_network_models import SWMM


def load_model(city: City, layer: str, path: Path) -> LoadReport:
    """Load the part of a model that fits a layer, as sewers."""
    options = LoadOptions(
        city=city.settings.city.frame(), crs="EPSG:4547", mapping=Mapping(constants={"kind": "WS"})
    )
    with city.address.connect_loader() as connections:
        return load(connections, get_layer(layer), [path], options)


def test_a_model_loads_into_nodes_and_pipes_with_the_elevation_of_the_axis(
    city: City, tmp_path: Path
) -> None:
    model = SWMM.format(units="CMS", offsets="DEPTH", inlet="0.5")
    for x, y in (("0    0", "505000 2495000"), ("100  0", "505100 2495000")):
        model = model.replace(x, y)
    model = model.replace("100  50", "505100 2495050").replace("200  50", "505200 2495050")
    path = tmp_path / "sewer.inp"
    path.write_text(model.replace("C1      75   0", "C1 505075 2495000"), encoding="utf-8")

    nodes, pipes = (load_model(city, layer, path) for layer in ("pipeline_nodes", "pipelines"))

    assert (4, 0) == (nodes.new, nodes.rejected), nodes.examples
    assert (4, 0) == (pipes.new, pipes.rejected), pipes.examples
    statement = """
        SELECT code, category, diameter_mm, section, start_node, z_source,
               ST_Z(ST_StartPoint(geom)) AS z FROM pipelines ORDER BY code"""
    with city.address.connect(Role.READ_GOVERNMENT) as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
        ground = connection.execute(
            text("SELECT ground_elevation_m, well_depth_m FROM pipeline_nodes WHERE code = '007'")
        ).one()
    assert ("C1", "PS", 1000, None, "007", "file", 11) == found[0]
    assert ("C2", "PS", None, "3000x2000", "8", "file", 10) == found[1]
    assert ["unknown", "unknown"] == [row[5] for row in found[2:]]
    assert (13, 3) == tuple(ground)
