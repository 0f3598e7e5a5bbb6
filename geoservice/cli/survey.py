"""``geoservice load survey``: the point and line tables of a survey of pipes, loaded together."""

from __future__ import annotations

from layers.errors import InvalidParameter
from loaders.options import LoadOptions

SURVEY = "survey"
"""What stands in the place of a layer."""


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
