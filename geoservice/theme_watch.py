"""Themes as a running worker knows them: read again within a second of any change of any theme.

Every change of a theme has a higher number than the one before, so asking whether anything has
changed is one look into one index. A name that nobody knows is asked for at once, so that a theme
can be used as soon as it is made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import structlog
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from geoservice.db import Database
from layers.base import Layer
from layers.errors import GeoserviceError
from layers.registry import is_known, use_themes
from layers.roles import Role
from layers.theme_documents import parse_theme
from layers.themes import IN_FORCE, LAST_EDIT

log = structlog.get_logger(__name__)

EVERY_S = 1.0
"""How often a worker asks whether a theme has changed."""

_AGAIN_AFTER_S = 0.2
"""How soon a name that is unknown may make it ask once more."""

_FAILURES = (SQLAlchemyError, psycopg.Error, OSError, GeoserviceError)


class ThemeWatch:
    """Keeps the themes of the process those of its database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_edit: int | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._held: Mapping[tuple[int, int], Layer] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ThemeWatch]:
        """Read the themes, and go on asking until the context ends."""
        use_themes(())
        await self._try()
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._try()

    async def _try(self) -> None:
        """Ask; where that fails, what was known stays known until the database answers again."""
        try:
            await self.refresh()
        except _FAILURES as error:
            log.warning("themes not read", error=type(error).__name__)

    async def refresh(self) -> None:
        """Ask whether a theme has changed, and read them if one has."""
        async with self._asking, self._database.write(Role.GATE) as connection:
            self._asked_at = time.monotonic()
            last_edit: int = (await connection.execute(LAST_EDIT)).scalar_one()
            if last_edit == self._last_edit:
                return
            rows = (await connection.execute(IN_FORCE)).all()
            # A theme that has not changed stays the same object: caches are by layer.
            self._held = {
                (row.theme_id, row.version): self._held.get((row.theme_id, row.version))
                or parse_theme(row.descriptor, row.theme_id, is_held=True)
                for row in rows
            }
            use_themes(self._held.values())
            self._last_edit = last_edit

    async def look_for(self, names: Iterable[str]) -> None:
        """Ask once more if one of some names is not known, but not for each of many such names."""
        if all(is_known(name) for name in names):
            return
        if time.monotonic() - self._asked_at >= _AGAIN_AFTER_S:
            await self._try()


def _named(path: Mapping[str, Any]) -> Iterator[str]:
    """The layers that the path of a request names."""
    if "layer" in path:
        yield path["layer"]
    yield from path.get("layers", "").split(",") if "layers" in path else ()


async def know_layers(request: Request) -> None:
    """Have the layers that a request names be known, if they were made a moment ago."""
    watch: ThemeWatch = request.app.state.themes
    await watch.look_for(_named(request.path_params))
