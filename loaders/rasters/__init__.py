"""Rasters: files of strangers in, Cloud-Optimized GeoTIFFs in a folder of ours out."""

from loaders.rasters.load import RasterOptions, RasterReport, load_raster, number_as_json
from loaders.rasters.store import RasterStore

__all__ = ["RasterOptions", "RasterReport", "RasterStore", "load_raster", "number_as_json"]
