"""Documents of the Web Map Tile Service 1.0.0 (OGC 07-057r7): capabilities and exceptions."""

from tiles.wmts.capabilities import WmtsLayer, WmtsService, capabilities
from tiles.wmts.exceptions import exception_report

__all__ = ["WmtsLayer", "WmtsService", "capabilities", "exception_report"]
