"""``geoservice load survey``: the point and line tables of a survey of pipes, loaded together."""

from __future__ import annotations

import orjson
from rich.console import Console

from geoservice.cli import loading
from geoservice.cli.loading import LoadArguments, check_files, progress_bars, show_report
from geoservice.db import DatabaseAddress
from layers.errors import InvalidParameter
from loaders.options import LoadOptions
from loaders.survey import load_survey

SURVEY = "survey"
"""What stands in the place of a layer."""


def register() -> None:
    """Have ``geoservice load`` hand surveys over."""
    loading.HANDED_OVER[SURVEY] = load_survey_command


def load_survey_command(arguments: LoadArguments) -> None:
    """``geoservice load survey FILE...``."""
    check_survey_options(arguments.options)
    check_files(arguments.files)
    address = DatabaseAddress(arguments.settings.database)
    with progress_bars() as bars, address.connect_loader() as connections:
        report = load_survey(connections, arguments.files, arguments.options, bars)
        arguments.outputs.write(report.reports, connections.sql, arguments.options.city)
    if arguments.as_json:
        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    for one in report.reports:
        show_report(Console(), one)


def check_survey_options(options: LoadOptions) -> None:
    """Refuse what cannot be said of two loads at once.

    Raises:
        InvalidParameter: a dry run, a key or a layer of the file was asked for.
    """
    if options.dry_run:
        reason = "the lines of a survey need points that are held; load it, and undo it if need be"
        raise InvalidParameter("dry-run", True, reason)
    for name, value in (("key", options.key), ("layer", options.source_layer)):
        if value:
            raise InvalidParameter(name, value, "is not for surveys, whose tables are recognised")
