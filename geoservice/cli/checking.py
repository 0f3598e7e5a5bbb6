"""``geoservice check``: what a file holds, how it may fill a layer, and what would be rejected."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli.mappings import read_mapping
from geoservice.cli.terminal import shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.loads.options import read_limits
from geoservice.settings import Settings
from geoservice.theme_loading import layer_named
from layers.base import Layer
from layers.errors import InvalidParameter, SourceError
from layers.registry import LAYERS
from loaders import LoadOptions
from loaders.folders import private_folder
from loaders.inspection import Inspection, inspect
from loaders.mapping_files import write_mapping
from loaders.proposal import Proposal, propose, propose_for
from loaders.rehearsal import Rehearsal, rehearse

_SHOWN_COLUMNS = 200
_SHOWN_SAMPLES = 3
_SHOWN_OTHERS = 3


@dataclass(frozen=True)
class _Checked:
    """One data set of a file, how it may fill a layer, and what a load would reject."""

    inspection: Inspection
    proposals: tuple[Proposal, ...]
    rehearsal: Rehearsal | None
    refusal: str | None

    def as_json(self) -> dict[str, object]:
        return {
            **self.inspection.as_json(),
            "proposals": [proposal.as_json() for proposal in self.proposals],
            "rehearsal": self.rehearsal.as_json() if self.rehearsal else None,
            "refusal": self.refusal,
        }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check_command)


def check_command(  # one for each option
    file: Annotated[Path, typer.Argument(help="File to look at")],
    layer_as: Annotated[
        str | None, typer.Option("--layer-as", help="Layer to propose for; none: the best fitting")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="EPSG:n, gcj02 or bd09; /yx after it for northing first")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of texts, such as gb18030")] = None,
    source_layer: Annotated[
        str | None, typer.Option("--layer", help="Layer of a file that has several")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="Mapping that stands over the proposal, as load takes it"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="ATTRIBUTE=VALUE for all rows")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the proposed mapping as a YAML file")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Tell what a file holds, which mapping fits and what a load would reject; load nothing."""
    settings = Settings.read()
    address = DatabaseAddress(settings.database)
    layer = layer_named(address, layer_as) if layer_as else None
    if write is not None and write.exists():
        raise InvalidParameter("write", str(write), f"{write.name} exists already")
    options = LoadOptions(
        city=settings.city.frame(),
        crs=crs,
        encoding=encoding,
        mapping=read_mapping(map_ or [], set_ or [], settings.load.mappings_folder),
        source_layer=source_layer,
        limits=read_limits(settings.load),
    )
    with private_folder() as folder:
        found = [
            _checked(inspection, layer, options, folder)
            for inspection in inspect(file, options, folder)
        ]
    if write is not None:
        _write(write, file, found, options)
    if as_json:
        document = {"file": file.name, "data_sets": [one.as_json() for one in found]}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    console = table_console()
    for one in found:
        _show(console, one)
    if write is not None:
        console.print(f"wrote {shown(write.name)}")


def _checked(
    inspection: Inspection, layer: Layer | None, options: LoadOptions, folder: Path
) -> _Checked:
    proposals = (propose_for(inspection, layer),) if layer else propose(inspection, LAYERS)
    if not proposals:
        return _Checked(inspection, (), None, "it fits no layer; name one with --layer-as")
    best = proposals[0]
    chosen = replace(
        options,
        crs=options.crs or inspection.crs.assumed,
        mapping=options.mapping.over(best.mapping),
    )
    try:
        rehearsal = rehearse(best.layer, inspection.source, chosen, folder)
    except SourceError as error:
        return _Checked(inspection, proposals, None, str(error))
    return _Checked(inspection, proposals, rehearsal, None)


