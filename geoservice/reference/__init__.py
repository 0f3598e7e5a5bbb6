"""Pages of the reference and ``.env.example``, written from what the code says of itself."""

from geoservice.reference.pages import ROOT, pages, write_pages

__all__ = ["ROOT", "pages", "write_pages"]
