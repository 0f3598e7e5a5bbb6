"""What tiles hold, of our own encoder and of the public fixtures of Mapbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from tiles.encode import TileFeature, encode_layer
from tiles.inspection import inspect_tile
from tiles.vector import TileOptions

GIGANTIC = "057"
"""Valid by the letter, and claims more positions than it has."""


def test_a_tile_is_told_layer_by_layer() -> None:
    features = [TileFeature(7, shapely.LineString([(0, 0), (9, 9)]), {"name": "滨海"})]
    content = encode_layer("roads", features, TileOptions()) + encode_layer(
        "facilities", [TileFeature(8, shapely.Point(1, 2))], TileOptions()
    )

    roads, facilities = inspect_tile(content)

    assert ("roads", "facilities") == (roads.name, facilities.name)
    assert (2, 4096) == (roads.version, roads.extent)
    assert (7, "LineString", 2) == (
        roads.features[0].feature_id,
        roads.features[0].geometry_type,
        roads.features[0].vertices,
    )
    assert {"name": "滨海"} == roads.features[0].properties
    assert roads.byte_count + facilities.byte_count < len(content)


def test_an_empty_tile_has_no_layers() -> None:
    assert () == inspect_tile(b"")


@pytest.mark.parametrize("content", [b"no tile", b"\x1a\x05hello", b"\x1f\x8b\x08\x00"])
def test_what_is_no_tile_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"tile|layer"):
        inspect_tile(content)


def fixtures(shared_data: Path) -> dict[str, tuple[bytes, dict[str, Any], dict[str, Any]]]:
    """Each public fixture: the tile, what it is made of, and what is said of it."""
    found = {}
    for folder in sorted((shared_data / "07_mvt" / "fixtures").iterdir()):
        info, made_of = (json.loads((folder / f"{n}.json").read_text()) for n in ("info", "tile"))
        found[folder.name] = ((folder / "tile.mvt").read_bytes(), made_of, info)
    return found


def test_public_fixtures_that_are_valid_decode_as_they_say(shared_data: Path) -> None:
    valid = {
        number: (content, made_of)
        for number, (content, made_of, info) in fixtures(shared_data).items()
        if info["validity"]["v2"] is True and number != GIGANTIC
    }

    for number, (content, made_of) in valid.items():
        layers = inspect_tile(content)

        expected = [
            (one["name"], len(one.get("features", []))) for one in made_of.get("layers", [])
        ]
        assert expected == [(one.name, len(one.features)) for one in layers], number
        for layer, source in zip(layers, made_of.get("layers", []), strict=True):
            for feature, encoded in zip(layer.features, source.get("features", []), strict=True):
                values = [next(iter(value.values())) for value in source["values"]]
                tags = encoded.get("tags", [])
                properties = {
                    source["keys"][key]: values[value]
                    for key, value in zip(tags[::2], tags[1::2], strict=True)
                }
                assert list(properties) == list(feature.properties), number
                assert encoded.get("id", 0) == feature.feature_id, number
    assert len(valid) > 40


def test_public_fixtures_that_are_invalid_are_refused_or_read_never_a_fault(
    shared_data: Path,
) -> None:
    refused = []
    for number, (content, _, _) in fixtures(shared_data).items():
        try:
            inspect_tile(content)
        except ValueError:
            refused.append(number)

    # Wire types that are wrong, no name, a version that is none, tags that lead nowhere.
    assert {"005", "012", "014", "015", "023", "040", "042", "045"} <= set(refused)
