"""``geoservice load theme`` and ``geoservice themes``: layers from files, and what is said of them.

Exported descriptions are YAML; the same file, changed, is what ``edit`` takes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml
from rich.console import Console
from rich.table import Table

from geoservice.cli import loading
from geoservice.cli.loading import LoadArguments, check_files, progress_bars, show_report
from geoservice.cli.terminal import minute, shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import ThemeLoad, load_theme
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.access import Clearance
from layers.base import Layer
from layers.errors import InvalidParameter, InvalidTheme, UnknownLayer
from layers.roles import Role
from layers.theme_documents import theme_document
from layers.themes import drop_theme, edit_theme, read_themes, theme_history
from loaders.themes import ThemeRequest

app = typer.Typer(help="Layers made from files: what is said of them.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the theme")]
_MAX_BYTES = 16 * 1024 * 1024


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="themes")
    loading.HANDED_OVER["theme"] = load_theme_command


def load_theme_command(arguments: LoadArguments) -> None:
    """``geoservice load theme NAME FILE...``, and loads into a theme that is there.

    Raises:
        InvalidParameter: there are no files after the name.
    """
    name, *files = arguments.files
    if not files:
        raise InvalidParameter("files", "", "needs: geoservice load theme NAME FILE...")
    check_files(files)
    request = ThemeRequest(
        str(name),
        title_zh=arguments.title_zh,
        title_en=arguments.title_en,
        clearance=Clearance.from_label(arguments.clearance) if arguments.clearance else None,
        key=arguments.options.key or (),
    )
    address = DatabaseAddress(arguments.settings.database)
    with progress_bars() as bars:
        done = load_theme(address, request, files, arguments.options, bars)
    if done.report is not None and arguments.outputs.are_wanted:
        with address.connect(Role.LOADER) as connection:
            arguments.outputs.write([done.report], connection, arguments.options.city)
    if arguments.as_json:
        print(orjson.dumps(_as_json(done), option=orjson.OPT_INDENT_2).decode())  # for scripts
    else:
        _show_load(Console(soft_wrap=True), done)


def _as_json(done: ThemeLoad) -> dict[str, Any]:
    report = done.report.as_json() if done.report else {}
    theme = {"is_new": done.is_new, "notes": done.notes, "descriptor": theme_document(done.theme)}
    return {**report, "theme": theme}


def _show_load(console: Console, done: ThemeLoad) -> None:
    theme = done.theme
    if done.is_new:
        _show_theme(console, theme)
    for note in done.notes:
        console.print(f"  note         {shown(note)}", highlight=False)
    if done.report is None:
        console.print("dry run: nothing was written")
        return
    show_report(console, done.report)
    if done.is_new and theme.clearance is Clearance.RESTRICTED:
        console.print(
            f"{theme.name} is restricted; to open it: "
            f"geoservice themes clearance {theme.name} LEVEL --reason TEXT",
            highlight=False,
        )


@app.command("list")
def list_command() -> None:
    """List the themes."""
    with _address().connect(Role.LOADER) as connection:
        found = read_themes(connection)
    table = Table("theme", "title", "标题", "geometry", "clearance", "zoom", "attributes", "key")
    for theme in found:
        table.add_row(
            theme.name,
            shown(theme.title.en),
            shown(theme.title.zh),
            theme.geometry_type.value,
            theme.clearance.label,
            f"{theme.minzoom}-{theme.maxzoom}",
            str(len(theme.attributes)),
            _key(theme),
        )
    table_console().print(table)


@app.command()
def describe(name: NameArgument) -> None:
    """Tell what is said of a theme, and who said it when."""
    with _address().connect(Role.LOADER) as connection:
        theme = _theme(read_themes(connection), name)
        history = theme_history(connection, name)
    console = table_console()
    _show_theme(console, theme)
    table = Table("version", "at", "what", "reason")
    for edit in history:
        table.add_row(str(edit.version), minute(edit.edited_at), edit.action, shown(edit.reason))
    console.print(table)


@app.command()
def export(
    name: NameArgument,
    file: Annotated[Path | None, typer.Argument(help="YAML file to write; none prints it")] = None,
) -> None:
    """Write what is said of a theme into a file to edit."""
    with _address().connect(Role.LOADER) as connection:
        theme = _theme(read_themes(connection), name)
    written = yaml.safe_dump(theme_document(theme), allow_unicode=True, sort_keys=False)
    if file is None:
        print(written, end="")  # for scripts
    else:
        file.write_text(written, encoding="utf-8")


@app.command()
def edit(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="YAML file, as export writes it")],
    reason: Annotated[str, typer.Option(help="Why; needed where a clearance is lowered")] = "",
) -> None:
    """Make a theme what a file says: titles, units, codes, clearances, style, zooms, key, types."""
    with _address().connect(Role.OWNER) as connection:
        theme = edit_theme(connection, name, _read(file), reason=reason)
        connection.commit()
    wait_for_readers(_address())
    _show_theme(table_console(), theme)


@app.command()
def clearance(
    name: NameArgument,
    level: Annotated[str, typer.Argument(help="public, enterprise, government or restricted")],
    reason: Annotated[str, typer.Option(help="Why; needed to lower it")] = "",
) -> None:
    """Raise or lower the clearance of a theme, for all its versions at once."""
    wanted = Clearance.from_label(level)
    with _address().connect(Role.OWNER) as connection:
        theme = _theme(read_themes(connection), name)
        document = theme_document(replace(theme, clearance=wanted))
        edit_theme(connection, name, document, reason=reason)
        connection.commit()
    wait_for_readers(_address())
    table_console().print(f"{theme.name} is {wanted.label}, was {theme.clearance.label}")


@app.command()
def drop(
    name: NameArgument,
    reason: Annotated[str, typer.Option(help="Why it is dropped")],
) -> None:
    """Take a theme away with all its versions; what was said of it stays written down."""
    with _address().connect(Role.OWNER) as connection:
        drop_theme(connection, name, reason=reason)
        connection.commit()
    wait_for_readers(_address())
    table_console().print(f"{name} is dropped")


def _address() -> DatabaseAddress:
    return DatabaseAddress(Settings.read().database)


def _theme(themes: tuple[Layer, ...], name: str) -> Layer:
    for theme in themes:
        if theme.name == name:
            return theme
    raise UnknownLayer(name)


def _key(theme: Layer) -> str:
    return "+".join(theme.natural_keys[0]) if theme.natural_keys else "derived"


def _read(file: Path) -> object:
    try:
        if file.stat().st_size > _MAX_BYTES:
            message = f"{file.name}: is larger than {_MAX_BYTES} bytes"
            raise InvalidTheme(message)
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{file.name}: cannot be read as YAML"
        raise InvalidTheme(message) from error


def _show_theme(console: Console, theme: Layer) -> None:
    """Print what is said of a theme."""
    titles = f"{shown(theme.title.en)} {shown(theme.title.zh)}"
    console.print(f"[bold]theme {theme.name}[/]: {titles}", highlight=False)
    console.print(
        f"  {theme.geometry_type.value}, {theme.clearance.label}, zoom {theme.minzoom} to "
        f"{theme.maxzoom}, key {_key(theme)}",
        highlight=False,
    )
    table = Table("attribute", "type", "unit", "title", "clearance", "column of files", "codes")
    for attribute in theme.attributes:
        table.add_row(
            attribute.name,
            attribute.type.value,
            shown(attribute.unit or ""),
            f"{shown(attribute.title.en)} {shown(attribute.title.zh)}",
            theme.clearance_of(attribute).label,
            shown(", ".join(attribute.aliases)),
            str(len(attribute.codes.codes)) if attribute.codes else "",
        )
    console.print(table)
