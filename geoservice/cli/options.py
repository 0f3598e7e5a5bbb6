"""What commands that load share: files that are there, instants, bounds on reading."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from geoservice.settings import LoadSettings
from layers.errors import InvalidParameter, UnreadableSource
from layers.extent import parse_instant
from loaders.options import ReadLimits


def check_file(path: Path) -> None:
    """Refuse a file that is not there, or whose name no report and no history could hold."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise UnreadableSource(path, "its name is not UTF-8; rename it") from None
    if not path.exists():
        raise UnreadableSource(path, "there is no such file")


def since(text: str, time_zone: str) -> datetime:
    """The instant of ``--valid-from``; a bare date begins in the city, as dates in files do."""
    instant = parse_instant(text, "valid-from")
    if len(text) > len("2020-01-01"):
        return instant
    try:
        return instant.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError:
        raise InvalidParameter("valid-from", text, "there is no such instant") from None


def read_limits(settings: LoadSettings) -> ReadLimits:
    """The bounds of the settings as the loaders take them."""
    return ReadLimits(
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_ratio=settings.max_ratio,
        max_members=settings.max_members,
        memory_bytes=settings.reader_memory_bytes,
        timeout_s=settings.reader_timeout_s,
    )
