"""Models of EPANET and SWMM: told apart, brought to metres, refused where they are not valid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely

from layers.city import CityFrame
from layers.errors import UnreadableSource
from layers.extent import BBox
from layers.registry import get_layer
from loaders.datasets import prepare
from loaders.options import LoadOptions
from loaders.reader import read

SHENZHEN = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
OPTIONS = LoadOptions(city=SHENZHEN)

EPANET = """[TITLE]
深圳市给水模型
[JUNCTIONS]
007   10    0
1.10  12    0
lost  12    0
[RESERVOIRS]
R     30
[TANKS]
T     20 1 0 5 10 0
[PIPES]
;ID Node1 Node2 Length Diameter Roughness MinorLoss Status
P1  R     007   {length}   {diameter}   100       0         Open
P2  007   1.10  100    {diameter}   100       0         CV
P3  1.10  lost  100    {diameter}   100       0         Closed
[PUMPS]
PU  007   T     POWER 5
[OPTIONS]
Units {units}
[COORDINATES]
007   500  100
1.10  600  100
R     400  100
T     500  200
[VERTICES]
P1    450  120
[END]
"""

SWMM = """[TITLE]
[OPTIONS]
FLOW_UNITS    {units}
LINK_OFFSETS  {offsets}
[JUNCTIONS]
;;Name  Elevation  MaxDepth
007     10         3
8       9          0
[OUTFALLS]
OUT     8          FREE
[STORAGE]
"S 1"   7          4     0  FUNCTIONAL 1000 0 0
[CONDUITS]
C1      007        8       100  0.013  {inlet}  0
C2      8          OUT     50   0.013  *        *
C3      OUT        "S 1"   50   0.013  0        0
[PUMPS]
PU      "S 1"      8       curve  ON  0  0
[XSECTIONS]
C1      CIRCULAR   1       0  0  0  1
C2      RECT_CLOSED 2      3  0  0  1
C3      IRREGULAR  river   0  0  0  1
[COORDINATES]
007     0    0
8       100  0
OUT     100  50
"S 1"   200  50
[VERTICES]
C1      75   0  ; three quarters of the way
"""


def rows(path: Path, layer: str, options: LoadOptions = OPTIONS) -> list[dict[str, Any]]:
    """The rows of a model that fit a layer."""
    (source,) = prepare(path, options, path.parent, get_layer(layer))
    with read(source, options.limits) as features:
        return [row for batch in features.batches for row in batch.to_pylist()]


def by_name(path: Path, layer: str, options: LoadOptions = OPTIONS) -> dict[str, dict[str, Any]]:
    """The same by their names."""
    return {row["name"]: row for row in rows(path, layer, options)}


def shape(row: dict[str, Any]) -> Any:
    """The geometry of a row."""
    return shapely.from_wkb(row["__geometry__"])


def epanet(folder: Path, **words: str) -> Path:
    """An EPANET model, metric unless said otherwise."""
    path = folder / "model.inp"
    values = {"units": "LPS", "length": "100", "diameter": "300"} | words
    path.write_text(EPANET.format(**values), encoding="utf-8")
    return path


def swmm(folder: Path, **words: str) -> Path:
    """A SWMM model, metric unless said otherwise."""
    path = folder / "model.inp"
    values = {"units": "CMS", "offsets": "DEPTH", "inlet": "0.5"} | words
    path.write_text(SWMM.format(**values), encoding="utf-8")
    return path


def test_nodes_of_epanet_keep_their_names_as_they_are_written(tmp_path: Path) -> None:
    nodes = by_name(epanet(tmp_path), "pipeline_nodes")

    assert {"007", "1.10", "lost", "R", "T"} == set(nodes)
    assert "10.0" == nodes["007"]["ground_elevation_m"]
    assert ("水源", "30.0", None) == tuple(
        nodes["R"][name] for name in ("appurtenance", "head_m", "ground_elevation_m")
    )
    assert shapely.Point(500, 100) == shape(nodes["007"])


def test_a_node_without_coordinates_is_nowhere_and_so_are_its_pipes(tmp_path: Path) -> None:
    path = epanet(tmp_path)

    assert by_name(path, "pipeline_nodes")["lost"]["__geometry__"] is None
    assert by_name(path, "pipelines")["P3"]["__geometry__"] is None


def test_links_of_epanet_run_from_node_to_node(tmp_path: Path) -> None:
    links = by_name(epanet(tmp_path), "pipelines")

    assert {"P1", "P2", "P3", "PU"} == set(links)
    assert shapely.LineString([(400, 100), (450, 120), (500, 100)]) == shape(links["P1"])
    assert not shapely.has_z(shape(links["P1"]))
    assert ("R", "007", "300.0", "100.0") == tuple(
        links["P1"][name] for name in ("start_node", "end_node", "diameter_mm", "length_m")
    )
    assert ["Open", "CheckValve", "Closed"] == [
        links[name]["initial_status"] for name in ("P1", "P2", "P3")
    ]
    assert links["PU"]["diameter_mm"] is None


@pytest.mark.parametrize(
    ("units", "length", "diameter"),
    [("GPM", "328.084", "11.8110236"), ("CMH", "100", "300"), ("MLD", "100", "300")],
)
def test_the_unit_of_flow_decides_on_all_units_of_epanet(
    tmp_path: Path, units: str, length: str, diameter: str
) -> None:
    links = by_name(epanet(tmp_path, units=units, length=length, diameter=diameter), "pipelines")

    assert pytest.approx(100, abs=1e-4) == float(links["P1"]["length_m"])
    assert pytest.approx(300, abs=1e-4) == float(links["P1"]["diameter_mm"])


def test_a_conduit_of_swmm_gets_the_elevation_of_its_axis(tmp_path: Path) -> None:
    links = by_name(swmm(tmp_path), "pipelines")

    c1 = links["C1"]
    assert ("10.5", "9.0", "invert", "1000.0") == tuple(
        c1[name] for name in ("start_elevation_m", "end_elevation_m", "depth_ref", "diameter_mm")
    )
    assert [(0, 0, 11), (75, 0, 9.875), (100, 0, 9.5)] == list(shape(c1).coords)
    assert ("3000x2000", None) == (links["C2"]["section"], links["C2"]["diameter_mm"])
    assert [(100, 0, 10), (100, 50, 9)] == list(shape(links["C2"]).coords)


def test_a_shape_without_a_height_leaves_the_axis_unknown(tmp_path: Path) -> None:
    links = by_name(swmm(tmp_path), "pipelines")

    assert not shapely.has_z(shape(links["C3"]))
    assert ("8.0", "7.0") == (links["C3"]["start_elevation_m"], links["C3"]["end_elevation_m"])


def test_offsets_that_are_elevations_are_taken_as_such(tmp_path: Path) -> None:
    path = swmm(tmp_path, offsets="ELEVATION", inlet="10.25")

    links = by_name(path, "pipelines")

    assert "10.25" == links["C1"]["start_elevation_m"]
    assert ("9.0", "8.0") == (links["C2"]["start_elevation_m"], links["C2"]["end_elevation_m"])


def test_feet_of_swmm_come_out_in_metres(tmp_path: Path) -> None:
    path = swmm(tmp_path, units="CFS")

    assert "304.8" == by_name(path, "pipelines")["C1"]["diameter_mm"]
    nodes = by_name(path, "pipeline_nodes")
    assert ("3.9624", "0.9144") == (
        nodes["007"]["ground_elevation_m"],
        nodes["007"]["well_depth_m"],
    )


def test_nodes_of_swmm_know_the_ground_where_they_know_their_depth(tmp_path: Path) -> None:
    nodes = by_name(swmm(tmp_path), "pipeline_nodes")

    assert {"007", "8", "OUT", "S 1"} == set(nodes)
    assert ("13.0", None) == (nodes["007"]["ground_elevation_m"], nodes["8"]["ground_elevation_m"])
    assert ("出水口", "调蓄池") == (nodes["OUT"]["appurtenance"], nodes["S 1"]["appurtenance"])


def test_a_model_in_gb18030_is_read(tmp_path: Path) -> None:
    path = epanet(tmp_path)
    path.write_bytes(path.read_text(encoding="utf-8").replace("007", "水厂").encode("gb18030"))

    assert "水厂" in by_name(path, "pipeline_nodes")


BROKEN = [
    (EPANET, "P2  007   1.10", "P2  007   none", "is not a valid model"),
    (EPANET, "Units {units}", "Units furlongs", "is not a valid model"),
    (EPANET, "007   10 ", "007   high ", "is not a valid model"),
    (EPANET, "[PIPES]", "[PIPERS]", "is not a valid model"),
    (SWMM, "C2      8          OUT", "C2      8          none", "conduit C2 ends at none"),
    (SWMM, "C2      8  ", "C1      8  ", "link C1 is given more than once"),
    (SWMM, "FLOW_UNITS    {units}", "FLOW_UNITS    GALLONS", "'GALLONS' is no unit of flow"),
    (SWMM, "007     10 ", "007     high ", "'high' of InvertElev of 007 is no number"),
    (SWMM, "OUT     100  50", "OUT     nan  50", "'nan' of the position of OUT is no number"),
]


@pytest.mark.parametrize(("model", "old", "new", "reason"), BROKEN, ids=[b[2] for b in BROKEN])
def test_a_model_that_is_not_valid_is_refused_with_the_reason(
    tmp_path: Path, model: str, old: str, new: str, reason: str
) -> None:
    words = {"units": "CMS", "length": "1", "diameter": "1", "offsets": "DEPTH", "inlet": "0"}
    path = tmp_path / "a.inp"
    path.write_text(model.replace(old, new).format(**words), encoding="utf-8")

    with pytest.raises(UnreadableSource, match=reason) as refusal:
        rows(path, "pipelines")

    assert str(tmp_path) not in str(refusal.value)


def test_another_file_of_that_extension_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "abaqus.inp"
    path.write_text("*HEADING\n[NODE]\n1, 0, 0\n")

    with pytest.raises(UnreadableSource, match="no model of EPANET or SWMM; its sections: NODE"):
        rows(path, "pipelines")


COUNTS = [
    ("water_Net3.inp", 97, 119),
    ("water_ky4.inp", 964, 1158),
    ("water_exnet-3.inp", 1893, 2467),
    ("sewer_model_full_features_network_xy.inp", 9, 9),
    ("sewer_model_state_plane.inp", 45, 44),
    ("sewer_test_inlet_drains.inp", 20, 23),
]


@pytest.mark.parametrize(("name", "nodes", "links"), COUNTS)
def test_a_real_model_has_its_known_nodes_and_links(
    tmp_path: Path, shared_data: Path, name: str, nodes: int, links: int
) -> None:
    path = tmp_path / name
    path.write_bytes((shared_data / "02_utility_networks" / name).read_bytes())

    found = [rows(path, layer) for layer in ("pipeline_nodes", "pipelines")]

    assert [nodes, links] == [len(some) for some in found]
    assert all(row["__geometry__"] for some in found for row in some)


def test_the_real_invalid_model_is_refused(tmp_path: Path, shared_data: Path) -> None:
    path = tmp_path / "model.inp"
    path.write_bytes((shared_data / "02_utility_networks/sewer_invalid_model.inp").read_bytes())

    with pytest.raises(UnreadableSource, match="InvalidLink2 ends at NonExistantNode2"):
        rows(path, "pipelines")


def test_a_real_model_says_what_the_geojson_of_the_same_network_says(
    tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "02_utility_networks"
    path = tmp_path / "ky4.inp"
    path.write_bytes((folder / "water_ky4.inp").read_bytes())
    pipes = json.loads((folder / "water_ky4_pipes.geojson").read_text())["features"]
    junctions = json.loads((folder / "water_ky4_junctions.geojson").read_text())["features"]

    links, nodes = by_name(path, "pipelines"), by_name(path, "pipeline_nodes")

    for known in pipes:
        said, found = known["properties"], links[known["properties"]["name"]]
        assert (said["start_node_name"], said["end_node_name"]) == (
            found["start_node"],
            found["end_node"],
        )
        assert pytest.approx(said["diameter"] * 1000, abs=1e-5) == float(found["diameter_mm"])
        assert pytest.approx(said["length"], abs=1e-5) == float(found["length_m"])
        assert shapely.equals_exact(
            shapely.geometry.shape(known["geometry"]), shape(found), tolerance=1e-6
        )
    for known in junctions:
        found = nodes[known["properties"]["name"]]
        elevation = float(found["ground_elevation_m"])
        assert pytest.approx(known["properties"]["elevation"], abs=1e-5) == elevation
    assert (1156, 959) == (len(pipes), len(junctions))


def test_the_layer_of_a_model_may_be_named(tmp_path: Path) -> None:
    path = epanet(tmp_path)
    options = replace(OPTIONS, source_layer="nodes")

    assert "007" in by_name(path, "facilities", options)
