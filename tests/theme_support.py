"""Files for themes, made in tests, and what tests do with themes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from geoservice.theme_loading import ThemeLoad, load_theme
from layers.base import Layer
from layers.roles import Role
from layers.theme_documents import theme_document
from layers.themes import edit_theme, read_themes
from loaders import LoadOptions
from loaders.themes import ThemeRequest
from tests.support import City

Json = dict[str, Any]


def points_file(path: Path, rows: Sequence[Json]) -> Path:
    """A GeoJSON file of points; ``lon`` and ``lat`` of a row are its place."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
            "properties": {k: v for k, v in row.items() if k not in ("lon", "lat")},
        }
        for row in rows
    ]
    return geojson_file(path, features)


def geojson_file(path: Path, features: Sequence[Json]) -> Path:
    """A GeoJSON file of features."""
    document = {"type": "FeatureCollection", "features": list(features)}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def stations(count: int = 20, **more: Any) -> list[Json]:
    """Rows with Chinese columns: number, name, kind, height, day."""
    return [
        {
            "lon": 114.05 + 0.0001 * n,
            "lat": 22.55,
            "基站编号": f"B{n:03d}",
            "名称": f"基站{n}",
            "类型": ("宏站", "微站")[n % 2],
            "挂高(m)": 10 + n,
            "建成日期": f"2015-06-{n % 28 + 1:02d}",
            **more,
        }
        for n in range(count)
    ]


def load_file(
    city: City, name: str, *files: Path, crs: str | None = None, **said: Any
) -> ThemeLoad:
    """Load files into a theme, in process."""
    dry_run = said.pop("dry_run", False)
    options = LoadOptions(city=city.settings.city.frame(), crs=crs, dry_run=dry_run)
    return load_theme(city.address, ThemeRequest(name, **said), files, options)


def document_of(city: City, name: str) -> Json:
    """What is said of a theme now."""
    return theme_document(theme_of(city, name))


def theme_of(city: City, name: str) -> Layer:
    """A theme as the database holds it."""
    return next(theme for theme in themes_of(city) if theme.name == name)


def themes_of(city: City) -> tuple[Layer, ...]:
    """All themes as the database holds them."""
    with city.address.connect(Role.LOADER) as connection:
        return read_themes(connection)


def edit(city: City, name: str, document: Json, reason: str = "") -> Layer:
    """Make a theme what a document says."""
    with city.address.connect(Role.OWNER) as connection:
        edited = edit_theme(connection, name, document, reason=reason)
        connection.commit()
    return edited


def as_owner(city: City, statement: str) -> Any:
    """The one value of a statement."""
    with city.address.connect(Role.OWNER) as connection:
        return connection.execute(text(statement)).scalar()
