"""EPANET models through wntr, which brings every unit to metres."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from .networks import Link, Model, Node, Position
from .stream import Refused

_MM_PER_M = 1000.0


def read_epanet(path: str, sections: Mapping[str, list[list[str]]]) -> Model:
    """The network of an EPANET model.

    Raises:
        Refused: it is not valid, or the libraries are not installed.
    """
    network = _network(path)
    # wntr puts a node without coordinates at 0, 0.
    placed = {words[0] for words in sections.get("COORDINATES", ())}
    nodes = [_node(node, name in placed) for name, node in network.nodes()]
    return Model(nodes, [_link(link) for _, link in network.links()])


def _network(path: str) -> Any:
    try:
        from wntr.epanet.io import InpFile
    except ImportError as error:
        message = "needs the libraries of the extra `networks`, which are not installed"
        raise Refused(message) from error
    logging.getLogger("wntr").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return InpFile().read(path)
    except Exception as error:  # whatever comes out of a library that trusts its input
        # The first says only that there is an error; what it is says its cause.
        said = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        message = f"is not a valid model: {said[:300]}"
        raise Refused(message) from error


def _node(node: Any, is_placed: bool) -> Node:
    kind = node.node_type.casefold()
    values: dict[str, float | str | None] = {}
    if kind == "reservoir":
        values["head_m"] = node.base_head
    else:
        values["ground_elevation_m"] = node.elevation
    return Node(node.name, kind, _position(node.coordinates) if is_placed else None, values)


def _position(coordinates: Any) -> Position:
    x, y = coordinates
    return float(x), float(y)


def _link(link: Any) -> Link:
    kind = link.link_type.casefold()
    diameter = getattr(link, "diameter", None)
    values: dict[str, float | str | None] = {
        "diameter_mm": diameter * _MM_PER_M if diameter else None,
        "length_m": getattr(link, "length", None),
        "roughness": getattr(link, "roughness", None),
        "initial_status": link.initial_status.name,
    }
    if getattr(link, "check_valve", False):
        values["initial_status"] = "CheckValve"
    ends = (link.start_node_name, link.end_node_name)
    return Link(link.name, kind, *ends, [_position(v) for v in link.vertices], values)
