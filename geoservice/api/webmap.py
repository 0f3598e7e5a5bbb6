"""The web map: static files built from ``geoservice/web``, which ask no other host for anything."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from layers.errors import NotFoundError

DIST = Path(__file__).parents[1] / "web" / "dist"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

router = APIRouter(include_in_schema=False)


@router.get("/map")
@router.get("/map/")
async def map_page() -> Response:
    """The page of the map."""
    page = DIST / "index.html"
    if not page.is_file():
        message = "the web map has not been built; run: make web"
        raise NotFoundError(message)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return FileResponse(page, headers=headers)


def mount_assets(app: FastAPI) -> None:
    """Serve the built scripts and styles, whose names change with their content."""
    app.mount("/map", StaticFiles(directory=DIST, check_dir=False), name="map")
