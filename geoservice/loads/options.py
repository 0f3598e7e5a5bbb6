"""The bounds of the settings as the loaders take them; for commands and for jobs."""

from __future__ import annotations

from geoservice.settings import LoadSettings
from loaders import ReadLimits


def read_limits(settings: LoadSettings) -> ReadLimits:
    """The bounds of the settings as the loaders take them."""
    return ReadLimits(
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_ratio=settings.max_ratio,
        max_members=settings.max_members,
        memory_bytes=settings.reader_memory_bytes,
        timeout_s=settings.reader_timeout_s,
    )