def _write(path: Path, file: Path, found: list[_Checked], options: LoadOptions) -> None:
    """Write the mapping of the one data set.

    Raises:
        InvalidParameter: there are several, or none fits a layer.
    """
    fitting = [one for one in found if one.proposals]
    if len(fitting) != 1:
        names = ", ".join(one.inspection.name for one in fitting) or "none"
        raise InvalidParameter("write", str(path), f"needs one data set that fits, found: {names}")
    (one,) = fitting
    text = write_mapping(
        one.proposals[0], f"Mapping of {one.inspection.name}", _command(path, file, one, options)
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidParameter("write", str(path), f"{path.name} cannot be written") from error


def _command(path: Path, file: Path, one: _Checked, options: LoadOptions) -> str:
    words = ["geoservice", "load", one.proposals[0].layer.name, str(file)]
    crs = options.crs or one.inspection.crs.assumed
    for option, value in (
        ("--crs", crs),
        ("--encoding", options.encoding),
        ("--layer", one.inspection.layer),
        ("--map", str(path)),
    ):
        words += [option, value] if value else []
    return shlex.join(words)


def _show(console: Console, one: _Checked) -> None:
    _show_inspection(console, one.inspection)
    if one.refusal:
        console.print(f"  [red]refused[/]      {shown(one.refusal)}", highlight=False)
    if one.proposals:
        _show_proposal(console, one.proposals[0])
        others = (f"{p.layer.name} {p.score:.2f}" for p in one.proposals[1 : 1 + _SHOWN_OTHERS])
        if listed := ", ".join(others):
            console.print(f"  other layers {listed}", highlight=False)
    if one.rehearsal:
        _show_rehearsal(console, one.rehearsal)


def _show_inspection(console: Console, found: Inspection) -> None:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.geometries.items()) or "none"
    console.print(f"[bold]{shown(found.name)}[/]: {found.rows:,} rows", highlight=False)
    console.print(f"  geometries   {shown(kinds)}", highlight=False)
    console.print(f"  coordinates  {shown(found.crs)}", highlight=False)
    for candidate in found.crs.candidates:
        console.print(f"    would fit  {shown(candidate)}", highlight=False)
    if found.positions:
        x, y = shlex.quote(f"x={found.positions.x}"), shlex.quote(f"y={found.positions.y}")
        systems = " or ".join(found.positions.systems)
        said = f"would lie in the city by --map {x} --map {y} --crs {systems}"
        console.print(f"  positions?   {shown(said)}", highlight=False)
    if found.encoding:
        console.print(f"  encoding     {shown(found.encoding)}", highlight=False)
    for note in found.notes:
        console.print(f"  note         {shown(note)}", highlight=False)
    table = Table("column", "type", "unit", "filled", "distinct", "values")
    for column in found.columns[:_SHOWN_COLUMNS]:
        odd = f" (but: {', '.join(column.exceptions)})" if column.exceptions else ""
        kind = column.type.value if column.nearly is None else f"text, nearly {column.nearly.value}"
        table.add_row(
            shown(column.name),
            kind,
            column.unit or "",
            f"{column.filled:,}",
            f"{column.distinct:,}",
            shown(", ".join(s[:30] for s in column.samples[:_SHOWN_SAMPLES]) + odd),
        )
    console.print(table)


def _show_proposal(console: Console, proposal: Proposal) -> None:
    console.print(
        f"  as [bold]{proposal.layer.name}[/], fit {proposal.score:.2f}; "
        f"key: {', '.join(proposal.key) or 'derived from the geometry'}",
        highlight=False,
    )
    table = Table("attribute", "column", "confidence", "because")
    for match in (*proposal.matches, *proposal.hints):
        sure = match in proposal.matches
        reasons = "; ".join((*match.reasons, *match.warnings))
        table.add_row(
            match.attribute,
            shown(match.column),
            f"{match.confidence:.2f}{'' if sure else ' ?'}",
            shown(reasons),
        )
        for word, code in match.values.items():
            table.add_row("", shown(f"  {word}"), "", shown(f"means {code}"))
    console.print(table)
    if proposal.unused:
        console.print(f"  not used     {shown(', '.join(proposal.unused))}", highlight=False)


def _show_rehearsal(console: Console, rehearsal: Rehearsal) -> None:
    kept = rehearsal.read - rehearsal.rejected
    console.print(
        f"  a load would take {kept:,} of {rehearsal.read:,} rows, before checks across rows",
        highlight=False,
    )
    for reason, count in rehearsal.reasons.most_common():
        console.print(f"  [red]{count:,}[/] {shown(reason)}", highlight=False)
    for example in rehearsal.examples:
        console.print(f"    row {example.row}: {shown(example.reason)}", highlight=False)
