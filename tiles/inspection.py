"""What a tile holds, for people: decoded with ``mapbox-vector-tile``, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from google.protobuf.message import DecodeError
from mapbox_vector_tile import decode
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from shapely.errors import ShapelyError
from shapely.geometry import shape

SUPPORTED_VERSIONS = (1, 2)


@dataclass(frozen=True)
class InspectedFeature:
    """One feature of a tile.

    Attributes:
        vertices: How many positions its geometry has.
    """

    feature_id: int
    geometry_type: str
    vertices: int
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class InspectedLayer:
    """One layer of a tile.

    Attributes:
        byte_count: Of the encoded layer, before compression.
        extent: Units across the tile.
    """

    name: str
    version: int
    extent: int
    byte_count: int
    features: tuple[InspectedFeature, ...]


def inspect_tile(content: bytes) -> tuple[InspectedLayer, ...]:
    """The layers of a tile that is not compressed; none of an empty one.

    Raises:
        ValueError: it is no vector tile.
    """
    try:
        message = vector_tile_pb2.tile.FromString(content)
        return tuple(_layers(message))
    except (DecodeError, AssertionError, IndexError, KeyError, TypeError, ShapelyError) as error:
        text = f"this is no vector tile: {type(error).__name__}"
        raise ValueError(text) from error


def _layers(message: Any) -> Iterator[InspectedLayer]:
    names = set()
    for layer in message.layers:
        if not layer.HasField("name") or layer.name in names:
            text = "a layer has no name, or the name of another"
            raise ValueError(text)
        if not layer.HasField("version") or layer.version not in SUPPORTED_VERSIONS:
            text = f"there is no version {layer.version} of vector tiles"
            raise ValueError(text)
        names.add(layer.name)
        features = tuple(_features(layer))
        yield InspectedLayer(layer.name, layer.version, layer.extent, layer.ByteSize(), features)


def _features(layer: Any) -> Iterator[InspectedFeature]:
    unknown = [feature.type == vector_tile_pb2.tile.Unknown for feature in layer.features]
    alone = vector_tile_pb2.tile(layers=[layer])
    for feature in alone.layers[0].features:
        # The decoder knows no feature without a type, which MVT 2.1 allows (4.3.4).
        feature.type = feature.type or vector_tile_pb2.tile.Point
    decoded = decode(alone.SerializeToString(), default_options={"y_coord_down": True})
    for feature, is_unknown in zip(decoded[layer.name]["features"], unknown, strict=True):
        geometry = feature["geometry"]
        yield InspectedFeature(
            feature_id=feature["id"],
            geometry_type="Unknown" if is_unknown else geometry["type"],
            vertices=int(shapely.get_num_coordinates(shape(geometry))),
            properties=feature["properties"],
        )
