"""Rows in, tiles out: vector tiles, TileJSON and map styles, all made from layer descriptors."""

__all__: list[str] = []
