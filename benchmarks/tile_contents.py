"""What tiles hold: features counted and bytes summed, over all tiles of a trace."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mapbox_vector_tile.Mapbox.vector_tile_pb2 import tile as decoded_tile

_TIMEOUT_S = 120


@dataclass
class Contents:
    """Sums over tiles; bytes are those of uncompressed answers."""

    empty: int = 0
    features: int = 0
    body_bytes: int = 0
    largest_bytes: int = 0

    def add(self, body: bytes) -> None:
        """Take in one tile."""
        features = sum(len(layer.features) for layer in decoded_tile.FromString(body).layers)
        self.empty += features == 0
        self.features += features
        self.body_bytes += len(body)
        self.largest_bytes = max(self.largest_bytes, len(body))


def contents_of(base_url: str, paths: Sequence[str], headers: Mapping[str, str]) -> Contents:
    """The contents of the tiles at some paths of a server."""
    contents = Contents()
    for path in paths:
        request = urllib.request.Request(f"{base_url}{path}", headers=dict(headers))  # noqa: S310  # our own address
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # as above
            contents.add(answer.read())
    return contents
