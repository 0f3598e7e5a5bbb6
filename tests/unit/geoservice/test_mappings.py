"""Saved mappings, and the command that checks a file, without a database."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely
from typer.testing import CliRunner

from geoservice.cli import app
from geoservice.cli.mappings import read_mapping
from geoservice.mappings import MappingStore, is_name
from layers.errors import InvalidMapping
from loaders.mapping import Mapping

TEXT = "# of the water company\ncolumns:\n  code: GXBH\n"


@pytest.fixture
def store(tmp_path: Path) -> MappingStore:
    return MappingStore(tmp_path / "mappings")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of an installation whose mappings are below the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEOSERVICE_LOAD__MAPPINGS_FOLDER", str(tmp_path / "mappings"))
    return CliRunner()


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "office.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_saved_mapping_comes_back_with_its_comments(store: MappingStore, tmp_path: Path) -> None:
    store.save("水务集团", written(tmp_path))

    assert store.names() == ["水务集团"]
    assert store.text("水务集团") == TEXT
    assert store.mapping("水务集团") == Mapping({"code": "GXBH"})


def test_saving_again_replaces_and_removing_removes(store: MappingStore, tmp_path: Path) -> None:
    store.save("office", written(tmp_path))
    store.save("office", written(tmp_path, "columns:\n  code: B\n"))
    assert store.mapping("office").columns == {"code": "B"}

    store.remove("office")

    assert store.names() == []


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a.yaml", "-x", "a b", "x" * 61, "a\0"])
def test_a_name_is_no_path(store: MappingStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidMapping, match="name of a mapping"):
        store.save(name, written(tmp_path))
    assert not is_name(name)


def test_what_is_no_mapping_is_not_saved(store: MappingStore, tmp_path: Path) -> None:
    for text in ("colums: {}", "[]", "a: [", "&a [*a, *a]", "!!python/object:os.system {}"):
        with pytest.raises(InvalidMapping):
            store.save("office", written(tmp_path, text))
    assert store.names() == []


def test_an_unknown_name_is_refused_with_those_that_are_known(
    store: MappingStore, tmp_path: Path
) -> None:
    store.save("office", written(tmp_path))

    with pytest.raises(InvalidMapping, match="saved: office"):
        store.mapping("other")


def test_what_is_said_later_stands_over_what_is_said_before(
    store: MappingStore, tmp_path: Path
) -> None:
    store.save("office", written(tmp_path, "columns: {code: A, kind: K}\nnodata: [x]\n"))
    second = written(tmp_path, "columns: {code: B}\n")

    found = read_mapping(["office", str(second), "kind=管类"], ["status=0"], store.folder)

    assert found == Mapping({"code": "B", "kind": "管类"}, {}, {"status": "0"}, nodata=("x",))


def test_mappings_are_kept_from_the_command_line(cli: CliRunner, tmp_path: Path) -> None:
    written(tmp_path)

    assert cli.invoke(app, ["mappings", "save", "office", "office.yaml"]).exit_code == 0
    assert "office" in cli.invoke(app, ["mappings", "list"]).output
    assert cli.invoke(app, ["mappings", "show", "office"]).output == TEXT
    assert cli.invoke(app, ["mappings", "remove", "office"]).exit_code == 0
    assert "office" not in cli.invoke(app, ["mappings", "list"]).output


TABLE = (
    "管线编号,管类,起点点号,终点点号,管径,备注\n"
    + "".join(f"{n},给水,A{n},B{n},DN300,\n" for n in range(9))
    + "9,给水,A9,B9,粗,\n"
)


def test_check_tells_what_a_file_holds_and_what_a_load_would_reject(
    cli: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "lines.csv").write_text(TABLE, encoding="gb18030")

    told = cli.invoke(app, ["check", "lines.csv"])

    assert told.exit_code == 0, told.output
    for words in ("10 rows", "gb18030", "as pipelines", "9 of 10 rows", "not_a_number", "备注"):
        assert words in told.output


def test_check_tells_the_same_as_json(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text(TABLE, encoding="utf-8")

    (found,) = json.loads(cli.invoke(app, ["check", "lines.csv", "--json"]).output)["data_sets"]

    assert found["rows"] == 10
    assert found["proposals"][0]["mapping"]["values"] == {"kind": {"给水": "JS"}}
    assert found["rehearsal"]["reasons"] == {"not_a_number": 1}


def test_check_writes_a_mapping_that_can_be_given_again(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text(TABLE, encoding="utf-8")

    first = cli.invoke(app, ["check", "lines.csv", "--write", "lines.yaml"])
    again = cli.invoke(app, ["check", "lines.csv", "--map", "lines.yaml", "--json"])
    over = cli.invoke(app, ["check", "lines.csv", "--write", "lines.yaml"])

    assert first.exit_code == 0, first.output
    mapping = read_mapping(["lines.yaml"], [], tmp_path)
    assert mapping.columns["diameter_mm"] == "管径"
    assert mapping.values == {"kind": {"给水": "JS"}}
    assert json.loads(again.output)["data_sets"][0]["rehearsal"]["rejected"] == 1
    assert over.exit_code != 0


def test_check_proposes_for_the_layer_that_is_named(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text("名称,lon,lat\n图书馆,114.05,22.54\n", encoding="utf-8")

    told = cli.invoke(app, ["check", "lines.csv", "--layer-as", "facilities", "--crs", "4490"])

    assert "as facilities" in told.output
    assert "1 of 1 rows" in told.output


def test_check_shows_why_a_load_would_be_refused(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text("名称,lon,lat\n图书馆,114.05,22.54\n", encoding="utf-8")

    told = cli.invoke(app, ["check", "lines.csv", "--layer-as", "facilities", "--crs", "2435"])

    assert told.exit_code == 0
    assert "refused" in told.output
    assert "survey office" in told.output.replace("\n", " ")


def two_layers(path: Path) -> None:
    """A GeoPackage with a layer of parcels and one of roads, EPSG:4490."""
    square = shapely.box(114.0, 22.5, 114.001, 22.501)
    line = shapely.LineString([(114.0, 22.5), (114.01, 22.51)])
    for layer, shape, kind, column in (
        ("地块", square, "Polygon", "宗地代码"),
        ("道路", line, "LineString", "道路名称"),
    ):
        written = pa.table({column: ["440304001001GB00001"], "geometry": [shape.wkb]})
        pyogrio.write_arrow(
            written,
            path,
            layer=layer,
            driver="GPKG",
            geometry_name="geometry",
            geometry_type=kind,
            crs="EPSG:4490",
            append=path.exists(),
        )


def test_check_looks_at_every_layer_of_a_file(cli: CliRunner, tmp_path: Path) -> None:
    two_layers(tmp_path / "city.gpkg")

    found = json.loads(cli.invoke(app, ["check", "city.gpkg", "--json"]).output)["data_sets"]

    assert {one["layer"]: one["proposals"][0]["layer"] for one in found} == {
        "地块": "parcels",
        "道路": "roads",
    }
    assert [one["rehearsal"]["rejected"] for one in found] == [0, 0]


def test_a_mapping_is_written_of_one_layer_only(cli: CliRunner, tmp_path: Path) -> None:
    two_layers(tmp_path / "city.gpkg")

    both = cli.invoke(app, ["check", "city.gpkg", "--write", "a.yaml"])
    one = cli.invoke(app, ["check", "city.gpkg", "--layer", "地块", "--write", "a.yaml"])

    assert both.exit_code != 0
    assert one.exit_code == 0, one.output
    assert read_mapping(["a.yaml"], [], tmp_path).columns == {"code": "宗地代码"}
    assert "--layer 地块" in (tmp_path / "a.yaml").read_text().replace("'", "")
