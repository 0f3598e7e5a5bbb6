"""The HTTP application: everything put together, nothing decided here."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from geoservice import __version__
from geoservice.api import (
    alerts,
    asyncapi,
    availability,
    collections,
    excavation,
    features,
    feeds,
    health,
    loads,
    observations,
    ogc_tiles,
    parcel_transactions,
    parcels,
    pipe_network,
    pipe_statistics,
    queryables,
    raster_figures,
    raster_tiles,
    rasters,
    reports,
    sensorthings,
    separation,
    series,
    stream,
    styles,
    subscriptions,
    tiles,
    underground,
    uploads,
    webmap,
    wmts,
)
from geoservice.api.load_access import PATH as LOADS_PATH
from geoservice.api.parameters import refuse_unknown_parameters
from geoservice.auth import Gate
from geoservice.db import Database, DatabaseAddress
from geoservice.expectations import Expectations
from geoservice.hours import CityHours
from geoservice.middleware import BodyLimit, HeadAnswers, RequestContext
from geoservice.openapi import describe_problems
from geoservice.pipe_networks import PipeNetworks
from geoservice.problems import install_problem_handlers
from geoservice.protocol import READY_ANSWERS, ReadyAnswers
from geoservice.push.documents import chunk_maker
from geoservice.push.hub import EventHub
from geoservice.raster_cache import RasterCache
from geoservice.raster_service import RasterService
from geoservice.raster_work import RasterThreads
from geoservice.rates import Rates
from geoservice.settings import Settings
from geoservice.theme_watch import ThemeWatch, know_layers
from geoservice.tile_cache.hits import AnswerHits, TileHits
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_service import TileService
from geoservice.upkeep import Upkeep
from tiles.cache import CacheFolder

log = structlog.get_logger(__name__)

_PREFLIGHT_S = 7_200
"""How long a browser may remember what origins may ask; the longest that browsers keep to."""


def _raster_service(database: Database, keeper: CacheKeeper, settings: Settings) -> RasterService:
    said = settings.rasters
    threads = RasterThreads(said.threads, said.max_waiting, said.timeout_s)
    cache = RasterCache(database, keeper)
    return RasterService(database, settings.raster_folder, threads, cache, said.max_at_once)


def _prepare(app: FastAPI, settings: Settings) -> None:
    """What an application knows before it starts."""
    app.state.settings = settings
    app.state.stopping = False
    said = settings.observations
    app.state.observation_rates = Rates(said.per_second, said.burst)
    told = settings.reports
    app.state.report_rates = Rates(told.per_hour / 3_600, told.burst)
    app.state.report_salt = secrets.token_bytes(32)
    app.state.hours = CityHours(settings.city.time_zone, settings.city.country)
    app.state.expectations = Expectations(app.state.hours)
    app.state.separations = settings.city.separations()


def create_app(settings: Settings) -> FastAPI:
    """The application for one set of settings; opens connections only when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, ReadyAnswers]]:
        database = Database(DatabaseAddress(settings.database), settings.database.pool_size)
        app.state.database = database
        app.state.gate = gate = Gate(database)
        folder = CacheFolder(settings.tile_cache_folder, settings.tiles.cache_bytes)
        keeper = CacheKeeper(database, folder)
        app.state.tiles = TileService(database, keeper, settings.tiles)
        app.state.rasters = _raster_service(database, keeper, settings)
        sources = {"tiles": app.state.tiles, "rasters": app.state.rasters}
        app.state.hits = TileHits(gate, sources)
        app.state.pipe_networks = PipeNetworks(database)
        upkeep = Upkeep(database, settings, app.state.hours)
        form = chunk_maker(app.state.hours)
        hub = EventHub(database, form, settings.push.max_streams)
        async with (
            ThemeWatch(database).running() as app.state.themes,
            keeper.running(),
            upkeep.running(),
            hub.running() as app.state.hub,
        ):
            log.info("worker started", version=__version__)
            yield {READY_ANSWERS: app.state.hits}
            app.state.stopping = True
        app.state.rasters.close()
        await database.close()
        log.info("worker stopped")

    app = FastAPI(
        title=f"{settings.city.name_zh}时空信息云服务平台",
        summary="Layers of a city with their whole history, as features, tiles and live status.",
        version=__version__,
        openapi_url="/api",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    _prepare(app, settings)
    app.router.routes.extend(
        (*tiles.quick_routes, *raster_tiles.quick_routes, *availability.quick_routes)
    )
    every_route = [Depends(refuse_unknown_parameters), Depends(know_layers)]
    for module in (
        collections,
        features,
        queryables,
        tiles,
        ogc_tiles,
        styles,
        stream,
        availability,
        observations,
        subscriptions,
        reports,
        alerts,
        feeds,
        pipe_network,
        separation,
        excavation,
        pipe_statistics,
        uploads,
        loads,
        health,
        asyncapi,
        series,
        rasters,
        raster_tiles,
        raster_figures,
        parcel_transactions,
        parcels,
        underground,
    ):
        app.include_router(module.router, dependencies=every_route)
    # The options of a request are those of the set of entities that its path names.
    app.include_router(sensorthings.router)
    # Its standard has parameters that nobody knows passed over, and errors reported in XML.
    app.include_router(wmts.router)
    app.include_router(webmap.router)
    webmap.mount_assets(app)
    install_problem_handlers(app)
    describe_problems(app)
    app.add_middleware(
        BodyLimit,
        max_body_bytes=settings.http.max_body_bytes,
        uploads={
            LOADS_PATH: settings.load.max_upload_bytes,
            "/reports": settings.reports.max_photo_bytes + settings.http.max_body_bytes,
        },
    )
    app.add_middleware(HeadAnswers)
    app.add_middleware(AnswerHits)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.http.allowed_origins,
        allow_methods=("GET", "HEAD", "POST", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"),
        expose_headers=(
            "ETag",
            "Location",
            "X-Features-Left-Out",
            "X-Rasters-Left-Out",
            "X-Request-Id",
        ),
        max_age=_PREFLIGHT_S,
    )
    app.add_middleware(RequestContext)
    return app
