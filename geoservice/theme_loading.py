"""Loading into themes: the first file makes the theme, later ones may make its types wider.

Tables are made and changed by the owner, rows are published by the loader, so this wants both; it
runs in commands and jobs, never in a web worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from geoservice.db import DatabaseAddress
from layers.base import Layer
from layers.errors import InvalidParameter, ThemeExists, UnknownLayer
from layers.names import check_layer_name
from layers.registry import LAYERS, get_layer, use_themes
from layers.roles import Role
from layers.theme_documents import theme_document
from layers.themes import create_theme, drop_theme, edit_theme, read_themes
from loaders import LoadOptions, LoadReport, load
from loaders.options import NoProgress, Progress
from loaders.themes import InferredTheme, ThemeRequest, infer_theme, widen_theme


@dataclass(frozen=True)
class ThemeLoad:
    """What loading into a theme came to.

    Attributes:
        theme: As it is now, or would be after a dry run.
        is_new: Whether this load made it.
        notes: What was inferred or widened, for people.
        report: Of the rows; None for the dry run of a theme that there is not, or not so yet.
    """

    theme: Layer
    is_new: bool
    notes: tuple[str, ...]
    report: LoadReport | None


@contextmanager
def connect_knowing_themes(address: DatabaseAddress) -> Iterator[Connection]:
    """A connection of the loader; the layers of this process are those of its database."""
    with address.connect(Role.LOADER) as connection:
        use_themes(read_themes(connection))
        connection.rollback()
        yield connection


def refresh_themes(address: DatabaseAddress) -> None:
    """Have the layers of this process be those of the database."""
    with connect_knowing_themes(address):
        pass


def layer_named(address: DatabaseAddress, name: str) -> Layer:
    """The layer of a name, typed or a theme; the database is asked for themes only.

    Raises:
        UnknownLayer: there is none.
    """
    if not any(layer.name == name for layer in LAYERS):
        refresh_themes(address)
    return get_layer(name)


def load_theme(
    address: DatabaseAddress,
    request: ThemeRequest,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress | None = None,
) -> ThemeLoad:
    """Load files into a theme, which is made if there is none of that name.

    A theme whose first load comes to nothing is not kept.

    Raises:
        InvalidParameter: the name cannot be that of a theme, or the theme is there and the request
            says otherwise.
        SourceError: as ``loaders.load``, or the files cannot be a theme.
    """
    check_layer_name(request.name)
    theme = _find(address, request.name)
    if theme is not None:
        return _load_more(address, theme, request, files, options, progress)
    inferred = infer_theme(files, options, request)
    if options.dry_run:
        return ThemeLoad(inferred.layer, True, inferred.notes, None)
    try:
        theme = _create(address, inferred)
    except ThemeExists:
        # Somebody made it meanwhile; these files are its second load.
        theme = get_layer(request.name) if _find(address, request.name) else inferred.layer
        return _load_more(address, theme, request, files, options, progress)
    try:
        report = _load_rows(address, theme, files, options, progress)
    except BaseException:
        with address.connect(Role.OWNER) as connection:
            drop_theme(connection, theme.name, reason="its first load failed")
            connection.commit()
        refresh_themes(address)
        raise
    return ThemeLoad(theme, True, inferred.notes, report)


def _find(address: DatabaseAddress, name: str) -> Layer | None:
    refresh_themes(address)
    try:
        return get_layer(name)
    except UnknownLayer:
        return None


def _create(address: DatabaseAddress, inferred: InferredTheme) -> Layer:
    named = inferred.layer.clearance.label
    with address.connect(Role.OWNER) as connection:
        theme = create_theme(connection, inferred.layer, reason=f"loaded from files as {named}")
        connection.commit()
    refresh_themes(address)
    return theme


def _load_more(
    address: DatabaseAddress,
    theme: Layer,
    request: ThemeRequest,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress | None,
) -> ThemeLoad:
    _require_same(theme, request)
    widened = widen_theme(theme, files, options)
    if widened.layer is not theme:
        if options.dry_run:
            return ThemeLoad(widened.layer, False, widened.notes, None)
        with address.connect(Role.OWNER) as connection:
            names = ", ".join(file.name for file in files)
            theme = edit_theme(
                connection,
                theme.name,
                theme_document(widened.layer),
                reason=f"for {names}: {'; '.join(widened.notes)}",
                action="widened",
            )
            connection.commit()
        refresh_themes(address)
    return ThemeLoad(
        theme, False, widened.notes, _load_rows(address, theme, files, options, progress)
    )


def _require_same(theme: Layer, request: ThemeRequest) -> None:
    """Refuse to change by the way what is there.

    Raises:
        InvalidParameter: the request says otherwise than the theme.
    """
    how = "is there already; change it with: geoservice themes edit"
    wanted = {"title": request.title_zh, "title-en": request.title_en}
    held = {"title": theme.title.zh, "title-en": theme.title.en}
    for name, title in wanted.items():
        if title is not None and title != held[name]:
            raise InvalidParameter(name, title, f"theme {theme.name} {how}")
    if request.clearance is not None and request.clearance is not theme.clearance:
        raise InvalidParameter("clearance", request.clearance, f"theme {theme.name} {how}")


def _load_rows(
    address: DatabaseAddress,
    theme: Layer,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress | None,
) -> LoadReport:
    with address.connect_loader() as connections:
        return load(connections, theme, files, options, progress or NoProgress())
