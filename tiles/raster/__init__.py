"""Rasters as pictures and figures: tiles, values at a place, along a line and over an area.

Pixels come from Cloud-Optimized GeoTIFFs that the loads of this installation wrote, by paths that
the caller makes from the catalogue. Nothing here opens a file that a user names.
"""
