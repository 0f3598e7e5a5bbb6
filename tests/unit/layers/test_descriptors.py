"""Every descriptor is whole: names, keys, aliases, codes and clearances fit each other."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest

import layers
from layers.access import Clearance
from layers.base import Layer
from layers.errors import UnknownLayer
from layers.registry import LAYERS, get_layer, layers_at
from layers.tables import VERSION_COLUMNS, held_table

each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)

GRIDS = {"WebMercatorQuad", "WorldCRS84Quad"}


def test_every_module_that_defines_a_layer_is_registered() -> None:
    modules = [import_module(f"layers.{m.name}") for m in pkgutil.iter_modules(layers.__path__)]

    defined = {module.LAYER.name for module in modules if hasattr(module, "LAYER")}

    assert {layer.name for layer in LAYERS} == defined


@each_layer
def test_names_are_plain_and_free(layer: Layer) -> None:
    names = [layer.name, *(attribute.name for attribute in layer.attributes)]

    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) for name in names)
    assert len(layer.attributes) == len({a.name for a in layer.attributes})
    assert not {a.name for a in layer.attributes} & {*VERSION_COLUMNS, "geom", "geom_3857"}
    assert layer.name not in GRIDS


@each_layer
def test_what_a_descriptor_refers_to_exists(layer: Layer) -> None:
    named: set[str | None] = {name for key in layer.natural_keys for name in key}
    named |= {layer.style.color_by, layer.style.label, layer.valid_from, layer.knn_by}
    named.add(layer.lookup_by)
    named |= {layer.row_clearance.attribute} if layer.row_clearance else set()
    named |= {a.derived.attribute for a in layer.attributes if a.derived}

    assert named - {None} <= set(layer.attribute)
    if layer.end_nodes:
        assert layer.end_nodes.layer in {other.name for other in LAYERS}


@each_layer
def test_what_the_style_needs_is_in_tiles_and_coded(layer: Layer) -> None:
    if layer.style.color_by:
        colored = layer.attribute[layer.style.color_by]
        assert colored.in_tile
        assert colored.codes is not None
        assert any(code.color for code in colored.codes.codes)
    if layer.style.label:
        assert layer.attribute[layer.style.label].in_tile


@each_layer
def test_everything_has_titles_in_both_languages(layer: Layer) -> None:
    titles = [layer.title, layer.description, layer.group]
    titles += [attribute.title for attribute in layer.attributes]

    assert all(title.en and re.search(r"[\u4e00-\u9fff]", title.zh) for title in titles)


@each_layer
def test_an_alias_means_one_attribute(layer: Layer) -> None:
    words = [word.casefold() for a in layer.attributes for word in {a.name, *a.aliases}]

    assert len(words) == len(set(words))


@each_layer
def test_the_table_has_a_column_for_every_attribute(layer: Layer) -> None:
    columns = set(held_table(layer).columns.keys())

    assert {a.name for a in layer.attributes} | set(VERSION_COLUMNS) <= columns
    assert {"valid_during", "recorded_during", "geom", "geom_3857"} <= columns


def test_the_public_knows_of_no_pipes() -> None:
    assert not {"pipelines", "pipeline_nodes"} & {x.name for x in layers_at(Clearance.PUBLIC)}
    with pytest.raises(UnknownLayer):
        get_layer("pipelines", Clearance.PUBLIC)


def test_gas_power_and_unknown_pipes_are_restricted() -> None:
    rule = get_layer("pipelines").row_clearance
    assert rule is not None

    levels = {code: rule.of(code) for code in ("JS", "PS", "RQ", "DL", "TX", "GY", "QT", None)}

    open_to_government = {code for code, level in levels.items() if level <= Clearance.GOVERNMENT}
    assert {"JS", "PS"} == open_to_government


def test_parcel_holders_are_open_to_government_only() -> None:
    parcels = get_layer("parcels")

    assert Clearance.GOVERNMENT == parcels.clearance_of(parcels.attribute["holder"])
