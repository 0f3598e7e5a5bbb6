"""Opening hours in the city's time zone, read by a library from OSM syntax."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, validate


class CityHours:
    """Says whether a facility is open, for ``layers.availability``."""

    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)

    def __call__(self, hours: str | None, instant: datetime) -> bool | None:
        """Whether these hours include an aware instant; None if missing or unreadable."""
        parsed = _parse(hours) if hours else None
        if parsed is None:
            return None
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        return None if parsed.is_unknown(local) else bool(parsed.is_open(local))


@lru_cache(maxsize=10_000)
def _parse(hours: str) -> OpeningHours | None:
    return OpeningHours(hours) if validate(hours) else None
