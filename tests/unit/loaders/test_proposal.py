"""Which columns may fill which attributes, and the file that says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely
import yaml

from layers.city import CityFrame
from layers.registry import LAYERS, get_layer
from loaders.inspection import Inspection, inspect
from loaders.mapping import parse_mapping
from loaders.mapping_files import write_mapping
from loaders.options import LoadOptions
from loaders.proposal import SURE, Match, Proposal, propose, propose_for
from loaders.rehearsal import rehearse

Inspector = Callable[..., Inspection]


@pytest.fixture
def look(tmp_path: Path, frame: CityFrame) -> Inspector:
    """Writes a table and looks at it: ``look(text, **options)``."""

    def look(text: str, **options: str) -> Inspection:
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        (found,) = inspect(path, LoadOptions(city=frame, **options), tmp_path)  # type: ignore[arg-type]  # texts only
        return found

    return look


def table(*header: str, rows: int = 20, **columns: list[str]) -> str:
    """A table with the key of a segment, and columns whose values are repeated."""
    names = ("起点点号", "终点点号", *header, *columns)
    lines = [",".join(names)]
    for n in range(rows):
        values = [values[n % len(values)] for values in columns.values()]
        lines.append(",".join((f"A{n}", f"B{n}", *("x" for _ in header), *values)))
    return "\n".join(lines) + "\n"


def matched(proposal: Proposal, attribute: str) -> Match:
    (found,) = (match for match in proposal.matches if match.attribute == attribute)
    return found


PIPELINES = get_layer("pipelines")


def test_a_file_tells_its_rows_columns_and_geometries(tmp_path: Path, frame: CityFrame) -> None:
    path = tmp_path / "lines.gpkg"
    shapes = [shapely.from_wkt("LINESTRING Z (114 22.5 1, 114.1 22.5 2)"), None]
    written = pa.table({"name": ["a", "b"], "geometry": shapely.to_wkb(shapes, output_dimension=3)})
    pyogrio.write_arrow(
        written,
        path,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="LineString Z",
        crs="EPSG:4490",
    )

    (found,) = inspect(path, LoadOptions(city=frame), tmp_path)

    assert found.rows == 2
    assert found.geometries == {"LineStringZ": 1, "None": 1}
    assert found.dimensions == {1}
    assert [column.name for column in found.columns] == ["name"]
    assert (found.crs.name, found.crs.share_inside) == ("EPSG:4490", 1.0)


def test_a_table_without_a_system_tells_which_would_fit(look: Inspector) -> None:
    found = look("物探点号,X,Y\n1,2493941.2,505955.8\n")

    assert found.crs.name is None
    assert found.crs.candidates[0].startswith("EPSG:4547/yx ")
    assert found.crs.assumed == "EPSG:4547/yx"
    assert found.dimensions == {0}


@pytest.mark.parametrize(
    ("text", "x", "y", "system"),
    [
        ("点,东距,北距\nA,505955.8,2493941.2\nB,506955.8,2494941.2\n", "东距", "北距", "EPSG:4547"),
        ("点,纵,横\nA,2493941.2,505955.8\nB,2494941.2,506955.8\n", "横", "纵", "EPSG:4547"),
        ("点,甲,乙\nA,38505955.8,2493941.2\nB,38506955.8,2494941.2\n", "甲", "乙", "EPSG:4526"),
        ("点,深,甲,乙\nA,1.5,114.05,22.54\nB,1.7,114.06,22.55\n", "甲", "乙", "EPSG:4490"),
    ],
)
def test_columns_of_positions_are_known_by_their_numbers(
    look: Inspector, text: str, x: str, y: str, system: str
) -> None:
    found = look(text).positions

    assert found is not None
    assert (found.x, found.y, found.systems[0]) == (x, y, system)


def test_other_numbers_are_no_positions(look: Inspector) -> None:
    assert look(table(起点埋深=["1.5", "2.5"], 终点埋深=["1.1", "2.2"])).positions is None
    assert look("物探点号,X,Y\n1,2493941.2,505955.8\n").positions is None


def test_a_system_that_is_refused_is_told_with_the_reason(look: Inspector) -> None:
    found = look("物探点号,X,Y\n1,2493941.2,505955.8\n", crs="EPSG:2435")

    assert found.crs.name == "EPSG:2435"
    assert "survey office" in found.crs.found


def test_known_names_are_sure_and_say_why(look: Inspector) -> None:
    proposal = propose_for(look(table(管径=["300", "400"])), PIPELINES)

    match = matched(proposal, "diameter_mm")
    assert match.confidence > 0.9
    assert match.reasons[0] == "its name is known: 管径"
    assert proposal.key == ("start_node", "end_node")


def test_names_that_are_alike_are_proposed_less_surely(look: Inspector) -> None:
    proposal = propose_for(look(table(道路名=["深南大道"], 管线权属单位=["水务集团"])), PIPELINES)

    road, owner = matched(proposal, "road_name"), matched(proposal, "owner")
    assert SURE <= road.confidence < 0.9
    assert SURE <= owner.confidence < 0.9
    assert owner.reasons == ("its name is like 权属单位",)


def test_letters_inside_a_word_are_no_name(look: Inspector) -> None:
    proposal = propose_for(look("centroid_x,lon,lat\n1.5,114,22.5\n"), get_layer("facilities"))

    assert "code" in proposal.unfilled


def test_values_of_a_code_list_speak_for_a_column_without_a_name(look: Inspector) -> None:
    proposal = propose_for(look(table(甲=["配水", "雨水", "污水"])), PIPELINES)

    match = matched(proposal, "kind")
    assert match.column == "甲"
    assert match.reasons == ("its values are those of the list pipe_kinds",)


def test_words_of_the_file_are_mapped_to_codes(look: Inspector) -> None:
    proposal = propose_for(look(table(管类=["给水", "雨水管道", "污水管", "JP"])), PIPELINES)

    match = matched(proposal, "kind")
    assert match.values == {"给水": "JS", "雨水管道": "YS", "污水管": "WS"}
    assert match.fitting == 1


def test_values_that_do_not_fit_lower_the_confidence(look: Inspector) -> None:
    good = propose_for(look(table(管径=["300"])), PIPELINES)
    bad = propose_for(look(table(管径=["粗", "细", "300"])), PIPELINES)

    assert matched(bad, "diameter_mm").confidence < matched(good, "diameter_mm").confidence
    assert "do not fit" in " ".join(matched(bad, "diameter_mm").reasons)


def test_numbers_that_look_like_metres_get_a_unit(look: Inspector) -> None:
    proposal = propose_for(look(table(管径=["0.3", "0.4", "1.2"])), PIPELINES)

    match = matched(proposal, "diameter_mm")
    assert match.unit == "m"
    assert match.fitting == 1
    assert proposal.mapping.units == {"diameter_mm": "m"}


def test_days_of_another_form_are_proposed_with_what_else_they_may_be(look: Inspector) -> None:
    unclear = propose_for(look(table(建设年代=["3/4/2016", "5/6/2016"])), PIPELINES)
    clear = propose_for(look(table(建设年代=["3/4/2016", "5/26/2016"])), PIPELINES)

    assert matched(unclear, "installed_on").warnings == ("it could also be: mdy",)
    assert matched(clear, "installed_on").dates == "mdy"


def test_a_column_is_proposed_once_and_the_rest_is_told(look: Inspector) -> None:
    proposal = propose_for(look(table("备注", 材质=["铸铁", "钢"], 管材=["铸铁", "钢"])), PIPELINES)

    used = [match.column for match in proposal.matches]
    assert len(used) == len(set(used))
    assert "备注" in proposal.unused
    assert {"材质", "管材"} & set(proposal.unused)


def test_the_layer_that_fits_best_comes_first(look: Inspector) -> None:
    lines = propose(look(table(管径=["300"], 材质=["铸铁"])), LAYERS)
    points = propose(look("物探点号,附属物,X,Y\n1,阀门,2493941.2,505955.8\n"), LAYERS)

    assert lines[0].layer.name == "pipelines"
    assert points[0].layer.name == "pipeline_nodes"
    assert "parcels" not in [proposal.layer.name for proposal in points]


def test_a_written_mapping_is_the_proposed_one(look: Inspector) -> None:
    text = table(
        管类=["给水", "a: #b", "配水"], 管径=["0.3"], 建设年代=["3/4/2016", "3/14/2016"], 特=["是"]
    )
    proposal = propose_for(look(text), PIPELINES)

    written = write_mapping(proposal, "of a\nfile: x", "geoservice load")

    assert parse_mapping(yaml.safe_load(written)) == proposal.mapping
    assert proposal.mapping.units
    assert proposal.mapping.dates
    assert "# of a file: x" in written
    assert "its name is known: 管类" in written


def test_columns_with_odd_names_survive_the_file(look: Inspector) -> None:
    text = (
        table(甲=["300"], 乙=["钢", "铸铁"]).replace("甲", "'管径: # (mm)").replace("乙", "- 材质")
    )
    proposal = propose_for(look(text), PIPELINES)

    found = parse_mapping(yaml.safe_load(write_mapping(proposal, "", "")))

    assert found.columns == proposal.mapping.columns
    assert "'管径: # (mm)" in found.columns.values()


def test_a_rehearsal_counts_what_a_load_would_reject(
    look: Inspector, tmp_path: Path, frame: CityFrame
) -> None:
    source = look(table(管类=["配水", "?!"], 管径=["300", "粗", "400"], rows=6)).source

    found = rehearse(PIPELINES, source, LoadOptions(city=frame), tmp_path)

    assert (found.read, found.rejected) == (6, 4)
    assert found.reasons == {"not_in_code_list": 3, "not_a_number": 2}
    assert found.examples[0].row == 2
    assert found.examples[0].column == "kind"


def test_everything_is_told_as_json(look: Inspector) -> None:
    found = look(table(管类=["给水"]))

    assert found.as_json()["rows"] == 20
    assert propose_for(found, PIPELINES).as_json()["layer"] == "pipelines"
